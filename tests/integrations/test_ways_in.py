"""One session of an agent by several ways into a bank: each turn is stored once, whichever way it comes first."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI
from support.agent_sessions import Announce
from support.raw_upstream import raw_upstream
from support.recorded_sessions import FOLDER, SESSION, TITLE, ClaudeCodeSession, CodexSession
from support.service import serve

from foxing.integrations.hooks.answers import Answers
from foxing.integrations.hooks.intake import Intake
from foxing.integrations.proxy.options import ProxyOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory
from foxing.memory.conversation import ProviderMessage, parse
from foxing.memory.ingest.importers import HistoryWatcher, import_file, preview_file

pytestmark = pytest.mark.usefixtures("words_alone")

BANK = "agent"
#: The package for JavaScript.
JAVASCRIPT = Path(__file__).resolve().parents[2] / "clients" / "typescript"
Session = ClaudeCodeSession | CodexSession
SESSIONS: dict[str, Session] = {"claude-code": ClaudeCodeSession(), "codex": CodexSession()}


class Ways:
    """Ways into one bank, each of which may be taken several times."""

    def __init__(self, memory: Memory, session: Session, folder: Path) -> None:
        self.memory, self.session, self.folder = memory, session, folder
        self.log = folder / "logs" / session.folder / f"rollout-{SESSION}.jsonl"
        self.log.parent.mkdir(parents=True)
        self.log.write_text(session.log())
        self.database = str(folder / "bank.db")
        self._journals = 0

    def new_journal(self) -> Path:
        self._journals += 1
        return self.folder / f"journal-{self._journals}.db"

    def spoken(self) -> Iterator[list[ProviderMessage]]:
        """Yields what a program has at the end of each call: the messages that it sent, and the answer."""
        for call in self.session.calls():
            if TITLE in json.dumps(call.body):  # a request of the host alone
                continue
            if call.path == "/v1/messages":
                said = {"role": "assistant", "content": call.answer["content"]}
                yield parse("anthropic", [*call.body["messages"], said])
            else:
                yield parse("openai-responses", [*call.body["input"], *call.answer["output"]])

    def stored(self) -> list[str]:
        """What is stored, in order: words, the commands of tool calls, and results."""
        texts = []
        for message in self.memory.export(BANK):
            assert message.thread == self.session.thread
            part = (message.parts or (None,))[0]
            if part is not None and part.type == "tool_call":
                command = json.loads(part.arguments) if isinstance(part.arguments, str) else part.arguments
                words = command["command"]
                texts.append(words if isinstance(words, str) else " ".join(words))
            elif part is not None and part.type == "tool_result":
                texts.append(str(part.content))
            else:
                texts.append(message.text)
        return texts


#: Ways in by name. A further integration is one more function here.
WAYS: dict[str, Callable[[Ways], None]] = {}
#: Ways that every change is tried with, in all pairs; those of others with one another are slow.
USUAL = ("hook", "proxy", "watch", "import")


def way(name: str) -> Callable[[Callable[[Ways], None]], Callable[[Ways], None]]:
    def add(take: Callable[[Ways], None]) -> Callable[[Ways], None]:
        WAYS[name] = take
        return take

    return add


@way("hook")
def hook(ways: Ways) -> None:
    """A hook of the tool, and the service that takes in its event."""
    tool = ways.session.thread.partition(":")[0]
    payload = {"session_id": SESSION, "transcript_path": str(ways.log), "cwd": FOLDER, "hook_event_name": "Stop"}
    Announce(ways.database)("Stop", payload, tool, BANK)
    assert Intake(ways.memory, ways.database, Answers(ways.memory)).take_in() == 1


@way("proxy")
def proxy(ways: Ways) -> None:
    """Each run is a proxy with a journal of its own, as on another machine."""
    answer = b""
    with raw_upstream(lambda: [answer], "application/json") as upstream, httpx.Client(timeout=60) as http:
        options = ProxyOptions(upstream=upstream.url, bank=BANK, budget=500_000, journal=ways.new_journal())
        with BackgroundProxy(options, lambda: ways.memory) as proxy:
            for call in ways.session.calls():
                answer = json.dumps(call.answer).encode()
                response = http.post(f"{proxy.url}{call.path}", json=call.body, headers=call.headers)
                assert response.status_code == 200, response.text


@way("watch")
def watch(ways: Ways) -> None:
    """`foxing watch`."""
    for found in HistoryWatcher(ways.memory, [ways.log.parent], BANK).poll():
        assert found.error is None


@way("import")
def history(ways: Ways) -> None:
    """`foxing import`."""
    import_file(ways.memory, ways.log, bank=BANK)


@way("wrap")
def wrapped(ways: Ways) -> None:
    """A wrapped client that is told the session. Each run has a journal of its own."""
    answer = b""
    with raw_upstream(lambda: [answer], "application/json") as upstream:
        plain: Any = Anthropic(base_url=upstream.url, api_key="k", max_retries=0)
        if isinstance(ways.session, CodexSession):
            plain = OpenAI(base_url=upstream.url, api_key="k", max_retries=0)
        with wrap(
            plain, memory=ways.memory, bank=BANK, thread=ways.session.thread, recall=False, journal=ways.new_journal()
        ) as client:
            for call in ways.session.calls():
                answer = json.dumps(call.answer).encode()
                client.post(call.path, body=call.body, cast_to=object)
            assert flush(client, 60)


@way("langchain")
def langchain(ways: Ways) -> None:
    """The middleware of LangChain's agents."""
    pytest.importorskip("langchain.agents")
    from support.framework_sessions import langchain_messages

    from foxing.integrations.langchain.middleware import FoxingMiddleware

    remembered: Any = {}
    with FoxingMiddleware.connect(ways.memory, BANK, thread=ways.session.thread) as middleware:
        for said in ways.spoken():
            state: Any = {**remembered, "messages": langchain_messages(said)}
            remembered = middleware.after_agent(state, cast(Any, None))


