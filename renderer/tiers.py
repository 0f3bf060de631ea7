"""The table of tiers: the resolutions at which a page is held.

A package adds a tier for its codec by entry point:

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
    """A resolution at which a page is held."""

    name: str
    #: Side of a full page in px, a multiple of `TOKEN_SIDE_PX`. The longer, the sharper; no two tiers have the same.
    side_px: int
    #: Age from which on the default policy holds a page at it; zero: when it is sealed; None: never.
    from_age: timedelta | None = None

    @property
    def tokens(self) -> int:
        """Vision tokens of a full page."""
        return (self.side_px // TOKEN_SIDE_PX) ** 2


#: The tiers of this package, sharpest first. The first four are the modes of DeepSeek-OCR.
OWN_TIERS = (
    Tier("large", 1280),
    Tier("base", 1024, from_age=timedelta(0)),
    Tier("small", 640, from_age=timedelta(days=7)),
    Tier("tiny", 512, from_age=timedelta(days=30)),
    Tier("micro", 320, from_age=timedelta(days=365)),
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


#: The tiers that other packages add.
ADDED_TIERS: Plugins[Tier] = Plugins("foxing.tiers", _checked)


def all_tiers() -> dict[str, Tier]:
    """Every tier by name, sharpest first."""
    every = (*OWN_TIERS, *(plugin.value for plugin in ADDED_TIERS.working()))
    return {tier.name: tier for tier in sorted(every, key=lambda tier: -tier.side_px)}


def is_tier(name: str) -> bool:
    """Whether there is a tier called `name`."""
    return name in _OWN or name in all_tiers()


def tier_named(name: str) -> Tier:
    """The tier called `name`. Raises `LayoutError` if there is none."""
    if name in _OWN:
        return _OWN[name]
    if name in ADDED_TIERS:
        try:
            return ADDED_TIERS.get(name).value
        except PluginError as error:
            raise LayoutError(str(error)) from error
    raise LayoutError(f"unknown tier '{name}'; use one of {', '.join(all_tiers())}")


def tier_rank(name: str) -> int:
    """Sort key of a tier: sharper ones come first. Raises `LayoutError` for an unknown tier."""
    return -tier_named(name).side_px
