"""Records sessions of the real clients, which a scripted model leads through a project, or drives them through a proxy.

    npm install --prefix NPM @anthropic-ai/claude-code @openai/codex opencode-ai
    unshare -rnm sh -c 'ip link set lo up; mount -t tmpfs none /mnt; exec python -m benchmarks.sessions.record NPM \
        --client opencode --kind long --calls 90 --folder /mnt --output RECORDINGS'

Nothing leaves the namespace. `--budget` drives the client through `foxing proxy` in place of recording it, kills the
proxy in the middle of turns, and prints what the strict upstream refused.
"""

import argparse
import json
import random
import re
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx

from benchmarks.images.pictures import made_images
from benchmarks.proxy.processes import FoxingProcess
from tests.upstream import ModelAnswer, RecordedCall, ScriptedCall, Text, Thinking, Upstream

from .clients import CLIENTS, ClientRow, Installation, Turn
from .recording import SUFFIX, Session, SessionWriter
from .replay import texts_of

Json = dict[str, Any]
KINDS = ("long", "loop", "compacting", "mixed")
DECISIONS, CALLS_A_TURN = 40, 8
#: Lines that a call reads: some 2,300 tokens.
LINES = 210
_SUB_AGENT = "SUB-AGENT"
_NAME = re.compile(r"[\w./-]*[/_.][\w./-]*\w\w")
_SOURCES = Path(__file__).parents[2] / "memory"


def decision(number: int) -> str:
    """Returns a sentence of the user."""
    rng = random.Random(number)
    word = "".join(rng.choice("bcdfglmnprstv") + rng.choice("aeiou") for _ in range(4))
    return f"We take the {word} route for step {number} and leave the other one alone."


