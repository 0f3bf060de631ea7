"""A memory that is slow, down or broken never harms a request."""

import asyncio
import json
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import OpenAI

from foxing.integrations.turns.journal import TurnJournal
from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory
from foxing.memory.conversation import event_streams
from foxing.memory.errors import InvalidInput
from tests.upstream import ModelAnswer, RecordedCall, Thinking, Upstream

from ..conftest import Service
from .conftest import FACT, MODEL, QUESTION, Options, assistant, user


@pytest.fixture
def silent() -> Iterator[str]:
    """A service that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def closed_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def ask(client: Anthropic, *messages: Any) -> str:
    answer = client.messages.create(model=MODEL, max_tokens=50, messages=list(messages) or [user(QUESTION)])
    return str(answer.content[0].text)  # type: ignore[union-attr]


def test_a_silent_service_delays_a_request_by_no_more_than_the_deadline(
    upstream: Upstream, options: Options, silent: str
) -> None:
    options |= {"memory": silent, "deadline_s": 0.15, "warm_up_s": 0.0}
    with (
        Anthropic(base_url=upstream.url, api_key="key") as plain,
        wrap(Anthropic(base_url=upstream.url, api_key="key"), **options) as client,
    ):
        for _ in range(3):
            ask(plain)
            ask(client)
        plain_s, wrapped_s = [], []
        for number in range(5):
            for times, each in ((plain_s, plain), (wrapped_s, client)):
                began = time.perf_counter()
                assert ask(each, user(f"{QUESTION} {number}")) == "Understood."
                times.append(time.perf_counter() - began)
        assert not flush(client, 0.01)
    assert min(wrapped_s) - min(plain_s) < 0.15
    assert all(FACT.encode() not in each.body for each in upstream.calls)


def test_turns_wait_for_a_service_that_is_down(
    upstream: Upstream, options: Options, service: Service, shared_memory: Memory, bank: str
) -> None:
    address = closed_port()
    options |= {"memory": address}
    with wrap(Anthropic(base_url=upstream.url, api_key="key"), **options) as client:
        assert ask(client) == "Understood."
        assert not flush(client, 0.05)
    # the next program finds the service there
    host, port = address.removeprefix("http://").split(":")
    relay = Relay(service.url, (host, int(port)))
    with relay, wrap(Anthropic(base_url=upstream.url, api_key="key"), **options) as client:
        assert flush(client, 60)
    assert [each.text for each in shared_memory.export(bank)] == [FACT, QUESTION, "Understood."]


def test_a_journal_that_another_process_writes_costs_an_addition_and_no_request(
    claude: Anthropic, upstream: Upstream, options: Options, stored: Callable[[object], Any]
) -> None:
    upstream.answer(Thinking("hm"), "On 14 March.")
    thinking: Any = {"type": "adaptive"}
    history = [user(QUESTION)]
    answer = claude.messages.create(model=MODEL, max_tokens=50, messages=history, thinking=thinking)
    assert flush(claude)
    with closing(sqlite3.connect(options["journal"], isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        def respond(exchange: RecordedCall) -> ModelAnswer:
            other.execute("COMMIT")
            return ModelAnswer(("Yes.",))

        upstream.respond_with(respond)
        history += [assistant(answer.content), user("Does Titan ship without maps?")]
        claude.messages.create(model=MODEL, max_tokens=50, messages=history, thinking=thinking)
    assert upstream.refused == []
    assert upstream.calls[1].value["messages"][2] == history[2]  # type: ignore[index]
    assert stored(claude)[-1] == ("assistant", "Yes.")


class Relay:
    """A port that leads to the service."""

    def __init__(self, url: str, address: tuple[str, int]) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(address)
        self._open: list[socket.socket] = []

        self._accepting = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> None:
        self._accepting.start()

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # a thread in accept() would take one more connection
        self._accepting.join()
        self._listener.close()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(near)
            far = socket.create_connection(self._target)
            self._open.append(far)
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_copy, args=(one, other), daemon=True).start()


def _copy(one: socket.socket, other: socket.socket) -> None:
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_a_bank_that_does_not_exist_yet(upstream: Upstream, options: Options, shared_memory: Memory) -> None:
    options |= {"bank": f"{options['bank'][-90:]}-new"}
    with wrap(Anthropic(base_url=upstream.url, api_key="key"), **options) as client:
        assert ask(client) == "Understood."
        assert flush(client)
    assert len(list(shared_memory.export(options["bank"]))) == 2


def test_the_journal_is_readable_by_its_owner_alone(claude: Anthropic, options: Options) -> None:
    ask(claude)
    files = list(options["journal"].parent.glob("wrap.db*"))
    assert len(files) > 1
    assert {each.stat().st_mode & 0o077 for each in files} == {0}


def test_a_journal_that_cannot_be_written(
    upstream: Upstream, options: Options, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("x")
    options |= {"journal": tmp_path / "file" / "wrap.db"}
    with wrap(Anthropic(base_url=upstream.url, api_key="key"), **options) as client:
        assert ask(client) == "Understood."
        assert flush(client)
    assert "cannot be used" in caplog.text
    assert FACT.encode() in upstream.calls[0].body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"messages": 5}',
        b'{"messages": [5]}',
        b'{"messages": [{"role": "user", "content": 5}]}',
        b"\xff",
    ],
)
def test_bodies_of_another_form_go_through(claude: Anthropic, upstream: Upstream, body: bytes) -> None:
    with pytest.raises(Exception, match="400"):
        claude.post("/v1/messages", cast_to=object, content=body, options={"headers": {"content-type": "x"}})
    assert upstream.exchanges[-1].body == body


def test_a_message_that_cannot_be_stored_does_not_hold_up_the_others(
    upstream: Upstream, claude: Anthropic, stored: Callable[[object], Any]
) -> None:
    large = "word " * 400_000
    ask(claude, user(large))
    ask(claude, user(large), assistant("Understood."), user("and now?"))
    assert stored(claude)[-2:] == [("user", "and now?"), ("assistant", "Understood.")]


def test_what_cannot_be_wrapped(claude: Anthropic, options: Options) -> None:
    with pytest.raises(InvalidInput, match="a str cannot be wrapped"):
        wrap("client", **options)
    with pytest.raises(InvalidInput, match="wrapped already"):
        wrap(claude, **options)
    with pytest.raises(InvalidInput, match="not wrapped"):
        flush(object())
    with OpenAI(api_key="key") as client, pytest.raises(InvalidInput, match="name of a bank"):
        wrap(client, bank="no/bank")
    with OpenAI(api_key="key") as client, pytest.raises(InvalidInput, match="budget"):
        wrap(client, budget=0)


def test_the_given_client_stays_as_it_was(upstream: Upstream, options: Options) -> None:
    client = Anthropic(base_url=upstream.url, api_key="key", max_retries=7, default_headers={"x-mine": "1"})
    wrapped = wrap(client, **options)
    assert type(wrapped) is Anthropic
    assert wrapped.max_retries == 7
    ask(client)
    assert FACT.encode() not in upstream.calls[-1].body
    ask(wrapped)
    assert FACT.encode() in upstream.calls[-1].body
    assert upstream.calls[-1].headers["x-mine"] == "1"
    ask(wrapped.with_options(timeout=5))
    assert flush(wrapped)
    wrapped.close()
    client.close()


@pytest.mark.slow
def test_the_first_request_imports_nothing(tmp_path: Path) -> None:
    """An import in another thread holds the interpreter, so that a request cannot keep its deadline."""
    program = f"""
