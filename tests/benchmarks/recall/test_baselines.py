"""The systems that Foxing is compared with."""

from datetime import UTC, datetime

import pytest
from support.search_doubles import HashingEmbedder

from benchmarks.baselines.extensions import NotInstalled
from benchmarks.baselines.packages import PACKAGES
from benchmarks.baselines.system import Embeddings, Ranking
from benchmarks.evidence import BUDGET_TOKENS
from foxing.memory import NewMessage

MESSAGES = [
    NewMessage(id="parrot", role="user", name="Ada", content="I adopted a parrot.", created_at=datetime.now(UTC)),
    NewMessage(id="train", role="assistant", name="Ben", content="The train was late.", created_at=datetime.now(UTC)),
    NewMessage(id="again", role="assistant", name="Ben", content="The train was late.", created_at=datetime.now(UTC)),
    NewMessage(id="long", role="user", name="Ada", content="parrot " * BUDGET_TOKENS, created_at=datetime.now(UTC)),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", PACKAGES)
def test_a_system_finds_messages_within_the_budget(name: str) -> None:
    embedder = HashingEmbedder()
    try:
        system: Ranking = PACKAGES[name](embedder)
    except NotInstalled as error:
        pytest.skip(str(error))
    system.store([NewMessage(id="old", role="user", content="an old parrot", created_at=datetime.now(UTC))])
    system.store(MESSAGES)
    alone = Embeddings(embedder)
    alone.store(MESSAGES)
    for question in ("Which parrot was adopted?", "Was a train late?"):
        assert system.answer(question) == alone.answer(question)
    assert set(system.answer("train")) == {"train", "again", "parrot"}
    assert system.answer("train")["train"] == "The train was late."
    assert set(system.ranked("parrot")) == {"parrot", "train", "again", "long"}  # nothing of the conversation before
