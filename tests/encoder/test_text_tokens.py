import pytest

from foxing.encoder.text_tokens import count_text_tokens, cut_to_tokens

MILLION = 1_000_000


@pytest.mark.parametrize("character", [" ", "\n", "\t", "\u3000"])
def test_a_million_blanks_are_counted_and_cut(character: str) -> None:
    text = character * MILLION
    tokens = count_text_tokens(text)
    assert 0 < tokens <= MILLION
    assert cut_to_tokens(text, tokens) == text
    assert count_text_tokens(cut_to_tokens(text, 100)) == 100


def test_the_beginning_of_a_text_is_as_long_as_its_tokens_allow() -> None:
    text = "We ship Titan on 14 March. " * 20
    tokens = count_text_tokens(text)
    assert cut_to_tokens(text, tokens) == text
    shorter = cut_to_tokens(text, tokens - 3)
    assert text.startswith(shorter)
    assert count_text_tokens(shorter) <= tokens - 3 < count_text_tokens(text[: len(shorter) + 8])
    assert cut_to_tokens(text, 0) == ""
