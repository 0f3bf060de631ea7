"""A model that answers in order and records what it was sent."""

from collections.abc import AsyncGenerator
from typing import Any

from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_request import LlmRequest
from google.adk.models.llm_response import LlmResponse
from google.genai import types
from pydantic import Field


class Scripted(BaseLlm):
    """Answers texts and parts in order. An exception among the answers is raised."""

    model: str = "scripted"
    answers: list[Any]
    sent: list[LlmRequest] = Field(default_factory=list)

    async def generate_content_async(
        self, llm_request: LlmRequest, stream: bool = False
    ) -> AsyncGenerator[LlmResponse, None]:
        self.sent.append(llm_request.model_copy(update={"contents": list(llm_request.contents)}))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        part = types.Part(text=answer) if isinstance(answer, str) else answer
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


def user(text: str) -> types.Content:
    return types.Content(role="user", parts=[types.Part(text=text)])


def call(name: str, **arguments: Any) -> types.Part:
    return types.Part(function_call=types.FunctionCall(id=f"call-{name}", name=name, args=arguments))
