"""A model server for each test, and remote codecs that use it."""

import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from support.endpoint_server import MODEL, Handler, LoadCodec, Model, NativeModel, Pauses, Server

from foxing.encoder.remote.codec import EndpointCodec
from foxing.encoder.remote.options import RemoteOptions


@pytest.fixture(scope="module")
def native_model() -> NativeModel:
    return NativeModel()


@pytest.fixture
def served(pauses: Pauses) -> Iterator[Callable[[Model], Server]]:
    running: list[tuple[ThreadingHTTPServer, threading.Thread, Server]] = []

    def serve(model: Model) -> Server:
        http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        state = Server(model, url=f"http://127.0.0.1:{http.server_port}/v1", on_stall=pauses.stall)
        http.state = state  # type: ignore[attr-defined]
        thread = threading.Thread(target=http.serve_forever, args=(0.02,))
        thread.start()
        running.append((http, thread, state))
        return state

    yield serve
    for http, thread, state in running:
        state.stopped.set()
        http.shutdown()
        http.server_close()
        thread.join()


@pytest.fixture
def server(served: Callable[[Model], Server], native_model: NativeModel) -> Server:
    return served(native_model)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def load(pauses: Pauses) -> Iterator[LoadCodec]:
    """Loads remote codecs for dense pages; closes them after the test."""
    loaded: list[EndpointCodec] = []

    def load_one(url: str, **options: Any) -> EndpointCodec:
        given: dict[str, Any] = {"model": MODEL, "columns": 160, "timeout_s": 20.0, **options}
        codec = EndpointCodec.load(RemoteOptions(url=url, **given), pauses.timing)
        loaded.append(codec)
        return codec

    yield load_one
    for codec in loaded:
        codec.close()
