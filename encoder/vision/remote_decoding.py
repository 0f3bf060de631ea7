"""Codec that encodes locally and decodes on a server, which receives vision tokens as prompt embeddings."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from foxing.encoder.alignment import unpack_ink, without_markup
from foxing.encoder.capabilities import RemoteUsage
from foxing.encoder.contract import Reading
from foxing.encoder.errors import CodecError, ReadFailed
from foxing.encoder.remote.completions import Completion
from foxing.encoder.remote.dispatch import PageDispatcher
from foxing.encoder.remote.endpoint import COMPLETION, Endpoint
from foxing.encoder.remote.requests import prompt_embeds_request
from foxing.encoder.remote.responses import loop_start
from foxing.encoder.tokens import VisionTokens

from .batching import split_on_oom
from .codec import VisionCodec
from .generation import Generation, NgramHistory, detokenize, loops
from .models.model import PageFeatures, VisionModel
from .quantization import from_tokens


class RemoteVisionCodec(VisionCodec):
    """See `foxing.encoder.RemoteCodec`. Its tokens are interchangeable with those of `VisionCodec`."""

    def __init__(self, model: VisionModel, weights: str, endpoint: Endpoint, **options: Any) -> None:
        """`model`: possibly without its decoder (`VisionModel.load_encoder`); `endpoint`: server that runs the same
        weights and accepts prompt embeddings; `options`: keyword arguments of `VisionCodec`."""
        super().__init__(model, weights, **options)
        self.endpoint = endpoint
        self._dispatcher = PageDispatcher(endpoint, self._check, self._read)

    def close(self) -> None:
        """See `foxing.encoder.remote.codec.EndpointCodec.close`."""
        self._dispatcher.close()

    @property
    def usage(self) -> RemoteUsage:
        """Usage of the server since the codec was loaded."""
        return self.endpoint.meter.usage

    def runs_on(self) -> dict[str, str]:
        """See `foxing.encoder.DescribableCodec`."""
        return {**super().runs_on(), "decoded by": f"{self.endpoint.options.model} at {self.endpoint.url}"}

    def decode(self, tokens: Sequence[VisionTokens]) -> list[Reading]:
        """See `foxing.encoder.Codec`. Raises the first failure after every page has been attempted."""
        return self._dispatcher.all(tokens)

    def decode_each(self, tokens: Sequence[VisionTokens]) -> list[Reading | CodecError]:
        """See `foxing.encoder.RemoteCodec`."""
        return self._dispatcher.each(tokens)

    def generate(self, tokens: Sequence[VisionTokens]) -> list[Generation]:
        """See `VisionCodec.generate`. Pages are requested one after another; a failed request raises `ReadFailed`."""
        for item in tokens:
            self._check(item)
        return [self.endpoint.run(partial(self._request, item)) for item in tokens]

    async def _read(self, tokens: VisionTokens) -> Reading:
        """Reads one page. Raises `ReadFailed`, also for an inked page that reads as empty, because accepting it would
        delete the exact text of the page. A page without a map of ink counts as inked, since every page begins with a
        message header."""
        generation = await self._request(tokens)
        inked = not tokens.ink or bool(unpack_ink(tokens.ink, self.layout).any())
        if inked and not without_markup(generation.text, generation.confidence)[0].strip():
            raise ReadFailed(
                f"{self.endpoint.url} returned no text for a page that is not empty; run foxing codec check to see "
                "whether it runs the model of the option 'model' and accepts embeddings (--enable-prompt-embeds)"
            )
        return await asyncio.to_thread(self._reading, tokens, generation)

    async def _request(self, tokens: VisionTokens) -> Generation:
        """Requests the server's answer for one page. Raises `ReadFailed`."""
        options = self.endpoint.options
        embeddings = await asyncio.to_thread(self._embeddings, tokens)
        room = self.model.context_length - len(embeddings)
        max_tokens = min(self.max_new_tokens, options.max_tokens or self.max_new_tokens, room)
        rule = self.model.repeat_rule
        repeats = {"ngram_size": rule.size, "window_size": rule.window, "whitelist_token_ids": sorted(rule.exempt)}
        body = prompt_embeds_request(str(options.model), embeddings, max_tokens, repeats, options.extra)
        completion = await self.endpoint.request(COMPLETION, body)
        if 0 < completion.prompt_tokens < len(embeddings):
            raise ReadFailed(
                f"{self.endpoint.url} read a prompt of {completion.prompt_tokens} tokens instead of {len(embeddings)} "
                "embeddings, so it ignored them; the option 'remote' needs vLLM started with --enable-prompt-embeds"
            )
        return to_generation(self.model, completion, options.default_confidence, max_tokens)

    def _embeddings(self, tokens: VisionTokens) -> Tensor:
        page = PageFeatures(tokens.tier, from_tokens(tokens))
        (embeddings,) = split_on_oom(lambda part: [self.model.prompt_embeddings(part[0])], [page], ReadFailed)
        return embeddings


def to_generation(model: VisionModel, completion: Completion, default_confidence: float, max_tokens: int) -> Generation:
    """Returns the `Generation` that local decoding would produce, truncated where a loop would stop it.
    `default_confidence`: probability of tokens for which the server reports none; `max_tokens`: limit of the
    request."""
    ids = completion.ids
    best = completion.best_ids
    if ids is None or best is None:
        return _generation_from_text(completion, default_confidence)
    reported = np.exp(np.minimum(completion.logprobs, 0.0)).astype(np.float32)
    probabilities = reported if len(reported) else np.full(len(ids), default_confidence, dtype=np.float32)
    if not completion.cut and not model.eos_token_ids.intersection(ids):  # some servers omit the final token
        ids = [*ids, min(model.eos_token_ids)]
        best = [*best, min(model.eos_token_ids)]
        probabilities = np.append(probabilities, np.float32(default_confidence))
    history = NgramHistory(model.repeat_rule)
    best_ids: list[int] = []
    for token, preferred in zip(ids, best, strict=True):
        best_ids.append(preferred if preferred in history.banned else token)
        history.append(token)
        if loops(best_ids, max_tokens):
            break
    return detokenize(model, ids[: len(best_ids)], best_ids, probabilities)


def _generation_from_text(completion: Completion, default_confidence: float) -> Generation:
    """Returns the `Generation` of a completion without token ids; loops are detected in the text alone."""
    answer = completion.answer
    length = len(answer.text)
    confidence = (
        np.full(length, default_confidence, dtype=np.float32) if answer.confidence is None else answer.confidence
    )
    start = loop_start(answer.text) if answer.cut else None  # repetitions in a complete text are on the page
    looped = np.arange(length) >= (length if start is None else start)
    if answer.cut:
        return Generation(answer.text, confidence, looped, "length", 0.0)
    return Generation(answer.text, confidence, looped, "end", default_confidence)
