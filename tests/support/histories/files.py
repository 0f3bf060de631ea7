"""What histories are written with."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def json_lines(*values: Any) -> str:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def archive(path: Path, files: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def folder(path: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def file(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
