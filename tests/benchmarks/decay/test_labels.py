"""The labels of the decay benchmark."""

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.decay.labels import FOLDER, DataDifferError, digest, group_names, read_group
from benchmarks.locomo import read_locomo

FACTS = {
    *("number", "amount", "date", "relative_time", "identifier", "name", "json_value"),
    *("ordinal", "term"),
}
KINDS = {
    "facts": FACTS,
    "relative_times": {"relative_time"},
    "negations": {"negation", "rhetorical"},
    "answers": {"answer"},
    "questions": {"identifier", "amount", "outcome"},
}
LEAST_LABELS = {"facts": 30, "relative_times": 40, "negations": 40, "answers": 30, "questions": 200}


def _group(name: str) -> dict[str, Any]:
    group: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return group


def _spans(label: dict[str, Any]) -> list[dict[str, Any]]:
    return [*label.get("spans", ()), *label.get("scope", ()), *([label["word"]] if "word" in label else [])]


@pytest.mark.parametrize("name", group_names())
def test_labels_are_places_and_digests_without_text(name: str) -> None:
    group = _group(name)
    assert group.keys() <= {"group", "source", "seed", "passages", "labels"}
    assert len(group["labels"]) >= LEAST_LABELS[group["group"]]
    for label in group["labels"]:
        assert label.keys() <= {"source", "document", "message", "kind", "spans", "word", "scope", "question"}
        assert label["kind"] in KINDS[group["group"]]
        assert "source" in label or "source" in group
        assert _spans(label)
    for part in [part for label in group["labels"] for part in _spans(label)] + group.get("passages", []):
        assert part.keys() <= {"start", "end", "sha256", "document", "message"}
        assert 0 <= part["start"] < part["end"]
        assert re.fullmatch(r"[0-9a-f]{12}", part["sha256"])


@pytest.mark.parametrize("name", [name for name in group_names() if "passages" in _group(name)])
def test_facts_lie_in_passages_that_were_read(name: str) -> None:
    group = _group(name)
    read = {(str(each["document"]), str(each["message"])): (each["start"], each["end"]) for each in group["passages"]}
    for label in group["labels"]:
        start, end = read[str(label["document"]), str(label["message"])]
        assert all(start <= part["start"] and part["end"] <= end for part in label["spans"])


@pytest.mark.parametrize("name", group_names())
def test_labels_match_the_data(name: str, data_folder: Path) -> None:
    group = read_group(name, data_folder)
    assert len(group.labels) == len(_group(name)["labels"])
    assert all(span.text.strip() for label in group.labels for span in (*label.spans, *label.scope))
    assert all((label.kind == "negation") == bool(label.scope) for label in group.labels)


def test_offsets_hold_in_imported_messages(data_folder: Path) -> None:
    conversations = read_locomo(data_folder / "eval" / "locomo_dev.json.gz")
    texts = {message.id: message.content for conversation in conversations for message in conversation.messages}
    for label in read_group("facts_locomo", data_folder).labels:
        content = texts[label.message_id]
        assert isinstance(content, str)
        assert all(content[span.start : span.end] == span.text for span in label.spans)


def test_data_that_differ_are_named(tmp_path: Path) -> None:
    name = "facts_sgd"
    with pytest.raises(DataDifferError, match=r"en_sgd\.jsonl\.gz is missing"):
        read_group(name, tmp_path)
    first = _group(name)["labels"][0]
    index = first["message"]
    messages = [{"role": "user", "content": "x" * 500} for _ in range(index + 1)]
    (tmp_path / "copy" / "eval").mkdir(parents=True)
    with gzip.open(tmp_path / "copy" / "eval" / "en_sgd.jsonl.gz", "wt", encoding="utf-8") as stream:
        stream.write(json.dumps({"id": first["document"], "messages": messages}))
    with pytest.raises(DataDifferError, match=f"message {index}: .* is not what was labelled"):
        read_group(name, tmp_path / "copy")


def test_digests_are_of_utf_8() -> None:
    assert digest("⋯") == "6d67cab95d71"


def test_nothing_of_the_package_is_imported() -> None:
    code = "import sys, benchmarks.decay.labels; sys.exit('foxing' in {name.split('.')[0] for name in sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], cwd=FOLDER.parents[2], check=False).returncode == 0
