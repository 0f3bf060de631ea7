"""Sessions of Claude Code with messages of the role system between others, as it sends them: the roles of its messages,
recorded, with texts of our own."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.upstream import Upstream

from .conftest import StartProxy
from .sessions import Json, messages_of

#: Name of a session → its messages, a letter each, and the number of messages of each of its requests.
RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "claude_code_sessions.json").read_text())
HEADERS = {"x-api-key": "test", "anthropic-version": "2023-06-01", "x-claude-code-session-id": "s"}
LINE = "The build of module {} wrote build/output-{}.log, and the quick brown fox jumps over the lazy dog. "


def message(kind: str, number: int) -> Json:
    """A message: q of the user, r results of tools, a an answer, c or the number of calls of tools, s of the system."""
    if kind == "s":
        text = "Agents: explore, plan. " * 60 if number == 1 else "The task tools have not been used recently."
        return {"role": "system", "content": text}
    if kind == "q":
        return {"role": "user", "content": [{"type": "text", "text": f"Please look at part {number}."}]}
    if kind == "a":
        return {"role": "assistant", "content": [{"type": "text", "text": f"Part {number} is fine."}]}
    calls = [
        {"type": "tool_use", "id": f"toolu_{number}_{call}", "name": "Bash", "input": {"command": f"cat {number}"}}
        for call in range(1 if kind == "c" else int(kind))
    ]
    return {"role": "assistant", "content": calls}


def messages(kinds: str) -> list[Json]:
    found: list[Json] = []
    for number, kind in enumerate(kinds):
        if kind != "r":
            found.append(message(kind, number))
            continue
        called = next(each for each in reversed(found) if each["role"] == "assistant")["content"]
        text = LINE.format(number, number) * 12
        results = [{"type": "tool_result", "tool_use_id": call["id"], "content": text} for call in called]
        found.append({"role": "user", "content": results})
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize("budget", [8_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_sessions_of_claude_code_are_folded_and_none_is_refused(
    start: StartProxy, upstream: Upstream, name: str, budget: int
) -> None:
    recorded = RECORDED[name]
    proxy = start(budget=budget)
    said = messages(recorded["messages"])
    folded = 0
    with httpx.Client(timeout=60, headers=HEADERS) as http:
        for length in recorded["requests"]:
            body = {"model": recorded["model"], "max_tokens": 99, "messages": said[:length]}
            answer = http.post(f"{proxy.url}/v1/messages?beta=true", json=body)
            assert answer.status_code == 200, answer.text
            folded += answer.headers["x-foxing-folded"] == "yes"
    assert not upstream.refused
    assert proxy.proxy.status()["calls"].get("refused", 0) == 0
    assert folded >= 40
    sent = [messages_of(call.value) for call in upstream.calls if call.value]
    kept = sum(after[: len(before)] == before for before, after in pairwise(sent))
    assert kept >= len(sent) - 1 - sum(proxy.proxy.status()["folds"].values())
    last = upstream.calls[-1].value
    assert last is not None
    assert json.dumps(last["messages"]).count("Agents: explore, plan. " * 60) == 1
