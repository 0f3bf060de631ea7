"""The benchmark beside other stores: the server over a store, and the systems that it opens."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from support.search_doubles import HashingEmbedder

from benchmarks.baselines.extensions import NotInstalled
from benchmarks.stores.server import application
from benchmarks.stores.systems import SYSTEMS

MESSAGES = ("The heron waits by the weir.", "Bread rises overnight.")


class Listed:
    """A store that finds the messages with a word of the question."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, text: str) -> None:
        self.texts.append(text)

    def search(self, question: str) -> list[str]:
        return [text for text in self.texts if set(question.split()) & set(text.split())]


def test_a_store_is_served_with_the_paths_of_foxing() -> None:
    client = TestClient(application(Listed()))
    for text in MESSAGES:
        answer = client.post("/v1/banks/b/messages", json={"messages": [{"role": "user", "content": text}]})
        assert answer.status_code == 201
    found = client.post("/v1/banks/b/recall", json={"query": "Bread ?"}).json()
    assert found == {"spans": [{"text": MESSAGES[1]}]}


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_finds_what_it_stores(tmp_path: Path, name: str) -> None:
    try:
        store = SYSTEMS[name](tmp_path, HashingEmbedder())
    except NotInstalled as error:
        pytest.skip(str(error))
    for text in MESSAGES:
        store.add(text)
    assert store.search("heron weir")[0] == MESSAGES[0]
