"""What holds for all tests of codecs that use a memory: their conversations lie in the past, and what words find is no
matter of theirs."""

import pytest


@pytest.fixture(autouse=True)
def _past_conversations(message_ages: None, words_alone: None) -> None:
    """Pages age from when their messages were said, and nothing is embedded."""
