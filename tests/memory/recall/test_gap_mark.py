"""What stands where something has faded, as a query asks for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faded import BANK, make_faded_bank

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import InvalidInput, Memory

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone", "message_ages")


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    path: Path = tmp_path_factory.mktemp("faded") / "bank.db"
    make_faded_bank(path)
    with Memory(path) as opened:
        yield opened


@pytest.mark.parametrize("mark", [" … ", "[faded]", "_"])
def test_another_mark_stands_in_the_same_places(memory: Memory, mark: str) -> None:
    usual = memory.recall(BANK, limit=200).spans
    asked = memory.recall(BANK, limit=200, gap_mark=mark).spans
    assert sum(len(span.gaps) for span in usual) > 50
    for before, after in zip(usual, asked, strict=True):
        assert all(after.text.startswith(mark, gap) for gap in after.gaps)
        assert len(after.gaps) == len(before.gaps)
        pieces = [
            after.text[a:b] for a, b in zip([0, *(g + len(mark) for g in after.gaps)], [*after.gaps, None], strict=True)
        ]
        assert "⋯".join(pieces) == before.text
        said = [before.text[start:stop] for start, stop, _ in before.uncertain]
        assert [after.text[start:stop] for start, stop, _ in after.uncertain] == said
        assert (after.kept, after.confidence) == (before.kept, before.confidence)


def test_the_budget_counts_the_mark_and_never_cuts_it(memory: Memory) -> None:
    mark = "[faded]"
    longest = max(memory.recall(BANK, limit=200).spans, key=lambda span: len(span.gaps))
    for max_tokens in range(3, 60):
        answer = memory.recall(BANK, thread=longest.thread, max_tokens=max_tokens, gap_mark=mark)
        for span in answer.spans:
            assert span.text.count("[") == span.text.count(mark) == len(span.gaps)
        assert answer.text_tokens <= max_tokens
        assert sum(count_text_tokens(span.text) for span in answer.spans) <= max_tokens


def test_a_mark_is_short_and_for_text(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="gap_mark"):
        memory.recall(BANK, gap_mark="")
    with pytest.raises(InvalidInput, match="gap_mark"):
        memory.recall(BANK, gap_mark="x" * 21)
    with pytest.raises(InvalidInput, match="gap_mark"):
        memory.recall_images(BANK, gap_mark="_")  # type: ignore[call-arg]
