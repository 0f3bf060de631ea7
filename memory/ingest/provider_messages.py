"""Messages to store, from those of a provider."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from pydantic import ValidationError

from foxing.memory.conversation import (
    INSTRUCTIONS,
    Json,
    Provider,
    ProviderMessage,
    SessionTurns,
    Turn,
    WebCalls,
    label,
    parse,
    parse_message,
    whole_items,
)
from foxing.memory.conversation.answers import read_answer
from foxing.memory.conversation.hosts import is_errand
from foxing.memory.conversation.identity import own_session
from foxing.memory.errors import InvalidInput
from foxing.memory.images.files import check_pixels
from foxing.memory.images.limits import ImageRefused
from foxing.memory.values.base import Fields, kind_of
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart

THINKING = "thinking"
COMPACTIONS = "compactions"
OF_HOST = "text of the host"
ERRANDS = "requests of the host"
UNREADABLE = "messages that cannot be read"
ANSWERS = "answers that are not complete"
#: Session of a conversation that names none.
AUTO = "auto"
#: Cap on the images of a turn together, so that it fits the body of a request.
_MAX_IMAGE_BYTES = 2 << 20
#: Members of an image that is stored.
IMAGE_MEMBERS = {"type", "media_type", "data", "url", "name", "alt"}


@dataclass(frozen=True)
class ProviderMessages:
    """Messages to store, and counts of what is left out."""

    #: Messages as `Memory.store` takes them: one for each turn: the words of a speaker, a tool call, or its result.
    messages: list[Fields]
    #: What is not stored → how often it occurs.
    left_out: dict[str, int]


def messages_of(
    provider: str,
    items: Iterable[Json | NewMessage],
    *,
    thread: str | None = None,
    session: str | None = None,
    answer: str | None = None,
) -> ProviderMessages:
    """Returns messages in the format of a provider as messages to store. An image that is refused costs that image.

    `session`: the items are a conversation from its beginning, whose turns have the ids that they have by every way in;
    `AUTO` for a session that follows from its first words. Their thread is `thread`, by default the session. `answer`:
    body of the answer of the provider. Raises `InvalidInput` for an unknown provider, and for an item without a valid
    role, with its `index`; of a session, it costs that item.
    """
    names: tuple[Provider, ...] = get_args(Provider)
    name = next((candidate for candidate in names if candidate == provider), None)
    if name is None:
        raise InvalidInput(f"provider must be {', '.join(names[:-1])} or {names[-1]}, not {provider!r}")
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise InvalidInput(f"messages must be a list of messages of {provider}, not {kind_of(items)}")
    left_out = Counter[str]()
    read = parse(name, list(items)) if session is None else list(_readable(name, list(items), left_out))
    reply = None if answer is None else read_answer(name, answer)
    left_out[ANSWERS] += answer is not None and reply is None
    read += _readable(name, reply.messages, left_out) if reply is not None else ()
    for message in read:
        left_out[THINKING] += message.thinks
        left_out[COMPACTIONS] += message.compacts
        left_out[OF_HOST] += bool(message.parts) and not message.turns
    if session is None:
        calls = WebCalls()
        messages = [_fields(calls.with_origin(turn)) for message in read for turn in message.turns]
    elif is_errand(message.turns[0].text for message in read if message.role in INSTRUCTIONS and message.turns):
        messages = []
        left_out[ERRANDS] += 1
    else:
        messages = list(_conversation(read, session, thread))
    return ProviderMessages(messages, {reason: count for reason, count in left_out.items() if count})


def _fields(turn: Turn) -> Fields:
    fields: Fields = {"role": turn.role, "content": with_images(turn.parts)}
    if turn.trust is not None:
        fields["trust"] = turn.trust
    return fields if turn.name is None else {**fields, "name": turn.name}


def _readable(provider: Provider, items: Sequence[object], left_out: Counter[str]) -> Iterator[ProviderMessage]:
    """Yields the messages that can be read."""
    whole = [item if isinstance(item, Mapping) else {} for item in items]
    for place, item in whole_items(provider, whole):
        try:
            yield parse_message(provider, item, place)
        except InvalidInput:
            left_out[UNREADABLE] += 1


def _conversation(messages: Sequence[ProviderMessage], session: str, thread: str | None) -> Iterator[Fields]:
    """Yields the turns of a conversation, with their ids."""
    named = own_session(messages) if session == AUTO else session
    if named is None:  # nobody has asked
        return
    turns = SessionTurns(named)
    for message in messages:
        for turn, turn_id in turns.read(message):
            yield sound({"id": turn_id, "thread": thread or named, **_fields(turn)})


def with_images(parts: Iterable[Fields]) -> list[Fields]:
    """Returns parts with their images read from their headers. In place of an image that cannot be kept stands a label
    that says why."""
    return [part if part["type"] != "image" else _image(part) for part in parts]


def sound(message: Fields) -> Fields:
    """Returns a message with labels in place of images that a bank refuses, or that are too large for a request."""
    return {**message, "content": list(_sound(cast(list[Fields], message["content"])))}


def _sound(parts: Iterable[Fields]) -> Iterator[Fields]:
    size = 0
    for part in parts:
        file = ImagePart.model_validate(part).file if part["type"] == "image" else None
        if file is None:
            yield part
            continue
        size += len(file.content)
        try:
            check_pixels(file)
            reason = "it is too large for a request" if size > _MAX_IMAGE_BYTES else ""
        except ImageRefused as error:
            reason = str(error).partition(";")[0]
        yield {"type": "text", "text": label("image, not remembered", reason)} if reason else part


def _image(part: Fields) -> Fields:
    if part.get("data") is not None:  # says what it is, whatever the client has declared
        part = {name: value for name, value in part.items() if name != "media_type"}
    try:
        image = ImagePart.model_validate(part)
    except (ValidationError, ImageRefused) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        return {"type": "text", "text": label("image, not remembered", reason.partition(";")[0])}
    return image.model_dump(mode="json", include=IMAGE_MEMBERS, exclude_none=True)
