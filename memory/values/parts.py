"""Parts of the content of a message: text, tool calls, tool results."""

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

_NO_IMAGES = "images are not stored yet; omit the part, or describe the image in a text part"


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
        custom_error_message="give a JSON object, or a string that contains one",
    ),
]


def _require_type(schema: JsonDict) -> None:
    """Makes `type`, the discriminator of parts, required in the JSON schema."""
    schema["required"] = ["type", *(name for name in _names(schema.get("required")) if name != "type")]


def _names(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


class _TypedPart(Input):
    """Base class of parts with a `type` in JSON."""

    model_config = ConfigDict(json_schema_extra=_require_type)


class TextPart(_TypedPart):
    """A text part."""

    type: Literal["text"] = Field(default="text", description="`text`; required in JSON.")
    text: str = Field(description="The text; may be empty.")


class ToolCall(_TypedPart):
    """A call of a tool by the speaker."""

    type: Literal["tool_call"] = Field(default="tool_call", description="`tool_call`; required in JSON.")
    id: str = Field(min_length=1, max_length=200, description="Id of the call; its result refers to it.")
    name: str = Field(min_length=1, max_length=200, description="Name of the tool.")
    arguments: Arguments = Field(description="Arguments: a JSON object, or a string that contains one. Kept as given.")


class ToolResult(_TypedPart):
    """The result of a tool call."""

    type: Literal["tool_result"] = Field(default="tool_result", description="`tool_result`; required in JSON.")
    id: str = Field(min_length=1, max_length=200, description="Id of the call.")
    content: str = Field(description="The result; may be empty.")
    is_error: bool = Field(default=False, description="Whether the tool failed.")


class ImagePart(Input):
    """An image. Not supported yet: a message with an image is rejected."""

    model_config = ConfigDict(json_schema_extra={"not": {}})

    type: Literal["image"] = Field(default="image", description="`image`; required in JSON.")
    media_type: str = Field(description="Media type, such as `image/png`.")
    data: str | None = Field(default=None, description="The image in Base64; either this or `url`.")
    url: str | None = Field(default=None, description="URL of the image; either this or `data`.")

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
    arguments: Arguments = Field(description="Arguments: a string that contains a JSON object, or the object.")


class FunctionCall(Input):
    """A tool call in the format of OpenAI's chat messages."""

    id: str = Field(min_length=1, max_length=200, description="Id of the call; its result refers to it.")
    type: Literal["function"] = Field(default="function", description="Always `function`.")
    function: Function = Field(description="The tool and its arguments.")

    @property
    def part(self) -> ToolCall:
        """The call as a part."""
        return ToolCall(id=self.id, name=self.function.name, arguments=self.function.arguments)


def _kind_of_content(value: Any) -> str | None:
    if value is None:
        return "null"
    return "text" if isinstance(value, str) else "parts" if isinstance(value, (list, tuple)) else None


def _plain(content: tuple[Part | ImagePart, ...]) -> str | tuple[Part | ImagePart, ...]:
    """Returns the text of a single text part, which is equivalent to a string; other content unchanged."""
    return content[0].text if len(content) == 1 and isinstance(content[0], TextPart) else content


class _FirstError(FailFast):
    """`FailFast` made hashable, as members of a union must be."""

    __hash__ = object.__hash__


class _AnySequence(Strict):
    """`Strict` made hashable; `_AnySequence(False)` accepts a list for a tuple in a strict model."""

    __hash__ = object.__hash__


#: The content of a message to store. A single text part becomes a string.
Content = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[tuple[NewPart, ...], _AnySequence(False), _FirstError(), AfterValidator(_plain), Tag("parts")]
    | Annotated[None, Tag("null")],
    Discriminator(
        _kind_of_content,
        custom_error_type="content",
        custom_error_message="give a string, a list of parts, or null with tool calls",
    ),
]
