"""Settings of the service and of the command, from the environment (`FOXING_*`) and `foxing.toml`."""

from importlib import import_module
from typing import TYPE_CHECKING

from .names import ENV_PREFIX, SETTINGS_FILE, InvalidSettings, settings_file

if TYPE_CHECKING:
    from .load import load_settings
    from .model import Settings
else:
    _MODULES = {"load_settings": "load", "Settings": "model"}

    def __getattr__(name: str) -> object:
        """Imports the settings on first use, since a command that a running service answers needs none."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return vars(import_module(f".{_MODULES[name]}", __name__))[name]


__all__ = [
    "ENV_PREFIX",
    "SETTINGS_FILE",
    "InvalidSettings",
    "Settings",
    "load_settings",
    "settings_file",
]
