"""Page rendering: typesetting messages onto a grid of cells, drawing the grid, and transcribing cells to text.

Exports are imported on first use, so errors and tier names load without numpy and Pillow, and what the client of hooks
needs without anything else.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .exports import *  # noqa: F403
else:
    from .first_use import exports_of

    __getattr__ = exports_of(__name__)
