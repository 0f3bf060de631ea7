"""The script that makes the lists of frequent English words."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.word_classes import main


def write(path: Path, *documents: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(json.dumps(each) + "\n" for each in documents).encode()))


def test_words_are_listed_by_their_frequency(tmp_path: Path) -> None:
    often = [{"content": "The harbour, isn't it? On 5 June Ada's harbour was read_me 4th"}] * 2
    once = [{"content": "quay"}] * 1 + [{"content": "boat"}] * 4000
    write(tmp_path / "train" / "english.jsonl.gz", {"lang": "en", "messages": [*often, *once]})
    write(tmp_path / "train" / "german.jsonl.gz", {"lang": "de", "messages": [{"content": "Hafen Hafen"}] * 9})
    main(["--data", str(tmp_path), "--output", str(tmp_path / "words.json")])
    assert json.loads((tmp_path / "words.json").read_text(encoding="utf-8")) == {
        # neither the date, the name, the negation nor the identifier; a word in one of 4,003 messages is rare
        "common": "boat harbour it on quay the was",
        "frequent": "boat",
    }


def test_a_folder_without_training_texts_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"has no train/\*\.jsonl\.gz"):
        main(["--data", str(tmp_path)])
