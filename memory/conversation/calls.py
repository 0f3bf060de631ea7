"""Tool calls of a conversation: that each is answered in time, and where none is open."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from foxing.memory.errors import InvalidInput

from .parse import ProviderMessage
from .provider import FORMATS, Provider


def closed_after(provider: Provider, messages: Sequence[ProviderMessage]) -> list[bool]:
    """Returns for each message whether no tool call is open after it, and the next message may be separated from it.
    Raises `InvalidInput` for a tool call without an answer, except the last, for an answer without a call, and for a
    call or an answer of the wrong speaker."""
    waiting: dict[str, list[int]] = {}
    closed: list[bool] = []
    for number, message in enumerate(messages):
        if message.opens and message.role != "assistant":
            raise InvalidInput("it calls a tool, which only the model may do", index=number)
        if message.answers and message.role == "assistant":
            raise InvalidInput("it answers a tool call, which the model may not do", index=number)
        for name in message.answers:
            if name not in waiting:
                raise InvalidInput(f"it answers the tool call '{name}', which no message before it makes", index=number)
            waiting[name].pop()
            if not waiting[name]:
                del waiting[name]
        if waiting and _ends_calls(provider, messages, number):
            _refuse_unanswered(waiting)
        for name in message.opens:
            waiting.setdefault(name, []).append(number)
        closed.append(not waiting and not message.joins_next)
    if waiting and messages[-1].role == "user":
        _refuse_unanswered(waiting)
    return closed


def _ends_calls(provider: Provider, messages: Sequence[ProviderMessage], number: int) -> bool:
    """Returns True if the calls before a message must be answered when it comes."""
    role = messages[number].role
    before = FORMATS[provider].answered_before
    if before == "other":
        return role != "tool"
    if before == "next":
        return role not in ("tool", messages[number - 1].role)
    return role == before and (role == "user" or messages[number - 1].role != "assistant")


def _refuse_unanswered(waiting: Mapping[str, Sequence[int]]) -> NoReturn:
    name, places = next(iter(waiting.items()))
    raise InvalidInput(f"its tool call '{name}' is not answered by what follows", index=places[0])
