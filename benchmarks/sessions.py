"""Long sessions of coding agents through the proxy: refusals, what the user said, arguments of calls, and the bill.

    python -m benchmarks.sessions ../shared/data/eval [--calls 50 90 300] [--client claude-code codex loop]

A session has the shape of recorded ones of the real clients (Claude Code 2.1.197 and Codex 0.171.0: 16k tokens of
tools and system, 2.3k tokens a call, a message of the system after about ten calls, one or two calls at a time), with
texts of SWE-agent as results of tools: the texts are not those of the recorded sessions. `loop` is one prompt with all
of the calls, with thinking. The user types forty decisions. Every call goes through the proxy to the strict upstream of
`foxing.integrations.testing`, which refuses what the providers refuse and bills 1, 0.1 and 1.25; beside it, the client
sends the same session directly, and compacts it when it comes near a window of 200,000 tokens.
"""

import argparse
import json
import random
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from foxing.integrations.proxy.options import ProxyOptions
from foxing.integrations.proxy.server import BackgroundProxy
from foxing.integrations.testing import Part, ScriptedCall, Thinking, Upstream, count_bytes
from foxing.memory import FoldRequest, Memory, MemoryOptions

from .fold.sessions import load_texts

Json = dict[str, Any]
BANK, DECISIONS = "agent", 40
#: Tokens of tools and system, and of a call with its result.
BESIDE_TOKENS, CALL_TOKENS = 16_000, 2_300
CALLS_A_TURN, CALLS_A_REMINDER = 8, 10
#: Tokens at which a client compacts by itself, and words of its summary.
WINDOW, SUMMARY_WORDS = 160_000, 1_500
#: Calls between two whose arguments are looked up, and references to a call of `fetch`.
SAMPLED, REFERENCES = 3, 100
MODELS = {"claude-code": "claude-opus-4-8", "codex": "gpt-5.6", "loop": "claude-opus-4-8"}
MARK = {"cache_control": {"type": "ephemeral"}}
_NAME = re.compile(r"[\w./-]*[/_.][\w./-]*\w{3}")
_REFERENCE = re.compile(r"\[(\w{1,12})\]")


@dataclass(frozen=True)
class Call:
    """A call of the model: what the user types before it, if anything, and what it is called with and returns."""

    typed: str | None
    tool: str
    arguments: Json
    result: str


@dataclass
class SessionReport:
    """A session through the proxy."""

    client: str
    calls: int
    requests: int = 0
    refused: int = 0
    folds: int = 0
    #: Decisions that are in the last request, and those that are in it or one fetch away.
    decisions: int = 0
    reachable_decisions: int = 0
    #: Share of the argument values of calls, of those that the client's history has, in the request and one fetch away.
    values: float = 0.0
    reachable_values: float = 0.0
    #: Price through the proxy for each price without it, at the end and at most, and beside a client that compacts.
    billed: float = 0.0
    worst: float = 0.0
    billed_beside_compaction: float = 0.0
    #: Most tokens of a request, and those of the same without folds.
    most_sent: int = 0
    most_unfolded: int = 0
    #: Bytes that the proxy sent to have tokens counted, for each byte of requests.
    counted_bytes: float = 0.0
    first_fold_cpu_s: float = 0.0
    notes: list[str] = field(default_factory=list)


