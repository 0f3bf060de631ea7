import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import pytest

from foxing.encoder import text_tokens
from foxing.encoder.text_tokens import count_prompt_tokens, count_text_tokens, cut_to_tokens

MILLION = 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "character", [" ", "\u3000", *(pytest.param(character, marks=pytest.mark.slow) for character in "\n\t")]
)
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


#: Kind → text, and its tokens in OpenAI's o200k_base.
SAMPLES = {
    "prose": (
        "The release of the payment service moves to Thursday, since the audit found two open questions about refunds. "
        "Please ask Maria for the final list before you change anything in the configuration. ",
        36,
    ),
    "code": (
        "def merge(left: list[int], right: list[int]) -> list[int]:\n"
        '    """Returns both lists in order."""\n'
        "    merged, at = [], 0\n"
        "    for value in left:\n"
        "        while at < len(right) and right[at] < value:\n"
        "            merged.append(right[at])\n"
        "            at += 1\n"
        "        merged.append(value)\n"
        "    return merged + right[at:]\n",
        80,
    ),
    "digits": ("\n".join(f"{n * 7919 % 1000003} {n * 104729 % 9973}" for n in range(60)), 328),
    "log": (
        "\n".join(
            f"2026-12-01T10:{n:02}:{n * 7 % 60:02}.{n * 37 % 1000:03}Z INFO worker-{n % 7} took {n * 131 % 5000} ms, "
            "status=200"
            for n in range(40)
        ),
        1150,
    ),
    "ja": (
        "監査で返金の手続きに二つの問題が見つかったため、公開を来週の木曜日に延期することにしました。設定を変える前に、"
        "最終的な一覧をマリアさんに確認してください。",
        54,
    ),
}


@pytest.mark.parametrize("kind", SAMPLES)
def test_tokens_of_a_prompt_are_those_of_the_models_of_providers(kind: str) -> None:
    text, tokens = SAMPLES[kind]
    assert count_prompt_tokens(text) == pytest.approx(tokens, rel=0.05)


def test_a_prompt_without_words_has_no_tokens() -> None:
    assert count_prompt_tokens("") == 0
    assert count_prompt_tokens("7") == 1


class WatchedLock:
    """A lock that counts those who have come to it."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self.entered.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_threads_load_the_vocabulary_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    load = text_tokens._loaded.__wrapped__
    here = threading.Barrier(4)
    loading = WatchedLock()

    @lru_cache(maxsize=1)
    def watched() -> object:
        loads.append(threading.current_thread().name)
        for _ in range(4):  # the others have come
            assert loading.entered.acquire(timeout=60)
        return load()

    def count(text: str) -> int:
        here.wait()
        return count_text_tokens(text)

    monkeypatch.setattr(text_tokens, "_loaded", watched)
    monkeypatch.setattr(text_tokens, "_loading", loading)
    with ThreadPoolExecutor(4) as pool:
        assert min(pool.map(count, ["apples", "pears", "plums", "grapes"])) > 0
    assert len(loads) == 1


@pytest.mark.slow
def test_the_counts_of_long_texts_are_not_kept() -> None:
    count_text_tokens("loads the vocabulary")
    tracemalloc.start()
    for number in range(20):
        count_text_tokens(f"{number} " + "a long text " * 8_000)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1_000_000
