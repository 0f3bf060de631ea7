"""Settings of the service and of the command, from the environment (`FOXING_*`) and `foxing.toml`."""

from .load import load_settings
from .model import LOOPBACK_NAMES, Settings
from .names import ENV_PREFIX, SETTINGS_FILE, InvalidSettings, settings_file

__all__ = [
    "ENV_PREFIX",
    "LOOPBACK_NAMES",
    "SETTINGS_FILE",
    "InvalidSettings",
    "Settings",
    "load_settings",
    "settings_file",
]