def make_turns(kind: str, calls: int) -> Iterator[Turn]:
    """Yields what the user types in a session."""
    decisions = [decision(number) for number in range(DECISIONS)]
    if kind == "loop":
        yield Turn("\n".join(["Look at all parts, please.", *decisions]), calls)
        return
    if kind == "mixed":
        each = calls // 5
        yield Turn("Look at part 1, please; never rename the table of banks.", each)
        yield Turn("Now part 2, with an agent.", each, agent=True, kill_after=each // 2)
        yield Turn("/compact")
        yield Turn("Part 3, and its picture.", each, image=True)
        yield Turn("Go on with part 4.", each, resumes=True, kill_after=each // 2)
        yield Turn("And part 5.", each)
        return
    typed = 0
    for start in range(0, calls, CALLS_A_TURN):
        upto = min(DECISIONS, (start + CALLS_A_TURN) * DECISIONS // max(1, calls - 6))
        prompt = "\n".join([f"Now look at part {start}, please.", *decisions[typed:upto]])
        yield Turn(prompt, min(CALLS_A_TURN, calls - start))
        typed = upto


class ScriptedModel:
    """A model that reads a project, from names that it has seen."""

    def __init__(self, row: ClientRow, project: Path, writer: SessionWriter | None, *, thinks: bool) -> None:
        self._row = row
        self._project = project
        self._writer = writer
        self._thinks = thinks
        self._rng = random.Random(5)
        self._names: list[str] = []
        self._turn = Turn("")
        self._waiting = self._calls = self._agent_calls = 0

    def begin(self, turn: Turn) -> None:
        """Begins a turn."""
        self._turn, self._waiting = turn, turn.calls

    def __call__(self, exchange: RecordedCall) -> ModelAnswer:
        """Returns the answer to a request, and records both."""
        value = exchange.value or {}
        answer = self._answer(value)
        if self._writer is not None:
            self._writer.add(exchange.path, exchange.headers, json.dumps(value, ensure_ascii=False), answer)
        exchange.value, exchange.body = None, b""
        return answer

    def _answer(self, value: Json) -> ModelAnswer:
        said = value.get("messages") or value.get("input") or []
        answered = max((n for n, each in enumerate(said) if _is_answer(each)), default=-1)
        latest = "\n".join(texts_of(said[answered + 1 :]))
        if not _tool_names(value) or "create a detailed summary" in latest or "anchored summary" in latest:
            return ModelAnswer((Text("We went on. " * (500 if len(said) > 10 else 1)),))
        if any(_SUB_AGENT in text for text in texts_of(said[:3])):
            self._agent_calls += 1
            calls = [] if self._agent_calls % 5 == 0 else [self._look(f"agent{self._agent_calls:020}")]
            return ModelAnswer((Text("I look for you."), *calls))
        self._names += [name for name in _NAME.findall(latest) if 5 < len(name) < 80][:25]
        if self._waiting <= 0:
            return ModelAnswer((Text("That is done."),))
        calls = list(self._next_calls())
        thought = [Thinking(f"What does {self._names[-1] if self._names else 'it'} do?")] if self._thinks else []
        return ModelAnswer((*thought, Text("Let me see."), *calls))

    def _next_calls(self) -> Iterator[ScriptedCall]:
        row, first = self._row, self._waiting == self._turn.calls
        for _ in range(min(self._waiting, 1 if first or self._rng.random() < 0.85 else 2)):
            self._waiting -= 1
            self._calls += 1
            name = f"call{self._calls:020}"
            if first and self._turn.agent and row.agent is not None:
                tool, kind = row.agent
                task = {"description": "Look", "prompt": f"{_SUB_AGENT}: look at it", "subagent_type": kind}
                yield ScriptedCall(tool, task, id=name)
            elif first and self._turn.image and row.image is not None:
                tool, member = row.image
                yield ScriptedCall(tool, {member: str(self._project / "picture.png")}, id=name)
            else:
                yield self._look(name)

    def _look(self, name: str) -> ScriptedCall:
        row, rng = self._row, self._rng
        tool, member = row.shell
        seen = [each for each in self._names if each.endswith(".py") and each.startswith(str(self._project))]
        if not seen:
            command = f"find {self._project} -name '*.py' | head -60"
            return ScriptedCall(tool, {member: command, **row.beside}, id=name)
        recent = self._names[-60:] if rng.random() < 0.7 else self._names
        path = rng.choice(seen[-20:] if rng.random() < 0.7 else seen)
        lines = max(10, int(rng.lognormvariate(0, 0.4) * LINES))
        start = rng.randrange(1, 60)
        if row.read is not None and rng.random() < 0.4:
            tool, member = row.read
            return ScriptedCall(tool, {member: path, "offset": start, "limit": lines}, id=name)
        command = (
            f"grep -rnF -- {rng.choice(recent)} {self._project} | head -25; sed -n {start},{start + lines - 10}p {path}"
        )
        return ScriptedCall(tool, {member: command, **row.beside}, id=name)


def _tool_names(value: Json) -> list[str]:
    return [str(tool.get("name") or tool.get("function", {}).get("name")) for tool in value.get("tools") or ()]


def _is_answer(item: Json) -> bool:
    return item.get("role") == "assistant" or item.get("type") == "function_call"


def _prepare(folder: Path) -> tuple[Path, Path]:
    """Returns a home without anything of the user's, and a project."""
    home, project = folder / "home", folder / "project"
    home.mkdir()
    shutil.copytree(_SOURCES, project, ignore=shutil.ignore_patterns("__pycache__", "*.json", "*.bin"))
    (project / ".git").mkdir()
    (project / "picture.png").write_bytes(next(made_images(1, ("screenshot",))).content)
    return home, project


def _drive(options: argparse.Namespace, row: ClientRow, turns: Sequence[Turn]) -> None:
    home, project = _prepare(options.folder)
    version = json.loads((options.npm / "node_modules" / row.package / "package.json").read_text())["version"]
    typed = "\n".join(turn.prompt for turn in turns)
    decisions = [each for each in map(decision, range(DECISIONS)) if each in typed]
    session = Session(options.client, version, options.kind, decisions)
    with ExitStack() as stack:
        upstream = stack.enter_context(Upstream())
        writer = proxy = None
        url = upstream.url
        if options.budget:
            arguments = ("--upstream", upstream.url, "--budget", str(options.budget), "--port", "8899")
            proxy = stack.enter_context(FoxingProcess(options.folder, "proxy", *arguments))
            url = proxy.url
        else:
            path = options.output / f"{options.client}-{options.kind}-{options.calls}{SUFFIX}"
            writer = stack.enter_context(SessionWriter(path, session))
        model = ScriptedModel(row, project, writer, thinks=options.thinks)
        upstream.respond_with(model)

        def begin(turn: Turn) -> None:
            print(
                f"{len(upstream.exchanges)} requests, {len(upstream.refused)} refused; {turn.prompt[:40]}", flush=True
            )
            model.begin(turn)
            if proxy is not None and turn.kill_after:
                upto = len(upstream.calls) + turn.kill_after
                threading.Thread(target=_kill, args=(proxy, upstream, upto), daemon=True).start()

        place = Installation(options.npm, home, project, url, options.kind == "compacting", options.model)
        row.drive(place, turns, begin)
        refused = [str(each.refusal)[:300] for each in upstream.refused]
        report = {"client": options.client, "version": version, "calls": len(upstream.calls), "refused": refused}
        print(json.dumps(report | ({"folded": _folded(proxy)} if proxy is not None else {})))


def _folded(proxy: FoxingProcess) -> int:
    """Returns the requests that were folded since the proxy was started last."""
    return int(httpx.get(f"{proxy.url}/foxing/status").json()["calls"].get("folded", 0))


def _kill(proxy: FoxingProcess, upstream: Upstream, upto: int) -> None:
    upstream.wait_for(lambda: len(upstream.calls) >= upto, 600)
    proxy.kill()
    print(f"killed the proxy after {len(upstream.calls)} calls", flush=True)
    proxy.start()


def main() -> None:
    """Records a session from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("npm", type=Path)
    parser.add_argument("--client", choices=sorted(CLIENTS), required=True)
    parser.add_argument("--kind", choices=KINDS, default="long")
    parser.add_argument("--calls", type=int, default=90)
    parser.add_argument("--folder", type=Path, required=True, help="an empty folder for the client")
    parser.add_argument("--output", type=Path, default=Path(), help="folder of the recording")
    parser.add_argument("--model", help="model that the client asks; default: its own")
    parser.add_argument("--thinks", action="store_true", help="the model thinks before each call")
    parser.add_argument("--budget", type=int, help="drive through a proxy with this budget, and record nothing")
    options = parser.parse_args()
    _drive(options, CLIENTS[options.client], list(make_turns(options.kind, options.calls)))


if __name__ == "__main__":
    main()
