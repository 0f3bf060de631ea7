"""Discovery of datasets in a folder, in the formats that their authors publish."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.evidence import CATEGORIES
from benchmarks.locomo import Conversation, read_locomo
from foxing.memory.errors import InvalidInput

from .beam import read_beam
from .realtalk import read_realtalk

LOCOMO_SOURCE = "https://github.com/snap-research/locomo"
REALTALK_SOURCE = "https://github.com/danny911kr/REALTALK"
BEAM_SOURCE = "https://github.com/mohammadtavakoli78/BEAM"

#: REALTALK's categories, by LoCoMo's numbers.
REALTALK_CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "commonsense"}
#: BEAM's chats of this size have another structure.
LARGEST_BEAM = "10M"
#: BEAM's abilities except abstention, whose questions have no evidence.
BEAM_CATEGORIES = {
    name: name.replace("_", " ")
    for name in (
        *("contradiction_resolution", "event_ordering", "information_extraction", "instruction_following"),
        *("knowledge_update", "multi_session_reasoning", "preference_following", "summarization"),
        "temporal_reasoning",
    )
}


@dataclass(frozen=True)
class Dataset:
    """Conversations with questions, and the categories of these."""

    name: str
    conversations: list[Conversation]
    #: category of a question → its name; other questions are not asked
    categories: Mapping[Any, str]


def find_datasets(folder: Path) -> Iterator[tuple[str, Callable[[], Dataset]]]:
    """Yields the name of each dataset in `folder` and below, with a function that reads it. LoCoMo is `locomo*.json`,
    gzipped or not; REALTALK a folder of `Chat_*.json`; BEAM a folder of numbered chats, named for its size (`100K`,
    `500K`, `1M`). Raises `InvalidInput` if there is none."""
    found = dict(sorted(_found(folder).items()))
    if not found:
        raise InvalidInput(f"{folder} has no LoCoMo (locomo*.json), REALTALK (Chat_*.json) or BEAM (100K/1/…)")
    yield from found.items()


def open_locomo(file: Path) -> Dataset:
    """Reads LoCoMo. Raises `InvalidInput`."""
    try:
        return _dataset("LoCoMo", read_locomo, file, CATEGORIES)
    except InvalidInput as error:
        raise InvalidInput(f"{error}; LoCoMo is published at {LOCOMO_SOURCE}") from error


def open_realtalk(folder: Path) -> Dataset:
    """Reads REALTALK from its folder `data`. Raises `InvalidInput`."""
    return _opened("REALTALK", read_realtalk, folder, REALTALK_CATEGORIES, f"Chat_*.json; see {REALTALK_SOURCE}")


def open_beam(folder: Path) -> Dataset:
    """Reads BEAM from the folder of one size. Raises `InvalidInput`."""
    name = f"BEAM-{folder.name}"
    return _opened(name, read_beam, folder, BEAM_CATEGORIES, f"numbered chats (1/chat.json, …); see {BEAM_SOURCE}")


def _opened(
    name: str,
    read: Callable[[Path], list[Conversation]],
    folder: Path,
    categories: Mapping[int, str] | Mapping[str, str],
    content: str,
) -> Dataset:
    try:
        dataset = _dataset(name, read, folder, categories)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be read ({error.strerror}); expected a folder with {content}") from error
    if not any(conversation.questions for conversation in dataset.conversations):
        raise InvalidInput(f"{folder} has no questions with evidence; expected a folder with {content}")
    return dataset


def _found(folder: Path) -> dict[str, Callable[[], Dataset]]:
    found: dict[str, Callable[[], Dataset]] = {}
    for file in folder.rglob("locomo*.json*"):
        name = f"LoCoMo ({file.name.split('.')[0]})"
        found[name] = partial(_dataset, name, read_locomo, file, CATEGORIES)
    # REALTALK's repository also has LoCoMo in this format, in a folder `locomo`
    for place in {file.parent for file in folder.rglob("Chat_*.json") if file.parent.name != "locomo"}:
        found["REALTALK"] = partial(_dataset, "REALTALK", read_realtalk, place, REALTALK_CATEGORIES)
    for place in {file.parents[2] for file in folder.rglob("probing_questions/probing_questions.json")}:
        if place.name != LARGEST_BEAM:
            name = f"BEAM-{place.name}"
            found[name] = partial(_dataset, name, read_beam, place, BEAM_CATEGORIES)
    return found


def _dataset(
    name: str,
    read: Callable[[Path], list[Conversation]],
    path: Path,
    categories: Mapping[int, str] | Mapping[str, str],
) -> Dataset:
    return Dataset(name, read(path), dict(categories))
