"""Messages to store, from those of a provider."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

from pydantic import ValidationError

from foxing.memory.conversation import Json, Provider, label, parse
from foxing.memory.errors import InvalidInput
from foxing.memory.images.limits import ImageRefused
from foxing.memory.values.base import Fields, kind_of
from foxing.memory.values.messages import NewMessage
from foxing.memory.values.parts import ImagePart

THINKING = "thinking"
COMPACTIONS = "compactions"
OF_HOST = "text of the host"
#: Members of an image that is stored.
IMAGE_MEMBERS = {"type", "media_type", "data", "url", "name", "alt"}


@dataclass(frozen=True)
class ProviderMessages:
    """Messages to store, and counts of what is left out."""

    #: Messages as `Memory.store` takes them: one for each turn: the words of a speaker, a tool call, or its result.
    messages: list[Fields]
    #: What is not stored → how often it occurs.
    left_out: dict[str, int]


def messages_of(provider: str, items: Iterable[Json | NewMessage]) -> ProviderMessages:
    """Returns messages in the format of a provider as messages to store. An image that is refused costs that image.
    Raises `InvalidInput` for an unknown provider, and for an item without a valid role, with its `index`."""
    names: tuple[Provider, ...] = get_args(Provider)
    name = next((candidate for candidate in names if candidate == provider), None)
    if name is None:
        raise InvalidInput(f"provider must be {', '.join(names[:-1])} or {names[-1]}, not {provider!r}")
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        raise InvalidInput(f"messages must be a list of messages of {provider}, not {kind_of(items)}")
    messages = list[Fields]()
    left_out = Counter[str]()
    for message in parse(name, list(items)):
        left_out[THINKING] += message.thinks
        left_out[COMPACTIONS] += message.compacts
        left_out[OF_HOST] += bool(message.parts) and not message.turns
        for turn in message.turns:
            fields: Fields = {"role": turn.role, "content": with_images(turn.parts)}
            messages.append(fields if turn.name is None else {**fields, "name": turn.name})
    return ProviderMessages(messages, {reason: count for reason, count in left_out.items() if count})


def with_images(parts: Iterable[Fields]) -> list[Fields]:
    """Returns parts with their images read from their headers. In place of an image that cannot be kept stands a label
    that says why."""
    return [part if part["type"] != "image" else _image(part) for part in parts]


def _image(part: Fields) -> Fields:
    if part.get("data") is not None:  # says what it is, whatever the client has declared
        part = {name: value for name, value in part.items() if name != "media_type"}
    try:
        image = ImagePart.model_validate(part)
    except (ValidationError, ImageRefused) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        return {"type": "text", "text": label("image, not remembered", reason.partition(";")[0])}
    return image.model_dump(mode="json", include=IMAGE_MEMBERS, exclude_none=True)