def make_calls(texts: Sequence[str], calls: int, *, turns: bool, seed: int = 5) -> Iterator[Call]:
    """Yields the calls of a session. `turns`: whether the user speaks between them."""
    rng = random.Random(seed)
    names: list[str] = ["src/main.py"]
    said = 0
    for number in range(calls):
        typed = None
        if number == 0 or (turns and number % CALLS_A_TURN == 0):
            upto = DECISIONS if not turns else min(DECISIONS, (number + CALLS_A_TURN) * DECISIONS // max(1, calls - 6))
            typed = "\n".join([f"Now look at part {number}, please.", *map(decision, range(said, upto))])
            said = upto
        recent = names[-30:] if rng.random() < 0.7 else names
        name = rng.choice(recent)
        tool, arguments = rng.choice(
            [
                ("Read", {"file_path": name}),
                ("Bash", {"command": f"grep -rn {rng.choice(recent)} {name}"}),
                ("Grep", {"pattern": rng.choice(recent), "path": name}),
            ]
        )
        result, size = list[str](), 0
        wanted = rng.lognormvariate(0, 0.6) * CALL_TOKENS * 3.4
        while size < wanted:
            text = texts[rng.randrange(len(texts))][: int(wanted - size) + 1]
            result.append(text)
            size += len(text) + 1
        joined = "\n".join(result)
        names += [match[0] for match in _NAME.finditer(joined) if len(match[0]) < 80][:20]
        yield Call(typed, tool, arguments, joined)


def decision(number: int) -> str:
    """Returns a sentence of the user."""
    rng = random.Random(number)
    word = "".join(rng.choice("bcdfglmnprstv") + rng.choice("aeiou") for _ in range(4))
    return f"We take the {word} route for step {number} and leave the other one alone."


class Client:
    """A client that holds its whole conversation."""

    path, headers = "/v1/messages?beta=true", {"x-api-key": "k", "anthropic-version": "2023-06-01"}

    def __init__(self, model: str, *, thinks: bool = False) -> None:
        self.model = model
        self.thinks = thinks
        self.messages: list[Json] = []
        self.calls = 0

    def body(self) -> Json:
        """Returns the next request."""
        places = [number for number, message in enumerate(self.messages) if message["role"] == "user"][-2:]
        messages = list(self.messages)
        for place in places:
            content = messages[place]["content"]
            messages[place] = {"role": "user", "content": [*content[:-1], {**content[-1], **MARK}]}
        system = [{"type": "text", "text": "You are a coding agent. " * (BESIDE_TOKENS // 12), **MARK}]
        tools = [
            {"name": name, "description": "Runs it. " * (BESIDE_TOKENS // 20), "input_schema": {"type": "object"}}
            for name in ("Read", "Bash", "Grep")
        ]
        return {"model": self.model, "max_tokens": 4_000, "system": system, "tools": tools, "messages": messages}

    def say(self, text: str) -> None:
        """Adds what the user types, with what the client adds to it."""
        reminder = {"type": "text", "text": "<system-reminder>The date is today.</system-reminder>"}
        self.messages.append({"role": "user", "content": [reminder, {"type": "text", "text": text}]})

    def script(self, call: Call) -> list[Part]:
        """Returns what the model answers."""
        thought: list[Part] = [Thinking("Let me see what is there.")] if self.thinks else []
        return [*thought, ScriptedCall(call.tool, call.arguments)]

    def take(self, call: Call, answer: Json) -> None:
        """Adds an answer, and the result of its call."""
        self.calls += 1
        self.messages.append({"role": "assistant", "content": answer["content"]})
        name = answer["content"][-1]["id"]
        result = {"type": "tool_result", "tool_use_id": name, "content": call.result}
        self.messages.append({"role": "user", "content": [result]})
        if self.calls % CALLS_A_REMINDER == 0:
            self.messages.append({"role": "system", "content": "The task tools haven't been used recently."})

    def end_turn(self) -> None:
        """Adds the answer that ends a turn."""
        self.messages.append({"role": "assistant", "content": [{"type": "text", "text": "That is done."}]})

    def compact(self) -> None:
        """Puts a summary in place of the conversation."""
        self.messages.clear()
        start = "This session is being continued from a previous conversation that ran out of context. "
        self.say(start + "We went on. " * (SUMMARY_WORDS // 3))


class CodexClient(Client):
    """Codex, with the Responses API."""

    path, headers = "/v1/responses", {"authorization": "Bearer k"}

    def body(self) -> Json:
        """See `Client`."""
        tools = [
            {
                "type": "function",
                "name": name,
                "description": "Runs it. " * (BESIDE_TOKENS // 20),
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            }
            for name in ("Read", "Bash", "Grep")
        ]
        given = {"model": self.model, "instructions": "You are a coding agent. " * (BESIDE_TOKENS // 12)}
        return {**given, "tools": tools, "input": list(self.messages), "store": False}

    def say(self, text: str) -> None:
        """See `Client`."""
        content = [{"type": "input_text", "text": text}]
        self.messages.append({"type": "message", "role": "user", "content": content})

    def script(self, call: Call) -> list[Part]:
        """See `Client`."""
        return ["Let me see."]

    def take(self, call: Call, answer: Json) -> None:
        """See `Client`."""
        name = f"call_{self.calls:020}"
        self.calls += 1
        arguments = json.dumps(call.arguments)
        self.messages.append({"type": "function_call", "call_id": name, "name": call.tool, "arguments": arguments})
        self.messages.append({"type": "function_call_output", "call_id": name, "output": call.result})

    def end_turn(self) -> None:
        """See `Client`."""
        content = [{"type": "output_text", "text": "That is done.", "annotations": []}]
        name = f"msg_{len(self.messages):020}"
        fields = {"type": "message", "id": name, "status": "completed", "role": "assistant"}
        self.messages.append({**fields, "content": content})


def run(calls: Sequence[Call], report: SessionReport) -> SessionReport:
    """Returns the report of a session, filled in."""
    kind = CodexClient if report.client == "codex" else Client
    folded, plain, compacting = (kind(MODELS[report.client], thinks=report.client == "loop") for _ in range(3))
    values: list[tuple[bool, bool]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        memory = stack.enter_context(Memory(folder / "bank.db", options=MemoryOptions(embed_later=True)))
        upstream, whole, compacted = (stack.enter_context(Upstream()) for _ in range(3))
        http = stack.enter_context(httpx.Client(timeout=600))
        options = ProxyOptions(upstream=upstream.url, bank=BANK, journal=folder / "proxy.db", fold_s=120, probe_s=60)
        proxy = stack.enter_context(BackgroundProxy(options, lambda: memory))
        session = {"x-foxing-session": "s"}
        for number, call in enumerate(calls):
            if call.typed is not None:
                for each in (folded, plain, compacting):
                    if number:
                        each.end_turn()
                    each.say(call.typed)
            answers = [
                _post(http, upstream, proxy.url, folded, call, session),
                _post(http, compacted, compacted.url, compacting, call),
            ]
            if report.calls <= 100:
                answers.append(_post(http, whole, whole.url, plain, call))
                report.worst = max(report.worst, round(upstream.total.price / whole.total.price, 4))
            if number % SAMPLED == SAMPLED - 1:
                values += _values(call, folded, _sent(upstream), memory)
            bill = compacted.calls[-1].bill
            if bill is not None and bill.input > WINDOW:
                answers[1] = _post(http, compacted, compacted.url, compacting, call)
                compacting.compact()
            for each, answer in zip((folded, compacting, plain), [*answers, answers[0]], strict=False):
                each.take(call, answer)
        report.requests, report.refused = len(upstream.calls), len(upstream.refused)
        status = proxy.proxy.status()
        report.folds = sum(count for name, count in status["folds"].items() if name.startswith("fold "))
        report.notes = [
            note for each in status["conversations"] for note in (*each["notes"], each["not_folded"]) if note
        ]
        sent = _sent(upstream)
        said = [decision(number) for number in range(DECISIONS)]
        there = [each in sent for each in said]
        fetched = _fetched(memory, sent)
        report.decisions = sum(there)
        report.reachable_decisions = sum(a or each in fetched for a, each in zip(there, said, strict=True))
        report.values = round(sum(a for a, _ in values) / max(1, len(values)), 4)
        report.reachable_values = round(sum(b for _, b in values) / max(1, len(values)), 4)
        if whole.calls:
            report.billed = round(upstream.total.price / whole.total.price, 4)
        report.billed_beside_compaction = round(upstream.total.price / compacted.total.price, 4)
        report.most_sent = max(each.bill.input for each in upstream.calls if each.bill)
        report.most_unfolded = count_bytes(json.dumps(plain.body()))
        counting = sum(len(each.body) for each in upstream.exchanges if each.wire == "count_tokens")
        report.counted_bytes = round(counting / sum(len(each.body) for each in upstream.calls), 4)
        if report.client != "codex":
            report.first_fold_cpu_s = _first_fold(plain)
    return report


def _post(
    http: httpx.Client, upstream: Upstream, url: str, client: Client, call: Call, headers: Json | None = None
) -> Json:
    """Sends the next request of a client, and returns the answer."""
    upstream.answer(*client.script(call))
    answer = http.post(f"{url}{client.path}", json=client.body(), headers={**client.headers, **(headers or {})})
    if answer.status_code != 200:
        raise RuntimeError(f"refused: {answer.text[:500]}")
    found: Json = answer.json()
    return found


def _sent(upstream: Upstream) -> str:
    value = upstream.calls[-1].value
    assert value is not None
    return "\n".join(_texts(value.get("messages") or value["input"]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def _values(call: Call, client: Client, sent: str, memory: Memory) -> Iterator[tuple[bool, bool]]:
    """Yields whether each value of a call is in the request before it, and whether it is there or one fetch away, of
    those that the client's history has."""
    history = "\n".join(_texts(client.messages))
    wanted = [word for value in call.arguments.values() for word in str(value).split() if _NAME.fullmatch(word)]
    fetched = None
    for word in wanted:
        if word not in history:
            continue
        there = word in sent
        if not there and fetched is None:
            fetched = _fetched(memory, sent)
        yield there, there or (fetched is not None and word in fetched)


def _fetched(memory: Memory, sent: str) -> str:
    """Returns the texts to which a request has references."""
    refs = list(dict.fromkeys(_REFERENCE.findall(sent)))
    found = list[str]()
    for start in range(0, len(refs), REFERENCES):
        try:
            found += [each.text for each in memory.fetch(BANK, refs[start : start + REFERENCES]).messages]
        except Exception:  # none of these words in brackets is a reference
            continue
    return "\n".join(found)


def _first_fold(client: Client) -> float:
    """Returns the seconds of CPU that the first fold of 161 messages takes."""
    messages = client.messages[:161]
    while messages and messages[-1]["role"] != "user":
        messages.pop()
    with TemporaryDirectory() as folder, Memory(f"{folder}/bank.db", options=MemoryOptions(embed_later=True)) as memory:
        request = FoldRequest(
            session="s", wire="anthropic", messages=tuple(messages), reader="text", cache="cold", binds_thinking=False
        )
        began = time.process_time()
        memory.fold(BANK, request)
        return round(time.process_time() - began, 2)


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calls", type=int, nargs="+", default=[50, 90, 300])
    parser.add_argument("--client", choices=sorted(MODELS), nargs="+", default=sorted(MODELS))
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    texts = load_texts(options.folder)["tool"]
    for client in options.client:
        for calls in options.calls:
            session = list(make_calls(texts, calls, turns=client != "loop", seed=options.seed))
            print(json.dumps(asdict(run(session, SessionReport(client, calls)))), flush=True)


if __name__ == "__main__":
    main()
