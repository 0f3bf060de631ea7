"""Blobs in a server that speaks S3."""

import urllib.request
from collections.abc import Iterator

import pytest
from support.operations.blobs import DAY, START, fill, said

from foxing.memory import DatabaseOptions, Memory, MemoryOptions, StorageError
from foxing.memory.storage.blobs import store
from foxing.memory.storage.blobs.store import BlobStore

pytestmark = pytest.mark.filterwarnings("ignore")  # of moto


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket."""
    pytest.importorskip("obstore", reason="needs the extra 'blobs'")
    moto = pytest.importorskip("moto.server", reason="needs the package moto[server], a server that speaks S3")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/foxing", method="PUT"), timeout=30).close()
    yield "s3://foxing/memory"
    server.stop()


def test_pages_age_and_are_erased(bucket: str, database_url: str) -> None:
    options = DatabaseOptions(database_url, blobs_url=bucket, blobs_min_bytes=64)
    objects = BlobStore(bucket)
    with Memory(options, clock=lambda: START + DAY, options=MemoryOptions(embedder="none")) as memory:
        fill(memory)
        memory.age("ana", now=START + 10 * DAY)
        assert len(list(objects.objects(""))) > 3
        memory.undo("ana", now=START + 11 * DAY)
        assert memory.message("ana", "3").text == said(3)
        assert [message.message_id for message in memory.export("ana")] == [str(n) for n in range(24)]
        assert memory.erase_bank("ana").log_erased
        assert list(objects.objects("")) == []


def test_a_bucket_that_does_not_exist_is_an_error(bucket: str, database_url: str) -> None:
    options = DatabaseOptions(database_url, blobs_url="s3://nothing/there", blobs_min_bytes=64)
    with Memory(options, clock=lambda: START + DAY, options=MemoryOptions(embedder="none")) as memory:
        with pytest.raises(StorageError, match="s3://nothing/there cannot be used"):
            fill(memory)
        assert (memory.bank("ana").open_messages, memory.bank("ana").pages) == (8, 0)


def test_a_server_that_does_not_answer_is_an_error_soon(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(store, "RETRIES", 1)
    with pytest.raises(StorageError, match="cannot be used"):
        BlobStore(bucket).get(["ab/one"])
