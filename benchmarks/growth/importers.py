"""Probes of the importers: samples of every format in which one text grows, or the whole grows."""

import json
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

from foxing.memory.ingest.importers import AUTO, IMPORTERS, ImportOptions, preview_file
from foxing.renderer.errors import FoxingError
from tests.support.histories import HISTORIES

from .probes import Call, Probe, World
from .shapes import TEXTS, nested

LONGEST = 400_000  # characters of one text in a file
NESTED = 200_000  # levels of a document
COPIES = 12_800  # eight times as many as there are of a text
#: Formats of a file that is not text, or that has no sample: covered by probes of their own, or by their base format.
WITHOUT_SAMPLE = {"image": "see the probes of images", "messages": "read by the reader of JSON Lines", "jsonl": "here"}


def importer_probes(folder: Path) -> Iterator[Probe]:
    """Yields the probes of every importer. `folder`: for samples. Raises `ValueError` for a format without a sample."""
    samples: dict[str, list[tuple[str, Callable[[Path], Path]]]] = {}
    for name, (format, write) in HISTORIES.items():
        samples.setdefault(format, []).append((name, write))
    missing = set(IMPORTERS.names()) - samples.keys() - WITHOUT_SAMPLE.keys()
    if missing:
        raise ValueError(f"no history of the formats {sorted(missing)} in tests/support/histories; add one")
    for format, each in samples.items():
        for number, (name, write) in enumerate(each):
            written = write(folder / f"{format}-{number}")
            for file in _texts(written):
                yield from _sample_probes(format, name, *file)
    line = '{"role": "user", "content": "TEXT"}\n'
    for name, make in TEXTS.items():
        yield Probe("import jsonl", f"content of {name}", LONGEST, _file(".jsonl", _line(line, make)))
    yield Probe("import jsonl", "lines", 40_000, _file(".jsonl", lambda size: line * size))
    yield Probe("import jsonl", "nested arrays", NESTED, _file(".jsonl", nested))
    yield Probe("import messages", "nested arrays", NESTED, _file(".json", nested))
    yield Probe(
        "import messages", "messages", 40_000, _file(".json", lambda size: json.dumps([json.loads(line)] * size))
    )


def _line(line: str, make: Callable[[int], str]) -> Callable[[int], str]:
    return lambda size: line.replace('"TEXT"', json.dumps(make(size)))


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """Yields name and text of the files of a sample."""
    if path.is_dir():
        files = [(str(each.relative_to(path)), each.read_bytes()) for each in sorted(path.rglob("*")) if each.is_file()]
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            files = [(name, archive.read(name)) for name in archive.namelist()]
    else:
        files = [(path.name, path.read_bytes())]
    for name, data in files:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            continue
        if len(text) > 10:
            yield name, text


def _sample_probes(format: str, sample: str, name: str, text: str) -> Iterator[Probe]:
    entry = f"import {format}"
    suffix = Path(name).suffix or ".txt"
    document = _json(text)
    if document is None:
        lines = text.splitlines(keepends=True)
        for number in range(len(lines)):
            label = f"{sample}: line {number + 1} of {name} longer"
            yield Probe(entry, label, LONGEST, _file(suffix, _longer(lines, number), format))
        whole = _file(suffix, lambda size: text * (size // 8), format)
        yield Probe(entry, f"{sample}: {name} repeated", COPIES, whole)
        return
    is_lines, value = document
    yield Probe(
        entry, f"{sample}: {name} nested", NESTED, _file(suffix, lambda size: _deep(value, is_lines, size), format)
    )
    for place in _places(value):
        label = ".".join("*" if isinstance(step, int) else step for step in place)
        yield Probe(
            entry, f"{sample}: {name}: {label}", LONGEST, _file(suffix, _replaced(value, is_lines, place), format)
        )


def _longer(lines: list[str], number: int) -> Callable[[int], str]:
    def make(size: int) -> str:
        line = lines[number].rstrip("\r\n")
        longer = line + TEXTS["everything"](size).replace("\n", " ") + "\n"
        return "".join((*lines[:number], longer, *lines[number + 1 :]))

    return make


def _json(text: str) -> tuple[bool, Any] | None:
    """Returns whether a text is JSON Lines, and its value; None if it is no JSON."""
    try:
        return False, json.loads(text)
    except ValueError:
        pass
    try:
        return True, [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return None


def _replaced(value: Any, is_lines: bool, place: tuple[Any, ...]) -> Callable[[int], str]:
    def make(size: int) -> str:
        changed = deepcopy(value)
        at = changed
        for step in place[:-1]:
            at = at[step]
        at[place[-1]] += TEXTS["everything"](size)
        return _dumped(changed, is_lines)

    return make


def _deep(value: Any, is_lines: bool, depth: int) -> str:
    """Returns the sample with its first text replaced by a nested document."""
    place = next(_places(value), None)
    if place is None:
        return nested(depth)
    mark = "\u2603nested\u2603"
    changed = deepcopy(value)
    at = changed
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = mark
    return _dumped(changed, is_lines).replace(json.dumps(mark), nested(depth)).replace(f'"{mark}"', nested(depth))


def _dumped(value: Any, is_lines: bool) -> str:
    if is_lines:
        return "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in value)
    return json.dumps(value, ensure_ascii=False)


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    seen = set[tuple[Any, ...]]()
    for each in _every_place(value, place):
        kind = tuple("*" if isinstance(step, int) else step for step in each)
        if kind not in seen:
            seen.add(kind)
            yield each


def _every_place(value: Any, place: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, str) and place:
        yield place
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _every_place(item, (*place, key))


def _file(suffix: str, make: Callable[[int], str], format: str = AUTO) -> Callable[[World, int], Call]:
    def prepare(world: World, size: int) -> Call:
        path = world.path(suffix)
        with path.open("w", encoding="utf-8", errors="surrogatepass", newline="") as file:
            file.write(make(size))

        def call() -> None:
            with suppress(FoxingError):
                preview_file(path, ImportOptions(format=format))

        return call

    return prepare
