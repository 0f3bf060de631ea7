"""Sessions of agents that pass through a proxy."""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from benchmarks.fold.clients import AGENTS, Agent
from tests.upstream import ScriptedCall, Text, Thinking, Upstream

WORDS = (
    "The build of module {} wrote build/output-{}.log, and the quick brown fox jumps over the lazy dog by the river. "
)
MODELS = {"anthropic": "claude-opus-5-5", "openai": "gpt-5.6", "openai-responses": "gpt-5.6"}
Json = dict[str, Any]


class PlayedSession:
    """A session of an agent with a model: it calls a tool at each call but every fourth, which ends the turn."""

    def __init__(
        self,
        wire: str,
        upstream: Upstream,
        *,
        task: str = "Please fix the build of Titan.",
        thinks: bool = True,
        screenshots: Sequence[bytes] = (),
        tool: str = "run",
    ) -> None:
        """`screenshots`: PNG files, one for each of the first results of tools. `tool`: that which the model calls."""
        self.tool = tool
        self.agent: Agent = AGENTS[wire](MODELS[wire])
        self.agent.say(task)
        self.upstream = upstream
        self.thinks = thinks
        self.screenshots = list(screenshots)
        self.calls = 0
        self.answers: list[httpx.Response] = []

    def play(self, http: httpx.Client, url: str, calls: int, *, stream: bool = False, **headers: str) -> None:
        """Sends so many calls through the proxy at `url`."""
        for _ in range(calls):
            ends = self.calls % 4 == 3
            parts: list[Any] = [Text(f"Step {self.calls}.")]
            if self.thinks:
                parts.insert(0, Thinking(f"Thought {self.calls}."))
            if not ends:
                parts.append(ScriptedCall(self.tool, {"command": f"make step-{self.calls}"}))
            self.upstream.answer(*parts)
            body = self.agent.body(self.agent.given())
            if stream:
                body["stream"] = True
            sent = {**self.agent.headers, **headers}
            answer = http.post(f"{url}{self.agent.path}", json=body, headers=sent)
            assert answer.status_code == 200, answer.text
            self.answers.append(answer)
            said = self.upstream.calls[-1].answered
            assert said is not None
            screenshot = "" if ends or not self.screenshots else base64.b64encode(self.screenshots.pop(0)).decode()
            self.agent.take(said, WORDS.format(self.calls, self.calls) * 12, screenshot)
            if ends:
                self.agent.say(f"Now do part {self.calls} as well, please.")
            self.calls += 1

    def sent(self) -> Iterator[Json]:
        """Yields the bodies that reached the upstream."""
        for call in self.upstream.calls:
            assert call.value is not None
            yield call.value

    @property
    def folds(self) -> list[bool]:
        """Whether each answer says that its request was folded."""
        return [answer.headers.get("x-foxing-folded") == "yes" for answer in self.answers]


def messages_of(body: Json) -> list[str]:
    """Returns the messages of a request as JSON, without cache marks."""
    messages = body.get("messages") or body["input"]
    return [json.dumps(_unmarked(message), sort_keys=True) for message in messages]


def _unmarked(value: Any) -> Any:
    if isinstance(value, list):
        return [_unmarked(each) for each in value]
    if isinstance(value, dict):
        return {key: _unmarked(inner) for key, inner in value.items() if key != "cache_control"}
    return value
