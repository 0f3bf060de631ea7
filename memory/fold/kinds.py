"""Kinds of folded messages: what the user typed, also in answer to a tool that asks, and open plans."""

import re
from collections.abc import Iterable, Mapping, Sequence

from foxing.memory.conversation import Turn
from foxing.memory.values.part_text import CALL_MARK, RESULT_MARK

from .excerpts import TYPED_CHARS, FoldedMessage, Kind

#: Tools whose result is what the user says to a question, and how a result begins that repeats what the user said.
_ASKING = frozenset({"askuserquestion", "requestuserinput", "exitplanmode", "askfollowupquestion", "question"})
_REPEATS = "the user said:"
#: Tools whose call states the whole plan, so that the latest one counts, and those whose call changes one task of it.
_WHOLE_PLANS = frozenset({"todowrite", "updateplan", "writetodos", "exitplanmode"})
_TASKS = frozenset({"taskcreate", "taskupdate"})
#: Longest result in characters that is taken for words of the user.
_ANSWER_CHARS = 2_000
_CALL_HEAD = re.compile(rf'^({CALL_MARK} (?:[^\s"]+|"(?:[^"\\]|\\.)*")) (?:[^\s"]+|"(?:[^"\\]|\\.)*") ')
_RESULT_HEAD = re.compile(rf'^{RESULT_MARK} (?:[^\s"]+|"(?:[^"\\]|\\.)*")')


def kinds_of(turns: Sequence[Turn]) -> Mapping[int, Kind]:
    """Returns `id` of a turn → its kind, of those of a conversation that have one."""
    tools = {
        str(part.get("id")): _plain(part.get("name"))
        for turn in turns
        for part in turn.parts
        if part["type"] == "tool_call"
    }
    kinds: dict[int, Kind] = {}
    for turn in turns:
        first = turn.parts[0]
        if first["type"] == "tool_result":
            content = str(first.get("content", ""))
            is_question = tools.get(str(first.get("id"))) in _ASKING or _REPEATS in content
            if is_question and len(content) <= _ANSWER_CHARS:
                kinds[id(turn)] = "typed"
        elif first["type"] == "tool_call":
            if _plain(first.get("name")) in _WHOLE_PLANS | _TASKS:
                kinds[id(turn)] = "plan"
        elif turn.role == "user":
            kinds[id(turn)] = "typed"
    return kinds


def latest_plans(messages: Sequence[FoldedMessage], later: Iterable[Turn]) -> list[FoldedMessage]:
    """Returns messages whose plans are those that are open: of each tool that states the whole plan, the latest alone.
    `later`: turns after them."""
    seen = {_plain(part.get("name")) for turn in later for part in turn.parts if part["type"] == "tool_call"}
    changed = list[FoldedMessage]()
    for message in reversed(messages):
        tool = _plain(message.text.split(" ", 2)[1]) if message.kind == "plan" and " " in message.text else ""
        if tool in _WHOLE_PLANS and tool in seen:
            message = FoldedMessage(
                message.ref, message.role, message.at, message.text, message.gaps, marks=message.marks
            )
        if tool:
            seen.add(tool)
        changed.append(message)
    return changed[::-1]


def chars_for(message: FoldedMessage, share: float) -> float:
    """Returns the characters that a message should have in a fold. `share`: that of what is not kept word for word."""
    whole = {"typed": TYPED_CHARS, "plan": len(message.text), "": 0}[message.kind]
    return min(len(message.text), whole) + max(0, len(message.text) - whole) * share


def without_call_id(text: str) -> str:
    """Returns the text of a tool call or result without the id of the call, which tells a reader nothing."""
    if text.startswith(CALL_MARK):
        return _CALL_HEAD.sub(r"\1 ", text, count=1)
    return _RESULT_HEAD.sub(RESULT_MARK, text, count=1) if text.startswith(RESULT_MARK) else text


def _plain(name: object) -> str:
    return str(name).lower().replace("_", "").replace("-", "")
