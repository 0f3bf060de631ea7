"""A codec whose tokens are written here and decoded by a server, which is sent them as the embeddings of a prompt."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from foxing.encoder.capabilities import RemoteUsage
from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError, ReadFailed
from foxing.encoder.remote.completions import Completion
from foxing.encoder.remote.dispatch import PageDispatcher
from foxing.encoder.remote.endpoint import COMPLETION, Endpoint
from foxing.encoder.remote.requests import prompt_embeds_request
from foxing.encoder.remote.responses import loop_start
from foxing.encoder.tokens import VisionTokens
from foxing.renderer import BLANK

from .batching import halving
from .codec import VisionCodec
from .generation import MAX_BLOCKS, Runs, Written, written
from .model import READ, Given, VisionModel
from .quantization import from_tokens


class ServedVisionCodec(VisionCodec):
    """See `foxing.encoder.RemoteCodec`. Its tokens are those of `VisionCodec`: either reads what the other wrote."""

    def __init__(self, model: VisionModel, weights: str, endpoint: Endpoint, **options: Any) -> None:
        """`endpoint`: a server that runs the same weights and takes embeddings; `options`: those of `VisionCodec`."""
        super().__init__(model, weights, **options)
        self.endpoint = endpoint
        self._dispatcher = PageDispatcher(endpoint, self._check, self._read)

    def close(self) -> None:
        """See `foxing.encoder.remote.codec.EndpointCodec.close`."""
        self._dispatcher.close()

    @property
    def usage(self) -> RemoteUsage:
        """What was asked since the codec was loaded, and what it cost."""
        return self.endpoint.meter.usage

    def runs_on(self) -> dict[str, str]:
        return {**super().runs_on(), "decoded by": f"{self.endpoint.options.model} at {self.endpoint.url}"}

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec`. All pages are asked for before the first failure is raised."""
        return self._dispatcher.all(tokens)

    def decode_each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """See `foxing.encoder.RemoteCodec`."""
        return self._dispatcher.each(tokens)

    def write(self, tokens: Sequence[VisionTokens], prompt: str = READ, subject: str = "") -> list[Written]:
        """See `VisionCodec.write`; pages are asked for one after another. Raises `ReadFailed` too."""
        for item in tokens:
            self._check(item)
        return [self._written(item, self.model.prompt(prompt, subject)) for item in tokens]

    def _read(self, tokens: VisionTokens) -> Reading:
        """Raises `ReadFailed` for a page without a text too: whether it has ink cannot be seen from its tokens, but
        pages begin with the header of a message, and what is taken for a reading costs a page its exact text."""
        reading = self._reading(tokens.tier, self._written(tokens, self.model.prompt(READ)))
        if np.isin(reading.cells, (BLANK, ord(" "))).all():
            raise ReadFailed(
                f"{self.endpoint.url} wrote no text for a page, though none is empty; check by foxing codec check that "
                "it runs the model of FOXING_CODEC_MODEL and takes embeddings (--enable-prompt-embeds)"
            )
        return reading

    def _written(self, tokens: VisionTokens, prompt: str) -> Written:
        options = self.endpoint.options
        page = Given(tokens.tier, from_tokens(tokens))
        (embeddings,) = halving(lambda part: [self.model.prompt_embeddings(part[0], prompt)], [page], ReadFailed)
        limit = min(self.bound, options.max_tokens or self.bound, self.model.context - len(embeddings))
        body = prompt_embeds_request(str(options.model), embeddings, limit, self.model.ngram, options.extra)
        completion = self.endpoint.ask(COMPLETION, body)
        if 0 < completion.prompt_tokens < len(embeddings):
            raise ReadFailed(
                f"{self.endpoint.url} read a prompt of {completion.prompt_tokens} tokens, not the {len(embeddings)} "
                "embeddings that it was sent: it does not take them; FOXING_CODEC_DECODER=remote is for vLLM started "
                "with --enable-prompt-embeds"
            )
        return as_written(self.model, completion, options.default_confidence)


def as_written(model: VisionModel, completion: Completion, default: float) -> Written:
    """What a server wrote, as the model writes it here: up to where it was kept from repeating itself too often.
    `default`: the probability of what the server tells none of."""
    ids, best = completion.ids, completion.best_ids
    if ids is None or best is None:
        return _by_text(completion, default)
    told = np.exp(np.minimum(completion.logprobs, 0.0)).astype(np.float32)
    probabilities = told if len(told) else np.full(len(ids), default, dtype=np.float32)
    if not completion.cut and not model.end_ids.intersection(ids):  # the server keeps the end to itself
        ids, best = [*ids, min(model.end_ids)], [*best, min(model.end_ids)]
        probabilities = np.append(probabilities, np.float32(default))
    runs = Runs(model.ngram)
    blocked: list[int] = []
    for step, token in enumerate(ids):
        if best[step] in runs.forbidden:
            blocked.append(step)
            if len(blocked) > MAX_BLOCKS:
                ids = ids[: step + 1]
                break
        runs.add(token)
    return written(model, ids, probabilities, blocked)


def _by_text(completion: Completion, default: float) -> Written:
    """The same where tokens are not named by their ids: loops are seen in the text alone."""
    answer = completion.answer
    sure = np.full(len(answer.text), default, dtype=np.float32) if answer.sure is None else answer.sure
    start = loop_start(answer.text)
    looped = np.arange(len(answer.text)) >= (len(answer.text) if start is None else start)
    return Written(answer.text, sure, looped, "length" if answer.cut else "end", 0.0 if answer.cut else default)
