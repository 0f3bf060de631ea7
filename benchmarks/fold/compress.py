"""Bills of agent sessions whose requests pass LiteLLM's compression guardrail, as the strict upstream makes them out.

    python -m benchmarks.fold.compress ../shared/data/eval --tokens 60000 120000 400000

The sessions are those of `benchmarks.fold.run`, in the format of chat completions, without sub-agents. As the guardrail
does, each call leaves out instructions, messages of the model, the last user message and the tool exchange of the last
call, and puts them back. The bill without compression is that of the same session sent whole.
"""

import argparse
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx

from foxing.encoder.text_tokens import count_text_tokens
from foxing.integrations.testing import Upstream
from foxing.memory import CompressRequest, Memory, MemoryOptions

from .clients import ChatAgent, answer_of
from .sessions import CALLS, Session, load_texts, make_session

MODEL = "gpt-5.6"
BANK = "session"


@dataclass
class Report:
    """Cost of a session, and contents of its last request."""

    tokens: int
    refused: int = 0
    #: Tokens of the messages that the last call gave to be compressed, and of what came back.
    before: int = 0
    after: int = 0
    #: Calls that replaced further texts.
    steps: int = 0
    #: Price with compression for each price without, at the end, and the highest at any call.
    billed: float = 0.0
    worst: float = 0.0
    #: Share of calls that begin with all that the call before sent.
    prefix: float = 0.0
    #: Shares of the planted facts that are in the last request.
    statements: float = 0.0
    identifiers: float = 0.0
    #: Share of the replaced texts that are retrieved exactly.
    retrieved: float = 0.0
    #: Seconds of a call: the middle one and the 99th percentile of those that replace nothing new, and the slowest
    #: that does.
    call_s: float = 0.0
    p99_s: float = 0.0
    step_s: float = 0.0


def run(session: Session, report: Report) -> Report:
    """Returns the report of a session, filled in."""
    times, step_times = list[float](), list[float]()
    same, before, sent = 0, list[str](), list[Any]()
    hashes: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        memory = stack.enter_context(Memory(folder / "bank.db", options=MemoryOptions(embed_later=True)))
        http = stack.enter_context(httpx.Client(timeout=120))
        upstreams = [stack.enter_context(Upstream(count_text=count_text_tokens)) for _ in range(2)]
        agents = [ChatAgent(MODEL) for _ in range(2)]
        for turn in session.turns:
            if turn.user is not None:
                for agent in agents:
                    agent.say(turn.user)
            whole = agents[0].given()
            given = [number for number in range(len(whole)) if number not in held_back(whole)]
            sent = list(whole)
            if given:
                began = time.perf_counter()
                result = memory.compress(BANK, CompressRequest(messages=tuple(whole[number] for number in given)))
                (step_times if result.new_hashes else times).append(time.perf_counter() - began)
                report.steps += result.new_hashes > 0
                report.before, report.after = result.tokens_before, result.tokens_after
                for number, message in zip(given, result.messages, strict=True):
                    sent[number] = message
                replaced = [number for number in given if sent[number] != whole[number]]
                hashes |= {
                    found: whole[number]["content"] for found, number in zip(result.ccr_hashes, replaced, strict=True)
                }
            now = [json.dumps(message) for message in sent]
            same += now[: len(before)] == before
            before = now
            for agent, upstream, messages in zip(agents, upstreams, (sent, agents[1].given()), strict=True):
                upstream.answer(*answer_of(turn).parts)
                response = agent.post(http, upstream, messages, {})
                if response.status_code != 200:
                    raise RuntimeError(f"refused: {response.text[:500]}")
                agent.take(response.json(), turn.result)
            report.worst = max(report.worst, round(upstreams[0].total.price / upstreams[1].total.price, 4))
        report.refused = len(upstreams[0].refused)
        report.billed = round(upstreams[0].total.price / upstreams[1].total.price, 4)
        exact = sum(memory.retrieve(BANK, found).original_content == text for found, text in hashes.items())
        report.retrieved = round(exact / len(hashes), 4) if hashes else 1.0
    report.prefix = round(same / len(session.turns), 4)
    lines = [line for message in sent for line in f"{message.get('content')}\n{message.get('tool_calls')}".split("\n")]
    for identifier in (False, True):
        facts = [fact for fact in session.facts if fact.identifier is identifier]
        share = sum(any(all(word in line for word in fact.wanted) for line in lines) for fact in facts) / len(facts)
        setattr(report, "identifiers" if identifier else "statements", round(share, 4))
    times.sort()
    report.call_s, report.p99_s = round(times[len(times) // 2], 4), round(times[len(times) * 99 // 100], 4)
    report.step_s = round(max(step_times, default=0.0), 4)
    return report


def held_back(messages: Sequence[Any]) -> set[int]:
    """Returns the positions of the messages that LiteLLM does not give to be compressed."""
    of = {
        role: [n for n, message in enumerate(messages) if message["role"] == role]
        for role in ("system", "assistant", "user")
    }
    kept = {*of["system"], *of["assistant"], *of["user"][-1:]}
    last = of["assistant"][-1] if of["assistant"] else len(messages)
    return kept | {number for number in range(last, len(messages)) if messages[number]["role"] == "tool"}


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokens", type=int, nargs="+", default=[60_000, 120_000, 400_000])
    parser.add_argument("--calls", type=int, default=CALLS)
    options = parser.parse_args()
    texts = load_texts(options.folder)
    for tokens in options.tokens:
        session = make_session(texts, tokens, calls=options.calls)
        print(json.dumps(asdict(run(session, Report(tokens)))), flush=True)


if __name__ == "__main__":
    main()
