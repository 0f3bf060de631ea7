"""What stands where something has faded, as a query asks for it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from support.faded import BANK, make_faded_bank

from foxing.encoder.text_tokens import count_text_tokens
from foxing.memory import InvalidInput, Memory, MemoryOptions
from foxing.memory.values.context import ContextRequest

pytestmark = pytest.mark.usefixtures("no_decoding_in_transactions", "words_alone", "message_ages")


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Memory]:
    path: Path = tmp_path_factory.mktemp("faded") / "bank.db"
    make_faded_bank(path)
    with Memory(path) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("mark", [" … ", "[faded]", "_"])
def test_another_mark_stands_in_the_same_places(memory: Memory, mark: str) -> None:
    usual = memory.recall(BANK, limit=200, gap_mark="⋯").spans
    asked = memory.recall(BANK, limit=200, gap_mark=mark).spans
    assert sum(len(span.gaps) for span in usual) > 50
    for before, after in zip(usual, asked, strict=True):
        assert all(after.text.startswith(mark, gap) for gap in after.gaps)
        assert len(after.gaps) == len(before.gaps)
        pieces = [
            after.text[a:b] for a, b in zip([0, *(g + len(mark) for g in after.gaps)], [*after.gaps, None], strict=True)
        ]
        assert unspaced("⋯".join(pieces)) == unspaced(before.text)
        assert mark != "_" or "⋯".join(pieces) == before.text
        said = [before.text[start:stop] for start, stop, _ in before.uncertain]
        assert [after.text[start:stop] for start, stop, _ in after.uncertain] == said
        assert (after.kept, after.confidence) == (before.kept, before.confidence)


def unspaced(text: str) -> str:
    """Without the blanks beside gaps, which a mark may have itself."""
    return re.sub(" *⋯ *", "⋯", text)


@pytest.mark.slow
def test_the_default_is_one_token_and_a_setting_chooses_another(memory: Memory, database_path: Path) -> None:
    marked = next(span for span in memory.recall(BANK, limit=200).spans if len(span.gaps) > 1)
    assert all(marked.text.startswith(" … ", gap) for gap in marked.gaps)
    assert "⋯" not in marked.text
    assert "  " not in marked.text
    assert count_text_tokens("left … months") == count_text_tokens("left months") + 1
    assert memory.message(BANK, marked.message_id).text == marked.text
    with Memory(memory.operations.database_url, options=MemoryOptions(gap_mark="[faded]")) as other:
        shown = other.message(BANK, marked.message_id)
        assert shown.text.count("[faded]") == len(shown.gaps) == len(marked.gaps)
        assert "[faded]" in other.recall(BANK, limit=200).rendered
        request = ContextRequest(reader="text", budget=1_200, query=shown.text)
        assert "[faded] is what has faded" in str(other.context(BANK, request).content)


def test_gaps_are_marked_once_where_a_message_follows_another(memory: Memory) -> None:
    result = memory.recall(BANK, limit=500)
    assert "…" in result.rendered
    assert result.text_tokens == count_text_tokens(result.rendered)
    lines = result.rendered.splitlines()
    assert not [line for line in lines if "… …" in line]
    assert not [1 for before, after in pairwise(lines) if before.endswith(" …") and after.startswith("…")]


def test_the_budget_counts_the_mark_and_never_cuts_it(memory: Memory) -> None:
    mark = "[faded]"
    longest = max(memory.recall(BANK, limit=200).spans, key=lambda span: len(span.gaps))
    for max_tokens in range(3, 60):
        answer = memory.recall(BANK, thread=longest.thread, max_tokens=max_tokens, gap_mark=mark)
        for span in answer.spans:
            assert span.text.count("[") == span.text.count(mark) == len(span.gaps)
        assert answer.text_tokens <= max_tokens
        assert answer.text_tokens == count_text_tokens(answer.rendered)
        assert all(span.text.strip() in answer.rendered for span in answer.spans[:1])


def test_a_mark_is_short_and_for_text(memory: Memory) -> None:
    with pytest.raises(InvalidInput, match="gap_mark"):
        memory.recall(BANK, gap_mark="")
    with pytest.raises(InvalidInput, match="gap_mark"):
        memory.recall(BANK, gap_mark="x" * 21)
    with pytest.raises(InvalidInput, match="gap_mark"):
        memory.recall_images(BANK, gap_mark="_")  # type: ignore[call-arg]
