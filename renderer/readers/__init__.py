"""Reader profiles: legible type sizes, image limits and billing, and page images laid out for a reader.

Exports are imported on first use, so profiles and billing load without numpy and Pillow.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .exports import *  # noqa: F403
else:
    from foxing.renderer.first_use import exports_of

    __getattr__ = exports_of(__name__)
