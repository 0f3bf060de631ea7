"""The script that counts frequent words."""

import json
from pathlib import Path

import pytest

from training.frequent_words import count_words, main


def write_texts(folder: Path) -> Path:
    said = ["we saw a film", "a film with Ann", "Ann: a film", "no 5"]
    messages = [{"content": text, "name": "Ann"} for text in said]
    path = folder / "train" / "texts.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"id": "1", "lang": "en", "messages": messages}) + "\n", encoding="utf-8")
    return path


def test_words_are_listed_by_how_many_messages_hold_them(tmp_path: Path) -> None:
    english = count_words([write_texts(tmp_path)])["en"]
    assert english.messages == 4
    assert english.lines() == ["", "a film"], "in three of four messages; names and rarer words are left out"


def test_without_texts_it_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="give the folder"):
        main(["--data", str(tmp_path)])
