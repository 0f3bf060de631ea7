"""What a user of `wrap` writes; tests check its types."""

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from openai.types.chat import ChatCompletion
from openai.types.responses import Response
from pydantic import BaseModel

from foxing.integrations.wrap import flush, wrap
from foxing.memory import Memory


class Weather(BaseModel):
    """An answer of a model."""

    rain: bool


def use_openai(memory: Memory) -> bool:
    client: OpenAI = wrap(OpenAI(), memory=memory, bank="ana", budget=500)
    azure: AzureOpenAI = wrap(AzureOpenAI(api_version="2026-10-01"), bank="ana", recall=False)
    completion: ChatCompletion = azure.chat.completions.create(
        model="gpt-5.6", messages=[{"role": "user", "content": "hello"}]
    )
    response: Response = client.responses.create(model="gpt-5.6", input=completion.choices[0].message.content or "")
    weather: Weather | None = client.responses.parse(
        model="gpt-5.6", input=response.output_text, text_format=Weather
    ).output_parsed
    return flush(client) and weather is not None and weather.rain


def use_anthropic(url: str) -> str:
    with wrap(Anthropic(), memory=url, api_key="secret", thread="chat-7") as client:
        message: Message = client.messages.create(
            model="claude-fable-5-1", max_tokens=100, messages=[{"role": "user", "content": "hello"}]
        )
        return message.id


async def use_asynchronous_clients() -> str:
    openai: AsyncOpenAI = wrap(AsyncOpenAI())
    anthropic: AsyncAnthropic = wrap(AsyncAnthropic())
    response = await openai.responses.create(model="gpt-5.6", input="hello")
    async with anthropic.messages.stream(
        model="claude-fable-5-1", max_tokens=100, messages=[{"role": "user", "content": response.output_text}]
    ) as stream:
        return await stream.get_final_text()
