"""Exports of a package, each imported on its first use. Imports nothing, because the client of hooks imports it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def exports_of(package: str) -> "Callable[[str], object]":
    """Returns the `__getattr__` of a package whose public names are those of its module `exports`. The source of that
    module says where a name is defined, so that no other name is imported. A name of the engine raises `NoEngine` if
    only foxing-client is installed."""
    places: dict[str, str] = {}

    def get(name: str) -> object:
        from importlib import import_module

        if not places:
            places.update(_places(package))
        module = places.get(name, ".exports" if name == "__all__" else "")
        if not module:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(module, package), name)
        except ModuleNotFoundError as error:
            from .errors import NoEngine, is_of_engine

            if is_of_engine(error):
                raise NoEngine from error
            raise

    return get


def _places(package: str) -> dict[str, str]:
    """Returns the names that `exports` imports → their modules, relative to the package."""
    import ast
    from importlib.util import find_spec

    spec = find_spec(f"{package}.exports")
    source = None if spec is None else spec.loader.get_source(spec.name)  # type: ignore[union-attr]
    statements = [node for node in ast.walk(ast.parse(source or "")) if isinstance(node, ast.ImportFrom)]
    return {alias.name: f"{'.' * node.level}{node.module}" for node in statements for alias in node.names}
