"""Re-ranking: an endpoint that answers, stalls, answers nonsense or is down, and rerankers of other packages."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.plugins import InstallPlugin

from foxing.memory import ContextRequest, Memory, MemoryOptions, RerankerError
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.memory.index.model_source import PAUSE_S
from foxing.memory.recall.reranking.conformance import RERANKER_CHECKS, check_reranker
from foxing.memory.recall.reranking.endpoint import EndpointReranker
from foxing.memory.recall.reranking.reranker import Reranker
from foxing.memory.recall.reranking.source import MAX_WAITING, RERANKERS, RerankerSource, open_reranker

pytest.importorskip("httpx")

TIMEOUT_S = 60.0  # reached only by a test that fails
#: The word search prefers the first; the second answers the question.
SAID = {
    "question": "Busan trains leave. Trains leave to Busan. Trains to Busan leave when?",
    "answer": "Trains to Busan leave at noon, as far as somebody at the station could tell us yesterday.",
    "other": "Busan is by the sea.",
}


def shared_words(question: str, text: str) -> float:
    """A poor cross-encoder: words in common, and nothing for a text that asks itself."""
    return 0.0 if "?" in text else float(len(set(question.lower().split()) & set(text.lower().split())))


class OverlapReranker:
    """Scores in this process."""

    name = "overlap"

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        self.asked.append(list(texts))
        return [shared_words(question, text) for text in texts]


class Server:
    """Answers as vLLM does, unless it is told otherwise."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, Any], str | None]] = []
        self.status = 200
        #: what to answer instead
        self.answer: Callable[[list[float]], object] | None = None
        #: set to let go of stalled requests
        self.stalled: threading.Event | None = None
        #: whether a byte of an endless answer comes every now and then
        self.trickles = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, body, self.headers.get("Authorization")))
                if outer.stalled is not None and not outer.trickles:
                    outer.stalled.wait(TIMEOUT_S)
                scores = [shared_words(body["query"], text) for text in body["documents"]]
                data = json.dumps(outer.answer(scores) if outer.answer is not None else in_order(scores)).encode()
                self.close_connection = outer.trickles
                with suppress(ConnectionError):  # of a client that did not wait
                    self.send_response(outer.status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    while outer.trickles and outer.stalled is not None and not outer.stalled.wait(0.02):
                        self.wfile.write(b" ")
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


def in_order(scores: Sequence[float]) -> dict[str, Any]:
    rows = [{"index": n, "document": {"text": "…"}, "relevance_score": score} for n, score in enumerate(scores)]
    return {
        "id": "rerank-1",
        "model": "m",
        "results": sorted(rows, key=lambda row: -float(str(row["relevance_score"]))),
    }


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    thread = threading.Thread(target=started.http.serve_forever, args=(0.01,))
    thread.start()
    yield started
    if started.stalled is not None:
        started.stalled.set()
    started.http.shutdown()
    thread.join()
    started.http.server_close()


@pytest.fixture
def endpoint(server: Server) -> Iterator[EndpointReranker]:
    opened = EndpointReranker(EndpointOptions(server.url, "bge", "secret"))
    yield opened
    opened.close()


def remembering(path: Path, reranker: str | Reranker, **options: Any) -> Memory:
    memory = Memory(path, options=MemoryOptions(reranker=reranker, **{"reranker_timeout_s": TIMEOUT_S, **options}))
    for key, text in SAID.items():  # in threads of their own, so that none lends its score to another
        memory.store("ana", [{"id": key, "role": "user", "content": text}], thread=key)
    return memory


def ids(memory: Memory, **fields: Any) -> list[str]:
    return [span.message_id for span in memory.recall("ana", "When do trains to Busan leave?", **fields).spans]


@pytest.fixture
def served(server: Server, database_url: str) -> Iterator[Memory]:
    options = EndpointOptions(server.url, "bge")
    with remembering(database_url, "endpoint", reranker_endpoint=options) as memory:
        yield memory


BY_WORDS = ["question", "answer", "other"]
RERANKED = ["answer", "other", "question"]


def test_it_conforms(server: Server, endpoint: EndpointReranker) -> None:
    for check in RERANKER_CHECKS:
        check(endpoint)
    path, body, key = server.requests[0]
    assert path == "/v1/rerank"
    assert set(body) == {"model", "query", "documents"}
    assert (body["model"], key) == ("bge", "Bearer secret")
    assert endpoint.name == "endpoint:bge"
    assert "secret" not in repr(EndpointOptions(api_key="secret"))


def test_a_whole_address_is_used_as_it_is(server: Server) -> None:
    reranker = EndpointReranker(EndpointOptions(f"{server.url}/rerank/", "bge"))
    assert reranker.scores("a b", ["a", "c"]) == [1, 0]
    assert server.requests[0][0] == "/v1/rerank"
    reranker.close()


@pytest.mark.parametrize(
    "answer",
    [
        lambda scores: {"data": [{"index": n, "relevance_score": s} for n, s in enumerate(scores)]},
        lambda scores: {"results": [{"index": n, "score": s} for n, s in enumerate(scores)][::-1]},
    ],
)
def test_other_servers_name_scores_otherwise(server: Server, endpoint: EndpointReranker, answer: Any) -> None:
    server.answer = answer
    assert endpoint.scores("a b", ["b", "c", "a b"]) == [1, 0, 2]


NONSENSE: list[tuple[int, Callable[[list[float]], object]]] = [
    (500, lambda _: {"error": "out of memory"}),
    (200, lambda _: {"results": []}),
    (200, lambda _: ["results"]),
    (200, lambda _: {"results": None}),
    (200, lambda scores: {"results": [{"index": 0, "relevance_score": 1.0}] * len(scores)}),
    (200, lambda scores: {"results": [{"index": n, "relevance_score": "high"} for n in range(len(scores))]}),
    (200, lambda scores: {"results": [{"index": n, "relevance_score": float("nan")} for n in range(len(scores))]}),
    (200, lambda scores: {"results": [{"index": n + 1, "relevance_score": 1.0} for n in range(len(scores))]}),
    (200, lambda scores: {"results": [{"index": n, "relevance_score": 1.0} for n in range(len(scores) - 1)]}),
    (200, lambda _: {"results": "x" * (1 << 20)}),
]


@pytest.mark.parametrize(("status", "answer"), NONSENSE)
def test_nonsense_is_noticed(server: Server, served: Memory, status: int, answer: Any) -> None:
    server.status, server.answer = status, answer
    result = served.recall("ana", "When do trains to Busan leave?")
    assert [span.message_id for span in result.spans] == BY_WORDS
    (note,) = result.notes
    assert "not reranked: the reranker 'endpoint:bge' does not answer" in note


def test_matches_are_put_in_a_better_order(server: Server, served: Memory) -> None:
    assert ids(served) == RERANKED
    said = server.requests[0][1]["documents"]
    assert len(said) == 3
    assert all(re.match(r"\d+ \w+ 20\d\d\nuser: ", text) for text in said)
    assert ids(served, limit=1) == ["answer"]
    assert served.recall("ana", "When do trains to Busan leave?").notes == []
    assert ids(served, since="yesterday")[0] == "answer"
    answer = served.context("ana", ContextRequest(reader="text", budget=400, query="When do trains to Busan leave?"))
    assert answer.notes == []


def test_windows_are_not_reranked(server: Server, served: Memory) -> None:
    assert [span.message_id for span in served.recall("ana", since="yesterday").spans] == list(SAID)
    assert server.requests == []


def test_every_match_comes_once_whatever_the_order(served: Memory) -> None:
    found: list[str] = []
    cursor = None
    while True:
        result = served.recall("ana", "When do trains to Busan leave?", limit=1, cursor=cursor)
        found += [span.message_id for span in result.spans]
        cursor = result.next_cursor
        if cursor is None:
            break
    assert found == RERANKED


def test_neighbours_come_with_the_matches_that_are_left(database_url: str) -> None:
    options = MemoryOptions(reranker=OverlapReranker(), reranker_timeout_s=TIMEOUT_S)
    with Memory(database_url, options=options) as memory:
        memory.store("ana", [{"id": key, "role": "user", "content": text} for key, text in SAID.items()])
        spans = memory.recall("ana", "When do trains to Busan leave?", limit=1, neighbours=1).spans
        assert [(span.message_id, span.neighbour_of) for span in spans] == [
            ("answer", None),
            ("question", "answer"),
            ("other", "answer"),
        ]


@pytest.mark.parametrize("trickles", [False, True])
def test_recall_waits_no_longer_than_the_timeout(server: Server, database_url: str, trickles: bool) -> None:
    server.stalled, server.trickles = threading.Event(), trickles
    options = EndpointOptions(server.url, "bge")
    with remembering(database_url, "endpoint", reranker_endpoint=options, reranker_timeout_s=0.3) as memory:
        for _ in range(2):
            result = memory.recall("ana", "When do trains to Busan leave?")
            assert [span.message_id for span in result.spans] == BY_WORDS
            assert result.notes == ["not reranked: the reranker 'endpoint:bge' took longer than 0.3 s"]
    assert len(server.requests) == 1  # it is left alone after that


def test_a_server_that_is_down_costs_only_a_note(database_url: str) -> None:
    options = EndpointOptions("http://127.0.0.1:9/v1", "bge")
    with remembering(database_url, "endpoint", reranker_endpoint=options) as memory:
        result = memory.recall("ana", "When do trains to Busan leave?")
        assert [span.message_id for span in result.spans] == BY_WORDS
        assert "does not answer" in result.notes[0]


def test_after_a_pause_it_is_asked_again(server: Server) -> None:
    now = [0.0]
    options = EndpointOptions(server.url, "bge")
    source = RerankerSource("endpoint", options, TIMEOUT_S, clock=lambda: now[0])
    server.status = 500
    assert source.order("a", ["b", "a"]).note is not None
    server.status = 200
    assert list(source.order("a", ["b", "a"]).numbers) == [0, 1]
    now[0] += PAUSE_S
    assert (list(source.order("a", ["b", "a"]).numbers), source.order("a", ["b"]).note) == ([1, 0], None)
    assert len(server.requests) == 3
    source.close()


def test_few_questions_wait_at_once() -> None:
    going = threading.Event()

    class Slow:
        name = "slow"

        def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            going.wait(TIMEOUT_S)
            return [0.0] * len(texts)

    source = RerankerSource(Slow(), timeout_s=TIMEOUT_S)
    threads = [threading.Thread(target=source.order, args=("a", ["b"])) for _ in range(MAX_WAITING)]
    for thread in threads:
        thread.start()
    while not _all_wait():
        assert any(thread.is_alive() for thread in threads)
    note = source.order("a", ["b"]).note
    assert note == f"not reranked: the reranker 'slow' already has {MAX_WAITING} calls in progress"
    going.set()
    for thread in threads:
        thread.join()


def _all_wait() -> bool:
    return sum(thread.name == "foxing-reranker" for thread in threading.enumerate()) >= MAX_WAITING


class Failing:
    """A reranker with a fault."""

    name = "failing"

    def __init__(self, fault: Callable[[int], list[float]]) -> None:
        self.fault = fault

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        return self.fault(len(texts))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda count: [1 / 0] * count, "failed (ZeroDivisionError"),
        (lambda count: [0.0] * (count + 1), "one finite score"),
        (lambda count: [float("inf")] * count, "one finite score"),
    ],
)
def test_a_reranker_of_others_may_fail(database_url: str, fault: Any, reason: str) -> None:
    with remembering(database_url, Failing(fault)) as memory:
        result = memory.recall("ana", "When do trains to Busan leave?")
        assert [span.message_id for span in result.spans] == BY_WORDS
        assert reason in result.notes[0]


