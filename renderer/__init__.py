"""Page rendering: typesetting messages onto a grid of cells, drawing the grid, and transcribing cells to text.

Exports are imported on first use, so errors and tier names load without numpy and Pillow, and what the client of hooks
needs without anything else.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .exports import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        from importlib import import_module

        exports = import_module(".exports", __name__)
        if name not in ("__all__", *exports.__all__):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return vars(exports)[name]
