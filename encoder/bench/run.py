"""One run of `foxing codec bench`: its measurements in order, and their results."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from foxing.encoder.annotation import Refinement
from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.encoder.flag_thresholds import FlagThresholds
from foxing.renderer import Progress

from .characters import CharacterRow, measure_characters
from .corpus import PageSet, identifier_texts, load_texts, named_file, texts_of
from .measurement import measure_rows
from .rows import BenchRow
from .speed import CodecSpeed, measure_speed
from .thresholds import measure_thresholds

#: Messages → the refinement of the salience of their words; see `PageSet.refine`.
SalienceOf: TypeAlias = Callable[[Iterable[str]], Callable[[Sequence[str]], Sequence[Refinement]]]


@dataclass(frozen=True)
class BenchResult:
    """Results of one run; those that were not requested are None."""

    rows: Sequence[BenchRow]
    characters: Sequence[CharacterRow] | None
    speed: CodecSpeed | None
    calibration: FlagThresholds | None

    def to_dict(self) -> dict[str, Any]:
        """Returns the results as a JSON object."""
        return {name: _plain(value) for name, value in vars(self).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [row.to_dict() for row in value]
    return asdict(value)


def run_bench(
    codec: Codec,
    files: Sequence[str],
    documents: Sequence[Mapping[str, Any]],
    tiers: Sequence[str],
    *,
    pages: int,
    identifiers: int,
    parts: Collection[str],
    device: str,
    salience: SalienceOf,
    progress: Callable[[str], AbstractContextManager[Progress]],
) -> BenchResult:
    """Measures a codec on the held-out pages of JSON Lines files of messages, each as FILE or NAME=FILE, else on those
    of `documents`.

    `tiers`: those to measure, all if it is empty. `pages`: maximum number of dense pages per file. `identifiers`: pages
    of random identifiers to add. `parts`: further measurements, of "degraded", "ageing", "characters", "speed"
    (of loading on `device`) and "calibration". `salience`: how words fade in a bank of the same messages. `progress`:
    shows the progress of a block that is described. Raises `CodecError`.
    """
    for name in tiers:
        if name not in codec.tiers:
            raise CodecError(f"the {codec.name} codec has no tier '{name}'; it has {', '.join(codec.tiers)}")
    chosen = list(dict.fromkeys(tiers or codec.tiers))
    groups = _groups(codec, files, documents, pages, identifiers, salience)
    characters = speed = calibration = None
    with progress("measuring") as advance:
        rows = measure_rows(codec, groups, chosen, advance, degraded="degraded" in parts, ageing="ageing" in parts)
    if "characters" in parts:
        with progress("characters") as advance:
            characters = measure_characters(codec, chosen, advance)
    if "speed" in parts:
        with progress("speed"):
            speed = measure_speed(codec, next(iter(groups.values())), chosen, device)
    if "calibration" in parts:
        with progress("thresholds") as advance:
            calibration = measure_thresholds(codec, groups, chosen, advance)
    return BenchResult(rows, characters, speed, calibration)


def _groups(
    codec: Codec,
    files: Sequence[str],
    documents: Sequence[Mapping[str, Any]],
    pages: int,
    identifiers: int,
    salience: SalienceOf,
) -> dict[str, PageSet]:
    """Returns the groups that have pages, with the salience of words as in a bank of their messages. Raises
    `CodecError` if there is none."""
    groups = load_texts([named_file(file) for file in files], codec, limit=pages)
    if documents:
        groups[str(documents[0]["id"])] = texts_of(documents, codec, pages)
    if identifiers:
        groups["identifiers"] = identifier_texts(codec, identifiers)
    groups = {name: group for name, group in groups.items() if group.pages}
    if not groups:
        raise CodecError("no page is left to measure; give longer texts")
    for group in groups.values():
        group.refine = salience(message.content for message in group.messages)
    return groups
