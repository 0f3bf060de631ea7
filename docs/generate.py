"""Generates reference/cli.md, http.md, permissions.md, python.md, readers.md, settings.md and openapi.json, and
explanation/traces.md.

    .venv/bin/python docs/generate.py            write the pages
    .venv/bin/python docs/generate.py --check    write nothing; name each stale page and exit with status 1

The pages depend on the code and on the versions of the libraries that describe it, which openapi.json records, but not
on the terminal, the environment or a foxing.toml.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from generators.cli import cli_page
from generators.http import http_page
from generators.permissions import permissions_page
from generators.python import python_page
from generators.readers import readers_page
from generators.settings import settings_page
from generators.trace_page import traces_page

from foxing.api.app import create_app
from foxing.api.settings import Settings

FOLDER = Path(__file__).resolve().parent
MADE_WITH = "x-made-with"
LIBRARIES = ("fastapi", "griffe", "pydantic", "typer")


def made_with() -> dict[str, str]:
    """The versions of the libraries whose output is part of the pages."""
    return {name: version(name) for name in LIBRARIES}


def openapi() -> dict[str, Any]:
    """The OpenAPI document of the service, independent of the settings of this machine."""
    return create_app(Settings.model_construct()).openapi()


def openapi_page() -> str:
    document = openapi()
    document = {**document, "info": {**document["info"], MADE_WITH: made_with()}}
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "explanation/traces.md": traces_page,
    "reference/cli.md": cli_page,
    "reference/http.md": lambda: http_page(openapi()),
    "reference/permissions.md": permissions_page,
    "reference/python.md": python_page,
    "reference/readers.md": readers_page,
    "reference/settings.md": settings_page,
    "reference/openapi.json": openapi_page,
}


def is_current(path: Path, page: str) -> bool:
    """Whether `path` holds `page`; the recorded library versions may differ."""
    if not path.is_file():
        return False
    written = path.read_text(encoding="utf-8")
    return written == page or (path.suffix == ".json" and _without_versions(written) == _without_versions(page))


def _without_versions(text: str) -> Any:
    """The JSON document without the library versions; `text` itself if it is not an OpenAPI document."""
    try:
        document = json.loads(text)
        document["info"].pop(MADE_WITH, None)
        return document
    except (ValueError, KeyError, TypeError, AttributeError):
        return text


def written_with(folder: Path) -> dict[str, str]:
    """The library versions recorded in `folder`; empty if there are none."""
    try:
        versions: dict[str, str] = json.loads((folder / "reference" / "openapi.json").read_text(encoding="utf-8"))[
            "info"
        ][MADE_WITH]
        return versions
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def check(folder: Path) -> int:
    """Returns 0 if every page is current; otherwise names each stale page on stderr and returns 1."""
    stale = [name for name, page in PAGES.items() if not is_current(folder / name, page())]
    for name in stale:
        print(f"docs/{name} is out of date; run: make docs", file=sys.stderr)
    before, now = written_with(folder), made_with()
    if stale and before and before != now:
        changed = ", ".join(f"{n} {before.get(n)} → {now[n]}" for n in now if before.get(n) != now[n])
        print(f"libraries changed since the pages were written: {changed}", file=sys.stderr)
    return 1 if stale else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Generate the reference pages of docs/.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with status 1 and name each stale page"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the pages (default: docs)")
    options = parser.parse_args(arguments)
    if options.check:
        return check(options.folder)
    for name, page in PAGES.items():
        path = options.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(page(), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
