"""The embedder behind an OpenAI-compatible endpoint, against a server that answers on this machine."""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from support.search_doubles import HashingEmbedder

from foxing.memory import EmbedderError, Memory, MemoryOptions
from foxing.memory.index.embedding_endpoint import EndpointEmbedder
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.memory.recall.conformance import EMBEDDER_CHECKS

pytest.importorskip("httpx")

TIMEOUT_S = 60.0  # reached only by a test that fails


class Server:
    """Embeds with `HashingEmbedder`, unless it is told otherwise."""

    def __init__(self) -> None:
        #: bodies and keys of the requests
        self.requests: list[tuple[dict[str, Any], str | None]] = []
        #: what to answer instead
        self.status = 200
        self.answer: object = None
        #: set to let go of stalled requests
        self.stalled: threading.Event | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((body, self.headers.get("Authorization")))
                if outer.stalled is not None:
                    outer.stalled.wait(TIMEOUT_S)
                answer = outer.answer if outer.answer is not None else outer.embedded(body["input"])
                data = json.dumps(answer).encode()
                with suppress(ConnectionError):  # of a client that did not wait
                    self.send_response(outer.status)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"

    def embedded(self, texts: list[str]) -> object:
        rows = HashingEmbedder().embed_documents(texts) * 3  # not of length 1
        data = [{"index": number, "embedding": row.tolist()} for number, row in enumerate(rows)]
        return {"data": data[::-1]}


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


def embedder(server: Server, **options: Any) -> EndpointEmbedder:
    return EndpointEmbedder(EndpointOptions(server.url, "small-3", timeout_s=TIMEOUT_S, **options))


@pytest.fixture
def closed(server: Server) -> Iterator[EndpointEmbedder]:
    opened = embedder(server, api_key="secret")
    yield opened
    opened.close()


def test_it_conforms(server: Server, closed: EndpointEmbedder) -> None:
    closed.embed_documents(["the number of dimensions"])
    for check in EMBEDDER_CHECKS:
        check(closed)
    assert (closed.name, closed.dimensions) == ("openai:small-3", 256)
    body, key = server.requests[0]
    assert body == {"model": "small-3", "input": ["the number of dimensions"]}
    assert key == "Bearer secret"
    assert "secret" not in repr(EndpointOptions(api_key="secret"))


def test_many_texts_take_several_requests(server: Server, closed: EndpointEmbedder) -> None:
    texts = [f"text {number}" for number in range(150)]
    vectors = closed.embed_documents(texts)
    assert vectors.shape == (150, 256)
    assert [len(body["input"]) for body, _ in server.requests] == [64, 64, 22]
    assert vectors[149] == pytest.approx(HashingEmbedder().embed_documents(texts[149:])[0], abs=1e-5)


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (500, {"error": "out of memory"}),
        (200, {"data": []}),
        (200, {"data": [{"index": 0, "embedding": []}]}),
        (200, {"data": [{"index": 0, "embedding": [1.0, None]}]}),
        (200, {"data": [{"index": 0, "embedding": [float("inf"), 1.0]}]}),
        (200, {"vectors": 1}),
        (200, ["data"]),
    ],
)
def test_what_it_answers_is_checked(server: Server, closed: EndpointEmbedder, status: int, answer: object) -> None:
    server.status, server.answer = status, answer
    with pytest.raises(EmbedderError, match="openai:small-3"):
        closed.embed_queries(["a question"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (EndpointOptions(), "address"),
        (EndpointOptions("localhost:8000/v1", "m"), "address"),
        (EndpointOptions("http://localhost:8000/v1"), "name of a model"),
    ],
)
def test_options_are_checked(options: EndpointOptions, reason: str) -> None:
    with pytest.raises(EmbedderError, match=reason):
        EndpointEmbedder(options)


def test_recall_goes_on_without_a_server_that_stalls(server: Server, database_url: str) -> None:
    endpoint = EndpointOptions(server.url, "small-3", timeout_s=TIMEOUT_S)
    with Memory(database_url, options=MemoryOptions(embedder="openai", embedder_endpoint=endpoint)) as memory:
        memory.store("ana", [{"id": "bread", "role": "user", "content": "My sourdough rose."}])
        assert server.requests == []  # storing waits for no server
        assert memory.tick().failed_banks == {}
        assert memory.recall("ana", "sourdoughs").spans[0].message_id == "bread"
    server.stalled = threading.Event()
    impatient = replace(endpoint, timeout_s=0.2)
    with Memory(database_url, options=MemoryOptions(embedder="openai", embedder_endpoint=impatient)) as memory:
        for _ in range(2):
            answer = memory.recall("ana", "sourdough")
            assert [span.message_id for span in answer.spans] == ["bread"]
            assert "took longer than 0.2 s" in answer.notes[0]
    assert len(server.requests) == 4  # the dimensions, the message, a question, and a stalled one


def test_a_server_whose_dimension_changed_is_noticed(server: Server, database_url: str) -> None:
    endpoint = EndpointOptions(server.url, "small-3", timeout_s=TIMEOUT_S)
    options = MemoryOptions(embedder="openai", embedder_endpoint=endpoint)
    with Memory(database_url, options=options) as memory:
        memory.store("ana", [{"id": "bread", "role": "user", "content": "My sourdough rose."}])
        memory.tick()
        server.answer = {"data": [{"index": 0, "embedding": [0.6, 0.8, 0.0]}]}
        answer = memory.recall("ana", "sourdough")
        assert [span.message_id for span in answer.spans] == ["bread"]
        assert "with 3 dimensions; run foxing reindex" in answer.notes[0]
    with Memory(database_url, options=options) as memory:
        assert memory.operations.reindex("ana").embedded == 1
        assert memory.recall("ana", "sourdough").notes == []
