"""Small files of JSON in which the service notes what it has to know after a restart."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from foxing.renderer.private_files import make_folder, write

from .places import folder_of

log = logging.getLogger(__name__)

#: Where what was stored last is noted, in the folder of hooks.
STORED = "stored.json"


def stored_last(database: str) -> dict[str, dict[str, Any]]:
    """Returns what hooks stored last, by bank."""
    return read_json(Path(folder_of(database)) / STORED)


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a file; an empty one if there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes an object into a file. One that cannot be written is left, with a warning."""
    try:
        make_folder(path.parent)
        write(path, json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    except OSError:
        log.warning("%s cannot be written", path)
