"""Codecs by name: loaded once, and a failure is told again for a while without another try."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from foxing.encoder import CODECS, Codec, CodecEntry, CodecError, CodecOptions, load_codec, registry


class Hub:
    """Where a codec is loaded from. `reached`: how often it was tried."""

    def __init__(self) -> None:
        self.reached = 0
        self.down = True
        self.now = 50.0
        self.gate = threading.Event()
        self.gate.set()

    def load(self, device: str, options: CodecOptions) -> Codec:
        self.reached += 1
        self.gate.wait(10)
        if self.down:
            raise CodecError("the model cannot be downloaded")
        return load_codec("native", "cpu")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    monkeypatch.setitem(CODECS, "far", CodecEntry("far", "Far away.", hub.load))
    monkeypatch.setattr(registry, "_seconds", lambda: hub.now)
    yield hub
    for key in [key for key in registry._loading if key[0] == "far"]:
        del registry._loading[key]


def test_a_failure_is_remembered_for_a_while_and_for_these_options_alone(hub: Hub) -> None:
    for _ in range(3):
        with pytest.raises(CodecError, match="cannot be downloaded"):
            load_codec("far", "cpu")
    assert hub.reached == 1
    with pytest.raises(CodecError):
        load_codec("far", "cpu", options=CodecOptions(revision="other"))
    assert hub.reached == 2
    hub.down = False
    hub.now += registry.FAILED_FOR_S
    assert load_codec("far", "cpu") is load_codec("far", "cpu")
    assert hub.reached == 3


def test_who_waits_for_a_load_that_fails_does_not_try_it_again(hub: Hub) -> None:
    hub.gate.clear()
    errors: list[Any] = []

    def ask() -> None:
        try:
            load_codec("far", "cpu")
        except CodecError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert load_codec("native", "cpu").name == "native"  # others are not held up
    hub.gate.set()
    for thread in threads:
        thread.join()
    assert (len(errors), hub.reached) == (5, 1)
