"""An index that recognises: messages are found by rare words that have faded, and their text shows gaps."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.databases import count_embeddings
from support.faded_codec import FadedCodec
from support.search_doubles import HashingEmbedder, indexed_terms

from foxing.memory import Memory, MemoryOptions
from foxing.memory.index.codes import to_codes
from foxing.memory.index.postings import term_hash
from foxing.memory.storage.database import Database
from foxing.memory.storage.secrets import digest_key
from foxing.memory.text.terms import terms

NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING_LEFT = "We repainted the veranda in turquoise."
RULES = {"keep_text": "until:large"}
COMMON = 20  # messages that contain “kitchen”, one more than a rare word may have, with the message about the garden
#: id → text, and the part of it that has faded
TALK = {
    "garden": ("The hydrangea stands beside the kitchen window.", "hydrangea stands beside the kitchen"),
    "veranda": (NOTHING_LEFT, NOTHING_LEFT),
    "plan": ("Margit brings the lanterns on Friday.", None),
    **{f"k{n}": (f"Kitchen tap {n} drips.", None) for n in range(COMMON)},
}


@pytest.fixture
def memory(database_url: str, words_alone: None) -> Iterator[Memory]:
    with sealed(database_url) as opened:
        yield opened


def codec_of_gaps() -> FadedCodec:
    return FadedCodec(*(faded for _, faded in TALK.values() if faded is not None))


def sealed(
    database_url: str,
    *,
    index: str = "recognise",
    embedder: HashingEmbedder | None = None,
    codec: FadedCodec | None = None,
) -> Memory:
    """A bank without exact text, of which the codec reads gaps."""
    codec = codec or codec_of_gaps()
    options = MemoryOptions(embedder=embedder or "none")
    memory = Memory(database_url, codec=codec, clock=lambda: NOW, options=options)
    memory.set_policy("ana", {**RULES, "index": index})
    memory.store(
        "ana",
        [
            {"id": key, "role": "user", "content": text, "created_at": NOW - DAY + n * timedelta(minutes=1)}
            for n, (key, (text, _)) in enumerate(TALK.items())
        ],
    )
    memory.seal("ana")
    return memory


def found(memory: Memory, query: str) -> dict[str, bool]:
    """Message id → whether a faded word found it."""
    return {span.message_id: span.matched_faded for span in memory.recall("ana", query, limit=100).spans}


@pytest.mark.both_databases
def test_a_rare_word_that_has_faded_finds_its_message(memory: Memory) -> None:
    [span] = memory.recall("ana", "hydrangea").spans[:1]
    assert (span.message_id, span.matched_faded) == ("garden", True)
    assert span.text == "The … window."
    assert found(memory, "window")["garden"] is False
    assert found(memory, "window hydrangea")["garden"] is True
    assert found(memory, "lanterns")["plan"] is False


def test_a_frequent_word_that_has_faded_leaves_the_index(memory: Memory) -> None:
    hits = {span.message_id for span in memory.recall("ana", "kitchen", limit=100).spans if span.score}
    assert {f"k{n}" for n in range(COMMON)} <= hits
    assert "kitchen" not in indexed_terms_of(memory)["garden"]
    assert "hydrangea" in indexed_terms_of(memory)["garden"]


def indexed_terms_of(memory: Memory) -> dict[str, set[str]]:
    return indexed_terms(memory.operations.database_url, {term for text, _ in TALK.values() for term in terms(text)})


def test_a_message_with_nothing_left_is_found_and_shows_a_gap(memory: Memory) -> None:
    [span] = memory.recall("ana", "turquoise").spans[:1]
    assert (span.message_id, span.text, span.gaps, span.kept, span.matched_faded) == ("veranda", " … ", [0], 0, True)


def test_a_neighbour_and_a_window_match_no_word(memory: Memory) -> None:
    spans = memory.recall("ana", "lanterns", neighbours=1, limit=1).spans
    assert {span.message_id: span.matched_faded for span in spans} == {"plan": False, "veranda": False, "k0": False}
    assert not any(span.matched_faded for span in memory.recall("ana", limit=100).spans)


def test_the_policy_can_let_faded_words_leave(database_url: str, words_alone: None) -> None:
    with sealed(database_url, index="faded") as memory:
        assert "veranda" not in found(memory, "turquoise")
        assert not any(found(memory, "hydrangea turquoise window").values())


def test_reindexing_keeps_what_the_index_recognises(memory: Memory) -> None:
    before = indexed_terms_of(memory)
    memory.operations.reindex("ana", words=True)
    assert indexed_terms_of(memory) == before
    memory.set_policy("ana", {**RULES, "index": "faded"})
    memory.operations.reindex("ana", words=True)
    assert not {"hydrangea", "turquois"} & set().union(*indexed_terms_of(memory).values())


def test_nothing_is_left_of_an_erased_message(database_path: Path) -> None:
    embedder, codec = HashingEmbedder(), codec_of_gaps()
    with sealed(str(database_path), embedder=embedder, codec=codec) as memory:
        codec.faded = ()  # both messages go
        for key in ("veranda", "garden"):
            report = memory.erase_message("ana", key)
        assert report.log_erased
        assert found(memory, "hydrangea turquoise veranda").keys().isdisjoint({"veranda", "garden"})
    erased = {*terms(TALK["garden"][0]), *terms(NOTHING_LEFT)}
    left = {term for text, _ in TALK.values() for term in terms(text)} - erased
    assert not set().union(*indexed_terms(database_path, erased | left).values()) & (erased - {"kitchen"})
    with closing(Database(database_path)) as database, database.read() as connection:
        hashes = [term_hash(term, digest_key(connection)).to_bytes(8, "little") for term in erased - {"kitchen"}]
    raw = database_path.read_bytes()
    vectors = embedder.embed_documents([TALK["garden"][0], NOTHING_LEFT])
    codes = [bytes(row) for row in to_codes(vectors)]
    assert count_embeddings(f"sqlite:///{database_path}") == len(TALK) - 2
    assert not [part for part in (*codes, *hashes) if part in raw]
