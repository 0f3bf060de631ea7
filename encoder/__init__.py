"""Codecs: page image → vision tokens → text with a confidence for every character.

Exports are imported on first use. None of them imports torch; `load_codec` does when it is called.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .exports import *  # noqa: F403
else:
    from foxing.renderer.first_use import exports_of

    __getattr__ = exports_of(__name__)
