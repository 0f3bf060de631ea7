"""The benchmark of excerpts."""

import gzip
import json
from pathlib import Path

from benchmarks.excerpts import measure, texts


def test_pieces_inside_sentences_are_counted(tmp_path: Path) -> None:
    sentence = "灯塔的钥匙放在二号抽屉里。"
    messages = [{"role": "user", "content": sentence.replace("二", str(n))} for n in range(40)]
    with gzip.open(tmp_path / "a.jsonl.gz", "wt") as file:
        file.write(json.dumps({"id": "a", "lang": "zh", "messages": messages}) + "\n")
    [text] = texts(tmp_path, "zh", 5)
    assert text.startswith("灯塔的钥匙放在0号")
    figures = measure(iter([text]))
    assert (figures["messages"], figures["inside"], figures["without a mark"]) == (1, 0, 0)
    assert figures["pieces"] >= 1
