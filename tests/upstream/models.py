"""Differences between models, as dated data. An id is looked up by its longest known beginning."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ClaudeModel:
    """Rules of a Claude model."""

    #: Least tokens of a cached prefix.
    least_cached: int = 1024
    #: Signatures of thinking are bound to the conversation before it.
    binds_thinking: bool = False
    #: Messages of the role system may stand between others.
    system_messages: bool = False
    #: The last message may be one of the assistant, which the answer continues.
    prefill: bool = False
    context_tokens: int = 1_000_000


#: Beginning of an id → rules, November 2026. Sources: see tests/upstream/README.md.
_CLAUDE = {
    "claude": ClaudeModel(),
    "claude-opus-4-5": ClaudeModel(4096, prefill=True, context_tokens=200_000),
    "claude-sonnet-4-5": ClaudeModel(1024, prefill=True),
    "claude-haiku-4-5": ClaudeModel(4096, prefill=True, context_tokens=200_000),
    "claude-opus-4-6": ClaudeModel(4096),
    "claude-opus-4-7": ClaudeModel(2048),
    "claude-opus-4-8": ClaudeModel(1024, system_messages=True),
    "claude-opus-5": ClaudeModel(512, system_messages=True),
    "claude-fable-5": ClaudeModel(512, system_messages=True),
    "claude-mythos-5": ClaudeModel(512, system_messages=True),
    "claude-sonnet-5": ClaudeModel(1024, system_messages=True),
    "claude-fable-5-1": ClaudeModel(512, binds_thinking=True, system_messages=True),
    "claude-fable-5-2": ClaudeModel(512, binds_thinking=True, system_messages=True),
    "claude-mythos-5-1": ClaudeModel(512, binds_thinking=True, system_messages=True),
    "claude-mythos-5-2": ClaudeModel(512, binds_thinking=True, system_messages=True),
    "claude-opus-5-5": ClaudeModel(512, binds_thinking=True, system_messages=True),
    "claude-sonnet-5-5": ClaudeModel(1024, binds_thinking=True, system_messages=True),
    "claude-haiku-5-5": ClaudeModel(4096, binds_thinking=True, system_messages=True),
}


def claude_model(name: str) -> ClaudeModel:
    """Returns the rules of a Claude model; those of no model in particular for an unknown id."""
    known = max((each for each in _CLAUDE if name.startswith(each)), key=len, default="claude")
    return _CLAUDE[known]


@dataclass(frozen=True)
class RequestLimits:
    """RequestLimits of a request. Those of the providers' documents; a test may lower them."""

    #: Bytes of a body.
    anthropic_body_bytes: int = 32 << 20
    openai_body_bytes: int = 512 << 20
    anthropic_images: int = 100
    openai_images: int = 1500
    #: OpenAI: whether content may have explicit breakpoints of the cache, which older models and gateways refuse.
    breakpoints: bool = True
    anthropic_image_bytes: int = 5 << 20
    openai_image_bytes: int = 50 << 20
    #: Anthropic: longest side of an image in px, and with more images than `many_images`.
    image_side_px: int = 8000
    many_images: int = 20
    many_images_side_px: int = 2000
    #: Anthropic: marks of the prompt cache, and blocks looked back from each.
    cache_marks: int = 4
    cache_lookback: int = 20
    messages: int = 100_000
    #: Seconds that a message thread lives after its last use.
    thread_s: float = 300.0