import sys
from anthropic import Anthropic
from tests.upstream import Upstream
from foxing.integrations.wrap import flush, wrap
with Upstream() as upstream:
    plain = Anthropic(base_url=upstream.url, api_key="key")
    message = {{"role": "user", "content": "?"}}
    ask = lambda client: client.messages.create(model="{MODEL}", max_tokens=9, messages=[message])
    ask(plain)
    client = wrap(plain, memory=sys.argv[1], journal=sys.argv[2], warm_up_s=0.0)
    known = set(sys.modules)
    ask(client)
    flush(client, 60)
    print([name for name in sys.modules if name not in known and name.startswith("foxing.")])
"""
    arguments = [sys.executable, "-c", program, str(tmp_path / "bank.db"), str(tmp_path / "wrap.db")]
    ran = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_stream_whose_text_names_its_end_is_parsed_once(
    claude: Anthropic, gpt: OpenAI, upstream: Upstream, stored: Callable[[object], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[int] = []

    class Counting:
        def loads(self, content: bytes | str) -> Any:
            parsed.append(len(content))
            return json.loads(content)

    monkeypatch.setattr(event_streams, "json", Counting())
    said = ("message_stop [DONE] response.completed " * 200).strip()
    for number in range(3):
        upstream.answer(said)
        question = f"{QUESTION} {number}"
        stream: Any
        if number == 0:
            stream = claude.messages.create(model=MODEL, max_tokens=9, messages=[user(question)], stream=True)
        elif number == 1:
            chat: Any = [user(question)]
            stream = gpt.chat.completions.create(model="gpt-5.6", messages=chat, stream=True)
        else:
            stream = gpt.responses.create(model="gpt-5.6", input=question, stream=True)
        list(stream)
    assert sum(parsed) <= sum(len(call.sent) for call in upstream.calls)
    assert [text for role, text in [*stored(claude), *stored(gpt)] if role == "assistant"].count(said) >= 3


def test_an_asynchronous_stream_that_is_left_does_not_write_on_the_event_loop(
    upstream: Upstream, options: Options, stored: Callable[[object], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: list[threading.Thread] = []
    write = TurnJournal.write

    def noting(*arguments: Any) -> int:
        writers.append(threading.current_thread())
        return write(*arguments)

    monkeypatch.setattr(TurnJournal, "write", noting)

    async def leave() -> AsyncAnthropic:
        client = wrap(AsyncAnthropic(base_url=upstream.url, api_key="key", max_retries=0), **options)
        stream = await client.messages.create(model=MODEL, max_tokens=9, messages=[user(QUESTION)], stream=True)
        async for _ in stream:
            break
        await stream.close()
        return client

    client = asyncio.run(leave())
    assert stored(client) == [("user", QUESTION)]
    assert len(writers) == 1
    assert writers[0] is not threading.main_thread()
