"""What a model writes for each of its prompts."""

from dataclasses import dataclass
from time import perf_counter

from foxing.encoder.capabilities import capabilities_of
from foxing.encoder.conformance import sample_page
from foxing.encoder.contract import Codec
from foxing.encoder.errors import CodecError
from foxing.renderer import render

SHOWN_CHARACTERS = 400
SUBJECT = "the harbour"  # which stands on the sample page


@dataclass(frozen=True)
class PromptResult:
    """The answer to one prompt about the sample page."""

    prompt: str
    tier: str
    characters: int
    seconds: float
    #: The beginning of it, or why there is none.
    text: str


def run_prompts(codec: Codec) -> list[PromptResult]:
    """The answer to every prompt at the sharpest tier; none for a codec without prompts."""
    promptable = capabilities_of(codec).promptable
    if promptable is None:
        return []
    page, tier = sample_page(codec), next(iter(codec.tiers))
    tokens = codec.encode([render(page.cells, page.layout, tier)], tier)
    results = []
    for prompt in promptable.prompts:
        begun = perf_counter()
        try:
            (text,) = promptable.write(tokens, prompt, SUBJECT)
        except CodecError as error:
            text = f"failed: {error}"
        seconds = perf_counter() - begun
        results.append(PromptResult(prompt, tier, len(text), seconds, text[:SHOWN_CHARACTERS]))
    return results
