"""The parts that the content of a message is made of: text, tool calls, tool results."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    JsonValue,
    Strict,
    Tag,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from foxing.memory.compact_json import compact_json

from .base import Input

_NO_IMAGES = "images are not stored yet; leave the part out, or say in a text part what the image shows"


def _kind_of_arguments(value: Any) -> str | None:
    return "string" if isinstance(value, str) else "object" if isinstance(value, dict) else None


def _check_json(value: JsonValue) -> JsonValue:
    try:
        compact_json(value)
    except ValueError as error:
        raise PydanticCustomError("json", "{reason}", {"reason": str(error)}) from error
    return value


Arguments = Annotated[
    Annotated[str, Tag("string")] | Annotated[dict[str, JsonValue], AfterValidator(_check_json), Tag("object")],
    Discriminator(
        _kind_of_arguments,
        custom_error_type="arguments",
        custom_error_message="give a JSON object, or a string that holds one",
    ),
]


def _require_type(schema: JsonDict) -> None:
    """In JSON, the type tells parts apart."""
    schema["required"] = ["type", *(name for name in _names(schema.get("required")) if name != "type")]


def _names(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


class _TypedPart(Input):
    """A part that names its type in JSON."""

    model_config = ConfigDict(json_schema_extra=_require_type)


class TextPart(_TypedPart):
    """Text."""

    type: Literal["text"] = Field(default="text", description="`text`; to be given in JSON.")
    text: str = Field(description="The text; may be empty.")


class ToolCall(_TypedPart):
    """A tool called by the speaker."""

    type: Literal["tool_call"] = Field(default="tool_call", description="`tool_call`; to be given in JSON.")
    id: str = Field(min_length=1, max_length=200, description="Id of the call; its result names it.")
    name: str = Field(min_length=1, max_length=200, description="Name of the tool.")
    arguments: Arguments = Field(description="Arguments: a JSON object, or a string that holds one. Kept as given.")


class ToolResult(_TypedPart):
    """What a tool answered."""

    type: Literal["tool_result"] = Field(default="tool_result", description="`tool_result`; to be given in JSON.")
    id: str = Field(min_length=1, max_length=200, description="Id of the call.")
    content: str = Field(description="The answer; may be empty.")
    is_error: bool = Field(default=False, description="Whether the tool failed.")


class ImagePart(Input):
    """An image. Not stored yet: a message with an image is refused."""

    model_config = ConfigDict(json_schema_extra={"not": {}})

    type: Literal["image"] = Field(default="image", description="`image`; to be given in JSON.")
    media_type: str = Field(description="Media type, such as `image/png`.")
    data: str | None = Field(default=None, description="The image in Base64; this or `url`.")
    url: str | None = Field(default=None, description="Where the image is; this or `data`.")

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, fields: Any) -> Any:
        raise PydanticCustomError("image_not_stored", _NO_IMAGES)


#: A part of a stored message.
Part = Annotated[TextPart | ToolCall | ToolResult, Discriminator("type")]
#: A part of a message to store.
NewPart = Annotated[TextPart | ToolCall | ToolResult | ImagePart, Discriminator("type")]


class Function(Input):
    """The function of a `FunctionCall`."""

    name: str = Field(min_length=1, max_length=200, description="Name of the tool.")
    arguments: Arguments = Field(description="Arguments: a string that holds a JSON object, or the object.")


class FunctionCall(Input):
    """A tool call in the shape of OpenAI's chat messages."""

    id: str = Field(min_length=1, max_length=200, description="Id of the call; its result names it.")
    type: Literal["function"] = Field(default="function", description="Always `function`.")
    function: Function = Field(description="The tool and its arguments.")

    @property
    def part(self) -> ToolCall:
        return ToolCall(id=self.id, name=self.function.name, arguments=self.function.arguments)


def _kind_of_content(value: Any) -> str | None:
    if value is None:
        return "null"
    return "text" if isinstance(value, str) else "parts" if isinstance(value, (list, tuple)) else None


def _plain(content: tuple[Part | ImagePart, ...]) -> str | tuple[Part | ImagePart, ...]:
    """The text of a single text part, which is the same as a string."""
    return content[0].text if len(content) == 1 and isinstance(content[0], TextPart) else content


class _FirstError(FailFast):
    """Stops at the first error; hashable, as members of a union must be."""

    __hash__ = object.__hash__


class _AnySequence(Strict):
    """Takes a list for a tuple, also in a strict model; hashable."""

    __hash__ = object.__hash__


#: The content of a message to store. A single text part becomes a string.
Content = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[tuple[NewPart, ...], _AnySequence(False), _FirstError(), AfterValidator(_plain), Tag("parts")]
    | Annotated[None, Tag("null")],
    Discriminator(
        _kind_of_content,
        custom_error_type="content",
        custom_error_message="give a string, a list of parts, or null beside tool calls",
    ),
]