def test_a_reranker_that_does_not_conform_is_noticed() -> None:
    check_reranker(OverlapReranker())
    with pytest.raises(AssertionError, match="scores higher than the answer"):
        check_reranker(Failing(lambda count: [0.0] * count))


def test_by_default_nothing_is_reranked(database_url: str) -> None:
    with remembering(database_url, "none") as memory:
        assert ids(memory) == BY_WORDS


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (EndpointOptions(), "address"),
        (EndpointOptions("localhost:8000/v1", "m"), "address"),
        (EndpointOptions("http://localhost:8000/v1"), "name of a model"),
    ],
)
def test_options_are_checked(database_url: str, options: EndpointOptions, reason: str) -> None:
    with pytest.raises(RerankerError, match=reason):
        Memory(database_url, options=MemoryOptions(reranker="endpoint", reranker_endpoint=options))


def test_a_package_adds_a_reranker(install_plugin: InstallPlugin, database_url: str) -> None:
    install_plugin(RERANKERS, "overlap", OverlapReranker)
    assert RERANKERS.choices() == ["endpoint", "none", "overlap"]
    with remembering(database_url, "overlap") as memory:
        assert ids(memory) == RERANKED
    install_plugin(RERANKERS, "mute", object)
    for name, reason in {"longest": "choose one of endpoint, mute, none, overlap", "mute": "lacks methods"}.items():
        with pytest.raises(RerankerError, match=reason):
            open_reranker(name, EndpointOptions())
    with pytest.raises(RerankerError, match="unknown reranker 'longest'"):
        Memory(database_url, options=MemoryOptions(reranker="longest"))
    with remembering(database_url, "mute") as memory:
        assert "lacks methods" in memory.recall("ana", "When do trains to Busan leave?").notes[0]


def test_messages_erased_while_a_reranker_works_are_left_out(database_url: str) -> None:
    class Erasing(OverlapReranker):
        def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            if not self.asked:
                memory.erase_message("ana", "question")
            return super().scores(question, texts)

    options = MemoryOptions(reranker=Erasing(), reranker_timeout_s=TIMEOUT_S)
    with Memory(database_url, options=options) as memory:
        memory.store("ana", [{"id": key, "role": "user", "content": text} for key, text in SAID.items()])
        memory.seal("ana")
        found = memory.recall("ana", "When do trains to Busan leave?", neighbours=1)
        assert ({span.message_id for span in found.spans}, found.notes) == ({"answer", "other"}, [])
