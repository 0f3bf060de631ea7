"""The script that lists names that are often written in lower case."""

from pathlib import Path

import pytest

from training.lower_case_names import lower_case_names, main


def test_a_name_has_a_capital_now_and_then_and_is_no_common_word() -> None:
    casual = [
        *["we put debian on it and the cat saw"] * 40,
        *["we put Debian on it and the Cat saw"] * 30,
        *["ann: we saw ann there"] * 40,
        *["I saw Ann there"] * 30,
        *["WE PUT Tea ON IT"] * 9,
    ]
    common = ["so the cat saw the cat"] * 3
    assert lower_case_names(casual, common) == ["debian"]


def test_without_texts_it_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="error"):
        main(["--data", str(tmp_path)])
