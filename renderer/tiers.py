"""Table of tiers: the resolutions at which a page is held.

A package adds a tier for its codec by an entry point:

    [project.entry-points."foxing.tiers"]
    nano = "morse_codec.tiers:NANO"
"""

from dataclasses import dataclass
from datetime import timedelta

from .errors import LayoutError
from .plugins import PluginError, Plugins

#: Side of the square that one vision token covers in a tier's image, in px.
TOKEN_SIDE_PX = 64
#: Vision tokens along a side of a page that divide the columns and rows of the dense page.
_TOKEN_ROWS = frozenset({1, 2, 4, 5, 8, 10, 16, 20, 40, 80})


@dataclass(frozen=True)
class Tier:
    """Resolution at which a page is held."""

    name: str
    #: Side of a full page in px, a multiple of `TOKEN_SIDE_PX`; unique among the tiers. Longer is sharper.
    side_px: int
    #: Age at which the default policy moves a page to this tier; zero: when it is sealed; None: never.
    from_age: timedelta | None = None
    #: Maximum side in px of images in messages on its pages; None: that of the next sharper tier that has one.
    image_side_px: int | None = None
    #: True if type in screenshots and diagrams stays legible, whatever side images have at most.
    legible_images: bool = False

    @property
    def tokens(self) -> int:
        """Vision tokens of a full page."""
        return (self.side_px // TOKEN_SIDE_PX) ** 2


#: Tiers of this package, sharpest first. The first four are the modes of DeepSeek-OCR.
OWN_TIERS = (
    Tier("large", 1280, legible_images=True),
    Tier("base", 1024, from_age=timedelta(0), legible_images=True),
    Tier("small", 640, from_age=timedelta(days=7), image_side_px=768, legible_images=True),
    Tier("tiny", 512, from_age=timedelta(days=30), image_side_px=256),
    Tier("micro", 320, from_age=timedelta(days=365), image_side_px=64),
)
_OWN = {tier.name: tier for tier in OWN_TIERS}


def _checked(name: str, value: object) -> Tier:
    if not isinstance(value, Tier):
        raise PluginError(f"its entry point names a {type(value).__name__}, not a foxing.renderer.Tier")
    if value.name != name:
        raise PluginError(f"its entry point is called '{name}', but the tier '{value.name}'; give both the same name")
    if name in _OWN or any(value.side_px == tier.side_px for tier in OWN_TIERS):
        raise PluginError(f"Foxing has a tier '{name}' or one of {value.side_px} px; choose another name and side")
    if value.side_px % TOKEN_SIDE_PX or value.side_px // TOKEN_SIDE_PX not in _TOKEN_ROWS:
        sides = ", ".join(str(rows * TOKEN_SIDE_PX) for rows in sorted(_TOKEN_ROWS))
        raise PluginError(f"{value.side_px} px do not divide a page into whole tokens; use a side of {sides}")
    return value


#: Tiers that other packages add.
ADDED_TIERS: Plugins[Tier] = Plugins("foxing.tiers", _checked)


def all_tiers() -> dict[str, Tier]:
    """Returns every tier by name, sharpest first."""
    tiers = (*OWN_TIERS, *(plugin.value for plugin in ADDED_TIERS.working()))
    return {tier.name: tier for tier in sorted(tiers, key=lambda tier: -tier.side_px)}


def is_tier(name: str) -> bool:
    """Returns whether a tier called `name` exists."""
    return name in _OWN or name in all_tiers()


def tier_named(name: str) -> Tier:
    """Returns the tier called `name`. Raises `LayoutError` if it does not exist."""
    if name in _OWN:
        return _OWN[name]
    if name in ADDED_TIERS:
        try:
            return ADDED_TIERS.get(name).value
        except PluginError as error:
            raise LayoutError(str(error)) from error
    raise LayoutError(f"unknown tier '{name}'; use one of {', '.join(all_tiers())}")


def tier_rank(name: str) -> int:
    """Returns the sort key of a tier; sharper tiers sort first. Raises `LayoutError` for an unknown tier."""
    return -tier_named(name).side_px
