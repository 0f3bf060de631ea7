"""Reader profiles that `foxing calibrate` has measured and kept: one file for each in the user's data folder."""

import logging
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from foxing.renderer import Readers
from foxing.renderer.readers import ReaderProfileError

log = logging.getLogger(__name__)


def measured_folder() -> Path:
    """Returns the folder of the profiles, which need not exist."""
    return user_data_path("foxing") / "readers"


def measured_readers() -> dict[str, dict[str, Any]]:
    """Returns name → profile. A file that is not a profile is left out, with a warning."""
    profiles: dict[str, dict[str, Any]] = {}
    for path in sorted(measured_folder().glob("*.toml")):
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))["readers"]
            Readers(table)
        except (OSError, ValueError, KeyError, TypeError, ReaderProfileError) as error:
            log.warning("the reader profile %s is left out (%s); run foxing calibrate again, or remove it", path, error)
        else:
            profiles |= table
    return profiles


def with_measured_readers(own: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the profiles of the settings, and the measured ones of other models."""
    models = {model for table in own.values() if isinstance(table, dict) for model in table.get("models") or ()}
    return {**{name: table for name, table in measured_readers().items() if name not in models}, **own}
