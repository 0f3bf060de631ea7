"""Parts of the content of a message: text, tool calls, tool results, images."""

import base64
import binascii
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    JsonValue,
    Strict,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from foxing.memory.compact_json import compact_json
from foxing.memory.conversation import BLOCK_MEMBERS, label, read_blocks
from foxing.memory.images.files import ImageFile
from foxing.memory.images.limits import ImageRefused
from foxing.memory.images.text import MAX_READ_CHARS

from .base import FROM_SERVICE, Input, Tier

_URL = r"^[^\s<>\"]+$"


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


class OriginalImage(Input):
    """An image as it was stored, before it faded."""

    media_type: str = Field(max_length=40, description="Media type of its file.")
    width: int = Field(ge=1, description="Width in pixels.")
    height: int = Field(ge=1, description="Height in pixels.")
    bytes: int = Field(ge=0, description="Size of its file in bytes.")


class MachineReadText(Input):
    """Text in an image as a machine (OCR) read it: it may be misread."""

    text: str = Field(max_length=MAX_READ_CHARS, description="The text, in lines.")
    confidence: float = Field(ge=0, le=1, description="Mean confidence of its characters, 0 to 1.")


class ImagePart(_TypedPart):
    """An image: a PNG, JPEG, WebP or GIF of at most 10 MiB and 40 million pixels, or a URL, which is kept as text and
    never fetched. Metadata is dropped, and of an animation the first frame is kept. Image parts of Anthropic, OpenAI
    and Gemini are accepted as well, and become this.

    In text a label stands for it. What recall returns has `original`, and may be stored again.
    """

    type: Literal["image"] = Field(default="image", description="`image`; required in JSON.")
    media_type: str | None = Field(
        default=None, max_length=40, description="Media type of `data`, such as `image/png`. Default: what `data` is."
    )
    data: str | None = Field(
        default=None, repr=False, description="The file in Base64, or a data URL; either this or `url`."
    )
    url: str | None = Field(
        default=None,
        max_length=2_000,
        pattern=_URL,
        description="URL of the image, which is not fetched; either this or `data`.",
    )
    name: str | None = Field(default=None, min_length=1, max_length=200, description="File name.")
    alt: str | None = Field(
        default=None, min_length=1, max_length=2_000, description="What the image shows, in words; recall finds it."
    )
    width: int | None = Field(default=None, ge=1, description="Width in pixels; read from `data`.")
    height: int | None = Field(default=None, ge=1, description="Height in pixels; read from `data`.")
    tier: Tier | None = Field(
        default=None, description="Tier at which the memory holds the image; null as long as it is as it came."
    )
    original: OriginalImage | None = Field(
        default=None,
        description="The image as it was stored. In what recall returns; it may then have neither `data` nor `url`, "
        "because the policy dropped the image or the answer has no room for it.",
    )

    machine_read: MachineReadText | None = Field(
        default=None,
        description="Text in the image as a machine (OCR) read it when its page was sealed; null without the extra "
        "`ocr`, or without text. It may be misread. Recall finds the image by it.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read(cls, fields: Any, info: ValidationInfo) -> Any:
        if not isinstance(fields, Mapping) or info.context is FROM_SERVICE:
            return fields
        fields = dict(fields)
        if fields.get("original") is not None or (fields.get("data") is None and fields.get("url") is not None):
            return fields
        try:
            file = ImageFile.read(_from_base64(fields.get("data")))
        except ImageRefused as error:
            raise PydanticCustomError("image", "{reason}", {"reason": str(error)}) from error
        media_type = fields.get("media_type")
        if media_type is not None and str(media_type).lower() not in (
            file.media_type,
            _OTHER_NAMES.get(file.media_type),
        ):
            reason = f"the image is {file.media_type}, not {media_type}; correct its media type"
            raise PydanticCustomError("image", "{reason}", {"reason": reason})
        return fields | {"media_type": file.media_type, "width": file.width_px, "height": file.height_px}

    @property
    def file(self) -> ImageFile | None:
        """The image in `data`, not yet decoded; None without data. Raises `ImageRefused`."""
        return None if self.data is None else ImageFile.read(_from_base64(self.data))

    @property
    def labelled_size(self) -> tuple[int, int] | None:
        """Width and height in pixels that its label says: as it was stored."""
        if self.original is not None:
            return self.original.width, self.original.height
        return None if self.width is None or self.height is None else (self.width, self.height)


_OTHER_NAMES = {"image/jpeg": "image/jpg"}


def _from_base64(data: object) -> bytes:
    """Returns the bytes of a text in Base64. Raises `ImageRefused`."""
    if not isinstance(data, str) or not data:
        raise ImageRefused("an image needs data in Base64, or a url")
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (ValueError, binascii.Error) as error:
        raise ImageRefused("the data of the image are not Base64; encode the bytes of its file") from error


#: A part of a stored message.
Part = Annotated[TextPart | ToolCall | ToolResult | ImagePart, Discriminator("type")]
#: Types of our parts whose members are checked as they come.
_OWN_TYPES = ("text", "tool_call", "tool_result")


def _is_own(part: Any) -> bool:
    """Returns True for a part of ours, valid or not, and for what is no block at all."""
    if not isinstance(part, Mapping):
        return not isinstance(part, str)
    kind = part.get("type")
    if kind == "image":
        data = (part.get("data"), part.get("url"))
        return "source" not in part and not any(isinstance(value, bytes) or _is_data_url(value) for value in data)
    return kind in _OWN_TYPES and BLOCK_MEMBERS.isdisjoint(part)


def _is_data_url(url: Any) -> bool:
    return isinstance(url, str) and url[:5].lower() == "data:"


def _own_parts(content: Any) -> Any:
    """Returns content with the blocks of providers as parts of ours. Thinking and compactions are left out, unless
    there is nothing else."""
    if not isinstance(content, list | tuple) or all(map(_is_own, content)):
        return content
    parts: list[Any] = []
    others: list[str] = []
    for block in content:
        if _is_own(block):
            parts.append(block)
            continue
        read = read_blocks([block])
        parts += read.parts
        others += [label("thinking")] * read.thinks + [label("compaction")] * read.compacts
    return parts or [{"type": "text", "text": text} for text in others[:1]]


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


def _plain(content: tuple[Part, ...]) -> str | tuple[Part, ...]:
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
    | Annotated[
        tuple[Part, ...],
        _AnySequence(False),
        _FirstError(),
        AfterValidator(_plain),
        BeforeValidator(_own_parts),
        Tag("parts"),
    ]
    | Annotated[None, Tag("null")],
    Discriminator(
        _kind_of_content,
        custom_error_type="content",
        custom_error_message="give a string, a list of parts, or null with tool calls",
    ),
]