@way("pydantic-ai")
def pydantic_ai(ways: Ways) -> None:
    """The capability of Pydantic AI's agents."""
    pytest.importorskip("pydantic_ai")
    from support.framework_sessions import pydantic_ai_results

    from foxing.integrations.pydantic_ai import FoxingCapability

    async def run() -> None:
        async with FoxingCapability.connect(ways.memory, BANK, thread=ways.session.thread) as capability:
            for result in pydantic_ai_results(ways.spoken()):
                await capability.after_run(cast(Any, None), result=result)

    asyncio.run(run())


@way("wrap-js")
def wrapped_in_javascript(ways: Ways) -> None:
    """A client that is wrapped by the package for JavaScript."""
    by_javascript("wrap", ways)


@way("ai-sdk")
def ai_sdk(ways: Ways) -> None:
    """The middleware of the AI SDK."""
    by_javascript("ai", ways)


def by_javascript(entry: str, ways: Ways) -> None:
    """Takes the calls of the session through an entry of the package for JavaScript."""
    program = javascript()
    assert program.stdin is not None
    assert program.stdout is not None
    calls = [{"path": call.path, "body": call.body, "answer": call.answer} for call in ways.session.calls()]
    with serve(ways.memory) as client:
        given = {"entry": entry, "url": str(client.base_url), "bank": BANK, "thread": ways.session.thread}
        program.stdin.write(json.dumps({**given, "calls": calls}) + "\n")
        program.stdin.flush()
        assert program.stdout.readline() == "stored\n"


@cache
def javascript() -> subprocess.Popen[str]:
    """The program of the package for JavaScript that takes sessions from its stdin, each with a memory of its own."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    if not (JAVASCRIPT / "node_modules").is_dir():
        pytest.skip("the packages of clients/typescript are not installed; run npm ci there")
    command = [node, "--import", "tsx", "tests/replay.ts"]
    return subprocess.Popen(command, cwd=JAVASCRIPT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module", autouse=True)
def no_program_left() -> Iterator[None]:
    yield
    if javascript.cache_info().currsize:
        javascript().communicate(timeout=60)


def pairs() -> Iterator[Any]:
    """Yields all pairs of ways, those of rare use marked as slow."""
    for first, second in permutations(WAYS, 2):
        others = {first, second}.difference(USUAL)
        in_node = not others.isdisjoint(("wrap-js", "ai-sdk"))
        by_wrap = others == {"wrap"} and "watch" not in (first, second)
        is_quick = not in_node and (not others or by_wrap)
        yield pytest.param(first, second, marks=() if is_quick else pytest.mark.slow)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "bank.db") as memory:
        yield memory


@pytest.mark.parametrize("agent", ["claude-code", pytest.param("codex", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("first", "second"), list(pairs()))
def test_a_session_by_two_ways_is_stored_once(
    memory: Memory, tmp_path: Path, agent: str, first: str, second: str
) -> None:
    session = SESSIONS[agent]
    ways = Ways(memory, session, tmp_path)
    for way in (first, second, first, second):
        WAYS[way](ways)
    assert sorted(ways.stored()) == sorted(session.words)
    assert not any("REMINDER" in words or "continued from" in words for words in ways.stored())


@pytest.mark.slow
@pytest.mark.parametrize("agent", SESSIONS)
@pytest.mark.parametrize("first", WAYS)
def test_what_was_erased_is_stored_again_by_no_way(memory: Memory, tmp_path: Path, agent: str, first: str) -> None:
    ways = Ways(memory, SESSIONS[agent], tmp_path)
    WAYS[first](ways)
    memory.seal(BANK)
    for message in list(memory.export(BANK)):
        if message.text == "I look." or "step 1" in message.text:
            assert message.message_id is not None
            memory.erase_message(BANK, message.message_id)
    for way in WAYS.values():
        way(ways)
    left = [words for words in ways.session.words if words not in ("I look.", "step 1 is green")]
    assert ways.stored() == left
    with memory.operations.dry_run(BANK) as dry_run:
        preview_file(ways.log, dry_run=dry_run)
        assert (dry_run.stored, dry_run.duplicates) == (0, len(ways.session.words))


@pytest.mark.slow
@pytest.mark.parametrize("agent", SESSIONS)
@pytest.mark.parametrize("way", WAYS)
def test_a_session_is_stored_in_its_order(memory: Memory, tmp_path: Path, agent: str, way: str) -> None:
    ways = Ways(memory, SESSIONS[agent], tmp_path)
    WAYS[way](ways)
    assert ways.stored() == list(ways.session.words)
