"""Errors of installing into the settings of hosts."""

from foxing.memory import MemoryFault
from foxing.renderer import ProblemKind


class SettingsRefused(MemoryFault):
    """A settings file cannot be edited; it is left as it is."""

    kind = ProblemKind("settings-refused", 422, "The settings file cannot be edited")
