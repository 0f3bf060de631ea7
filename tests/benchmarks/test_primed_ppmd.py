"""PPMd primed by training text."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks.primed_ppmd import kind_of, main, measure_groups, measure_primed, primers, training_text
from foxing.encoder import CodecError, load_codec
from foxing.renderer import DENSE_PAGE, Typesetter

pytest.importorskip("pyppmd", reason="PPMd needs the extra 'bench'")

SENTENCE = "The harbour master wants the new chart of the eastern mole before the tide turns"


def write(path: Path, *contents: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    document = {"id": path.stem, "lang": "en", "messages": [{"role": "user", "content": text} for text in contents]}
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps(document) + "\n")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path / "train" / "en_harbour.jsonl.gz", *(f"{number}: {SENTENCE}." for number in range(40)))
    write(tmp_path / "train" / "en_aider.jsonl.gz", "def main() -> None: ...")
    write(tmp_path / "eval" / "en_harbour.jsonl.gz", *(f"{SENTENCE}, says letter {number}" for number in range(9)))
    write(tmp_path / "eval" / "pl_tldr.jsonl.gz", "Zobacz listę plików.")
    return tmp_path


def test_a_file_is_primed_by_its_own_source_or_else_by_its_kind() -> None:
    paths = {
        name: Path(f"{name}.jsonl.gz")
        for name in ("ja_real_persona_chat", "en_tau_bench", "en_tau_retail", "en_aider", "en_sgd", "en_irc")
    }
    assert [kind_of(path) for path in paths.values()] == ["ja", "agent", "agent", "agent", "en", "en"]
    training = [path for name, path in paths.items() if name not in ("en_tau_retail", "en_sgd")]
    assert primers(paths["en_irc"], training) == [paths["en_irc"]]
    assert primers(paths["en_sgd"], training) == [paths["en_irc"]]
    assert primers(paths["en_tau_retail"], training) == [paths["en_tau_bench"], paths["en_aider"]]


def test_training_text_of_the_group_makes_its_pages_smaller(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data", str(data), "--json"])
    english, polish = json.loads(capsys.readouterr().out)["rows"]
    assert (english["language"], english["pages"]) == ("en_harbour", 1)
    assert 0 < english["primed_ppmd_bits_per_character"] < english["ppmd_bits_per_character"] / 2
    assert 40 * len(SENTENCE) < english["training_bytes"] < 80 * len(SENTENCE)
    assert (polish["training_bytes"], polish["primed_ppmd_bits_per_character"]) == (0, None)
    main(["--data", str(data)])
    assert "primed ppmd bits per character" in capsys.readouterr().out


def test_a_page_takes_what_it_adds_to_the_training_text() -> None:
    text = f"{SENTENCE}. " * 20
    row = measure_primed("en", [text, text], text.encode())
    assert row.primed_ppmd_bits_per_character is not None
    assert row.primed_ppmd_bits_per_character < row.ppmd_bits_per_character / 4
    assert (row.pages, row.characters, row.training_bytes) == (2, 2 * len(text), len(text))


def test_training_text_is_capped_and_taken_equally_from_each_file(data: Path) -> None:
    typesetter = Typesetter(DENSE_PAGE)
    files = [data / "train" / f"en_{name}.jsonl.gz" for name in ("harbour", "aider")]
    long, short = (training_text([file], typesetter, 10_000) for file in files)
    assert len(long) > 3_000 > len(short)
    assert training_text(files, typesetter, 2_000) == long[:1_000] + short
    assert training_text([write(data / "train" / "ko.jsonl.gz", "한" * 50)], typesetter, 100).decode()
    assert training_text([], typesetter, 100) == b""


def test_a_folder_without_held_out_text_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CodecError, match=r"has no eval/\*\.jsonl\.gz"):
        measure_groups(tmp_path, load_codec("native", "cpu"), 1)
    with pytest.raises(SystemExit, match="has no eval"):
        main(["--data", str(tmp_path)])
