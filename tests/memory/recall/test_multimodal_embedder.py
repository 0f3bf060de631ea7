"""The embedder of texts and images, against a server on this machine that speaks Jina AI's format."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.images import encoded
from support.search_doubles import HashingEmbedder

from foxing.memory import EmbedderError, Memory, MemoryOptions
from foxing.memory.index.embedding_endpoint import MultimodalEmbedder
from foxing.memory.index.model_endpoint import EndpointOptions
from foxing.memory.recall.conformance import EMBEDDER_CHECKS

pytest.importorskip("httpx")

COLOURS = ("red", "green", "blue")
TIMEOUT_S = 60.0  # reached only by a test that fails


class Server:
    """Embeds a text by its letters, and an image by the word for its strongest colour."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, str]] = []
        #: status of requests with an image that is not square
        self.status_of_oblong = 400
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.inputs += body["input"]
                words = [outer.words(each) for each in body["input"]]
                refused = None in words or self.path != "/v1/embeddings"
                rows = [] if refused else HashingEmbedder().embed_documents([str(word) for word in words])
                data = [{"index": number, "embedding": row.tolist()} for number, row in enumerate(rows)]
                content = json.dumps({"model": body["model"], "object": "list", "data": data}).encode()
                self.send_response(outer.status_of_oblong if refused else 200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.options = EndpointOptions(f"http://127.0.0.1:{self.http.server_address[1]}/v1", "clip", None, TIMEOUT_S)

    def words(self, given: dict[str, str]) -> str | None:
        """The words that an input is embedded as; None for an image that is refused."""
        [(kind, value)] = given.items()
        if kind == "text":
            return value
        assert kind == "image"
        image = Image.open(io.BytesIO(base64.b64decode(value, validate=True)))
        assert image.format == "JPEG"
        strongest = COLOURS[int(np.asarray(image.convert("RGB")).mean(axis=(0, 1)).argmax())]
        return f"something {strongest}" if image.width == image.height else None


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    thread = threading.Thread(target=started.http.serve_forever, args=(0.01,))
    thread.start()
    yield started
    started.http.shutdown()
    thread.join()
    started.http.server_close()


@pytest.fixture
def memory(server: Server, tmp_path: Any) -> Iterator[Memory]:
    options = MemoryOptions(embedder="multimodal", embedder_endpoint=server.options, read_images=False)
    with Memory(tmp_path / "foxing.db", options=options) as opened:
        yield opened


def shown(key: str, colour: str, size: tuple[int, int] = (90, 90), mode: str = "RGB") -> dict[str, Any]:
    data = base64.b64encode(encoded("PNG", Image.new(mode, size, colour))).decode()
    text = {"type": "text", "text": "Look at that one"}
    return {"id": key, "role": "user", "content": [text, {"type": "image", "data": data}]}


def keys(memory: Memory, query: str) -> list[str]:
    return [span.message_id for span in memory.recall("ana", query, limit=3).spans]


@pytest.mark.parametrize("check", EMBEDDER_CHECKS, ids=lambda check: check.__name__)
def test_conformance(server: Server, check: Any) -> None:
    check(MultimodalEmbedder(server.options))


def test_an_image_is_found_by_what_it_shows(memory: Memory, server: Server) -> None:
    memory.store(
        "ana", [{"id": f"f{n}", "role": "user", "content": f"Chapter {n} of a long history"} for n in range(8)]
    )
    memory.store("ana", [shown(colour, colour) for colour in COLOURS])
    assert not server.inputs  # not on the way of storing
    memory.operations.reindex("ana")
    assert sum("image" in each for each in server.inputs) == 3
    for colour in COLOURS:
        assert keys(memory, f"something {colour}")[0] == colour
    memory.seal("ana")
    assert keys(memory, "something green")[0] == "green"


@pytest.mark.parametrize("mode", ["RGBA", "L"])
def test_images_of_other_modes_are_embedded(memory: Memory, server: Server, mode: str) -> None:
    memory.store("ana", [shown("m", "white", mode=mode)])
    memory.operations.reindex("ana")
    assert sum("image" in each for each in server.inputs) == 1


def test_an_image_that_the_model_refuses_leaves_its_text(memory: Memory, server: Server) -> None:
    memory.store("ana", [shown("red", "red"), shown("odd", "green", (90, 40)), shown("blue", "blue")])
    report = memory.operations.reindex("ana")
    assert (report.embedded, report.skipped) == (3, 0)
    assert keys(memory, "something blue")[0] == "blue"
    assert "odd" in keys(memory, "look at that one")


def test_a_server_that_fails_is_asked_again(memory: Memory, server: Server) -> None:
    server.status_of_oblong = 500
    memory.store("ana", [shown("odd", "green", (90, 40))])
    with pytest.raises(EmbedderError, match="does not answer"):
        memory.operations.reindex("ana")
    server.status_of_oblong = 400
    assert memory.operations.reindex("ana").embedded == 1


def test_an_endpoint_needs_an_address(tmp_path: Any) -> None:
    with pytest.raises(EmbedderError, match="needs the address"):
        Memory(tmp_path / "foxing.db", options=MemoryOptions(embedder="multimodal"))
