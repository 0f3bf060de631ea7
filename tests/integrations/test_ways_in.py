"""One session of an agent by several ways into a bank: each turn is stored once, whichever way it comes first."""

import json
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import httpx
import pytest
from support.agent_sessions import Announce
from support.raw_upstream import raw_upstream
from support.recorded_sessions import FOLDER, SESSION, ClaudeCodeSession, CodexSession

from foxing.integrations.hooks.answers import Answers
from foxing.integrations.hooks.intake import Intake
from foxing.integrations.proxy.options import ProxyOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.memory import Memory
from foxing.memory.ingest.importers import HistoryWatcher, import_file, preview_file

pytestmark = pytest.mark.usefixtures("words_alone")

BANK = "agent"
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
        self.runs = 0

    def proxy(self) -> None:
        """Each run is a proxy with a journal of its own, as on another machine."""
        self.runs += 1
        answer = b""
        with raw_upstream(lambda: [answer], "application/json") as upstream, httpx.Client(timeout=60) as http:
            options = ProxyOptions(
                upstream=upstream.url, bank=BANK, budget=500_000, journal=self.folder / f"proxy-{self.runs}.db"
            )
            with BackgroundProxy(options, lambda: self.memory) as proxy:
                for call in self.session.calls():
                    answer = json.dumps(call.answer).encode()
                    response = http.post(f"{proxy.url}{call.path}", json=call.body, headers=call.headers)
                    assert response.status_code == 200, response.text

    def history(self) -> None:
        """`foxing import`."""
        import_file(self.memory, self.log, bank=BANK)

    def watch(self) -> None:
        """`foxing watch`."""
        for found in HistoryWatcher(self.memory, [self.log.parent], BANK).poll():
            assert found.error is None

    def hook(self) -> None:
        """A hook of the tool, and the service that takes in its event."""
        tool = self.session.thread.partition(":")[0]
        payload = {"session_id": SESSION, "transcript_path": str(self.log), "cwd": FOLDER, "hook_event_name": "Stop"}
        Announce(self.database)("Stop", payload, tool, BANK)
        assert Intake(self.memory, self.database, Answers(self.memory)).take_in() == 1

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


WAYS: dict[str, Callable[[Ways], None]] = {
    "hook": Ways.hook,
    "proxy": Ways.proxy,
    "watch": Ways.watch,
    "import": Ways.history,
}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "bank.db") as memory:
        yield memory


@pytest.mark.parametrize("agent", SESSIONS)
@pytest.mark.parametrize(("first", "second"), list(permutations(WAYS, 2)))
def test_a_session_by_two_ways_is_stored_once(
    memory: Memory, tmp_path: Path, agent: str, first: str, second: str
) -> None:
    session = SESSIONS[agent]
    ways = Ways(memory, session, tmp_path)
    for way in (first, second, first, second):
        WAYS[way](ways)
    assert sorted(ways.stored()) == sorted(session.words)
    assert not any("REMINDER" in words or "continued from" in words for words in ways.stored())


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
    with memory.dry_run(BANK) as dry_run:
        preview_file(ways.log, dry_run=dry_run)
        assert (dry_run.stored, dry_run.duplicates) == (0, len(ways.session.words))


@pytest.mark.parametrize("agent", SESSIONS)
@pytest.mark.parametrize("way", WAYS)
def test_a_session_is_stored_in_its_order(memory: Memory, tmp_path: Path, agent: str, way: str) -> None:
    ways = Ways(memory, SESSIONS[agent], tmp_path)
    WAYS[way](ways)
    assert ways.stored() == list(ways.session.words)
