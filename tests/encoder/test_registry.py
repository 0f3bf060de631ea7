"""Codecs by name: each is loaded once, and a failure is cached for a while."""

import threading
from collections.abc import Iterator

import pytest
from support.plugins import InstallPlugin

from foxing.encoder import CODECS, Codec, CodecError, CodecOptions, CodecPlugin, load_codec, registry


class FarOptions(CodecOptions):
    revision: str = "main"


class Hub:
    """A source of codecs that may be down. `attempts` counts loads."""

    def __init__(self) -> None:
        self.attempts = 0
        self.down = True
        self.now = 50.0
        self.gate = threading.Event()
        self.gate.set()

    def load(self, device: str, options: FarOptions) -> Codec:
        self.attempts += 1
        assert self.gate.wait(60)
        if self.down:
            raise CodecError("the model cannot be downloaded")
        return load_codec("native", "cpu")


@pytest.fixture
def hub(install_plugin: InstallPlugin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub()
    install_plugin(CODECS, "far", CodecPlugin("far", "Downloaded.", hub.load, FarOptions))
    monkeypatch.setattr(registry, "_seconds", lambda: hub.now)
    yield hub
    for key in [key for key in registry._loading if key[0] == "far"]:
        del registry._loading[key]


def test_a_failure_is_cached_for_a_while_per_set_of_options(hub: Hub) -> None:
    for _ in range(3):
        with pytest.raises(CodecError, match="cannot be downloaded"):
            load_codec("far", "cpu")
    assert hub.attempts == 1
    with pytest.raises(CodecError):
        load_codec("far", "cpu", options={"revision": "other"})
    assert hub.attempts == 2
    hub.down = False
    hub.now += registry.FAILED_FOR_S
    assert load_codec("far", "cpu") is load_codec("far", "cpu")
    assert hub.attempts == 3


def test_callers_waiting_for_a_failed_load_do_not_retry_it(hub: Hub) -> None:
    hub.gate.clear()
    errors: list[CodecError] = []

    def ask() -> None:
        try:
            load_codec("far", "cpu")
        except CodecError as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert load_codec("native", "cpu").name == "native"  # other codecs are not blocked
    hub.gate.set()
    for thread in threads:
        thread.join()
    assert (len(errors), hub.attempts) == (5, 1)
