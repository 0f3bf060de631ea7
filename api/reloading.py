"""Reloading of settings by SIGHUP, for a process that goes on."""

from collections.abc import Callable

from foxing.renderer import FoxingError

from .logs import get_logger
from .settings import Settings
from .settings.load import reload_settings

#: Settings that apply at once; others need a restart.
RELOADABLE = frozenset({"log_level", "log_format", "api_key", "tokens", "drain_s"})


class Reloader:
    """Reads the settings again, when it is called, and applies those of `RELOADABLE`. What cannot be applied is logged,
    and so is an error, which leaves all as it was. Keys in the database are read every few seconds anyway."""

    def __init__(
        self, settings: Settings, check: Callable[[Settings], object], *apply: Callable[[Settings], object]
    ) -> None:
        """`settings`: those of the start. `check`: raises `FoxingError` for settings that are not permitted. `apply`:
        called with new settings."""
        self._settings = settings
        self._check = check
        self._apply = apply

    def __call__(self, *_: object) -> None:
        """Reloads. Takes what a signal handler is given."""
        log = get_logger()
        try:
            fresh = reload_settings(self._settings)
            self._check(fresh)
            applied = self._settings.model_copy(update={name: getattr(fresh, name) for name in RELOADABLE})
            for apply in self._apply:
                apply(applied)
        except FoxingError as error:
            log.error("settings were not reloaded", reason=str(error))
            return
        changed = {name for name in Settings.model_fields if getattr(fresh, name) != getattr(self._settings, name)}
        self._settings = applied
        log.warning("settings reloaded", changed=sorted(changed & RELOADABLE))
        if not changed <= RELOADABLE:
            log.warning("settings need a restart", settings=sorted(changed - RELOADABLE))
