"""Long-context optical memory: messages are stored in banks, sealed onto pages that age, and recalled.

Exports are imported on first use: a client of a service loads only the values of the calls that it makes.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .exports import *  # noqa: F403
else:
    from foxing.renderer.first_use import exports_of

    __getattr__ = exports_of(__name__)
