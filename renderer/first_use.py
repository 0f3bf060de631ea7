"""Exports of a package that are imported on first use. Imports nothing, because the client of hooks imports it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def exports_of(package: str) -> "Callable[[str], object]":
    """Returns the `__getattr__` of a package whose public names are those of its module `exports`."""

    def get(name: str) -> object:
        from importlib import import_module

        exports = import_module(f"{package}.exports")
        if name not in ("__all__", *exports.__all__):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(exports, name)

    return get
