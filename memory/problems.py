"""Problem documents (RFC 9457), the error responses of a service."""

from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from foxing.renderer.errors import ProblemKind, Retry

#: Header of a response with the version of the service.
VERSION_HEADER: Final = "Foxing-Version"
TYPE_PREFIX: Final = "urn:foxing:problem:"


class FieldError(BaseModel):
    """An error in a field of a request."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    where: str = Field(description="Path of the field, for example `body.messages.0.created_at`.")
    message: str = Field(description="What is wrong and how to correct it.")


class Problem(BaseModel):
    """A problem document (RFC 9457, `application/problem+json`)."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    type: str = Field(description="Stable identifier of the kind of problem.", examples=[TYPE_PREFIX + "not-found"])
    title: str = Field(description="Short summary, the same for every problem of a `type`.", examples=["Not found"])
    status: int = Field(description="HTTP status.", examples=[404])
    detail: str = Field(description="What happened and what to do about it.")
    instance: str | None = Field(default=None, description="Path of the request.")
    request_id: str | None = Field(default=None, description="`X-Request-ID` of the request, also logged.")
    errors: list[FieldError] | None = Field(default=None, description="The errors in the request, if it is invalid.")

    retry: Retry | None = Field(
        default=None,
        description="Whether the same request may succeed another time: `later`, or `after` a number of seconds. "
        "Without it, the request is refused however often it is sent.",
    )
    retry_after_s: float | None = Field(
        default=None, description="Seconds before which the same request does not succeed."
    )

    @classmethod
    def of(cls, kind: ProblemKind, detail: str, instance: str | None = None, **fields: Any) -> Self:
        """Returns a problem document of `kind`, with other `fields`. Lone surrogates in `detail` and `instance` are
        escaped."""
        return cls(
            type=TYPE_PREFIX + kind.slug,
            title=kind.title,
            status=kind.status,
            detail=encodable(detail),
            instance=None if instance is None else encodable(instance),
            retry=None if kind.retry == "never" else kind.retry,
            retry_after_s=kind.retry_after_s,
            **fields,
        )

    def document(self) -> dict[str, Any]:
        """Returns the problem as a JSON object, without fields that are None."""
        return self.model_dump(mode="json", exclude_none=True)


def encodable(text: str) -> str:
    """Returns `text` with lone surrogates escaped: error messages may quote them, and UTF-8 cannot encode them."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
