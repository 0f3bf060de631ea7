"""Measurement of a model behind an endpoint: which type it reads, and its profile as a reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from rapidfuzz.distance import Prefix

from foxing.encoder.errors import CodecError, ReadFailed
from foxing.encoder.remote.endpoint import Endpoint
from foxing.encoder.remote.options import ServerOptions
from foxing.renderer.readers import Reader, Readers, UnknownReader

from .chat import Api, headers
from .curve import CellResult, asking
from .profile import measured_reader, profile_table
from .search import MOST_TOKENS, TypeSearch

_API_NAMES: Mapping[Api, str] = {"openai": "OpenAI", "anthropic": "Anthropic"}


@dataclass(frozen=True)
class ReaderMeasurement:
    """Accuracy of a model by cell size, and its profile."""

    #: Tokens that were spent.
    tokens: int
    #: Results by cell size, smallest first.
    curve: list[CellResult]
    #: The model as a reader.
    profile: Reader

    @property
    def table(self) -> str:
        """The profile as a table of `foxing.toml`."""
        return profile_table(self.profile)


def measure_reader(
    readers: Readers,
    model: str,
    url: str,
    *,
    base: str | None,
    api: Api | None,
    keys: Mapping[Api, str | None],
    extra: dict[str, Any],
    timeout_s: float,
    day: date,
    advance: Callable[[str], None],
) -> ReaderMeasurement:
    """Finds the smallest type that a model reads without silent errors, for at most `MOST_TOKENS` tokens.

    `base`: reader to copy billing and limits from, by default that of the model, else the most similar one of its
    provider. `api`: of the endpoint, by default that of the provider. `keys`: API → key of the endpoint. `extra`:
    fields to merge into each request. `day`: of the measurement. `advance`: called with the progress in words. Raises
    `UnknownReader`, `CodecError` if the model reads nothing, and `ReadFailed`.
    """
    copied = _base(readers, model, base)
    chosen: Api = api or ("anthropic" if copied.provider == "anthropic" else "openai")
    endpoint = _endpoint(url, model, chosen, keys.get(chosen), timeout_s)
    advance(f"sends pages to {model} at {endpoint.url}, for at most {MOST_TOKENS:,} tokens")
    search = TypeSearch(
        copied,
        asking(endpoint, chosen, extra),
        lambda cell, tokens: advance(f"{cell[0]} × {cell[1]} px; {tokens:,} tokens so far"),
    )
    try:
        curve = search.run()
    except ReadFailed as error:
        other: Api = "openai" if chosen == "anthropic" else "anthropic"
        raise ReadFailed(
            f"{error}. The request used the {_API_NAMES[chosen]} API; if the endpoint has the {_API_NAMES[other]} API, "
            f"choose '{other}' with the option 'api'"
        ) from error
    finally:
        endpoint.close()
    if not any(row.score.exact_sentences for row in curve):
        raise CodecError(
            f"{model} read no sentence exactly at any cell size; check that it accepts images, and that 'model' names "
            "the intended model. Nothing was kept"
        )
    source = f"foxing calibrate: {model} at {endpoint.url}, {search.tokens:,} tokens"
    return ReaderMeasurement(search.tokens, curve, measured_reader(copied, model, search.types(), day, source))


def _base(readers: Readers, model: str, base: str | None) -> Reader:
    """Returns the reader to copy billing and limits from: the one named, else the one of the model, else that of the
    same provider whose name has the longest beginning in common. Raises `UnknownReader`, `CodecError`."""
    try:
        profile = readers[base or model]
    except UnknownReader as error:
        raise UnknownReader(f"{error}. Name one of these with the option 'base' to copy billing and limits") from error
    if profile.billing is not None and profile.limits is not None:
        return profile
    if base is not None:
        raise CodecError(f"the reader '{base}' does not accept images; name another with the option 'base'")
    name = model.rpartition("/")[2]
    like = [reader for reader in readers.values() if reader.provider == profile.provider and reader.billing is not None]
    if not like:
        raise CodecError(f"no reader of {profile.provider} accepts images; name one with the option 'base'")
    return max(like, key=lambda reader: (Prefix.similarity(reader.name, name), -len(reader.name)))


def _endpoint(url: str, model: str, api: Api, key: str | None, timeout_s: float) -> Endpoint:
    """Returns the endpoint. `url`: with or without `/v1`, as SDKs and proxies take it. Raises `CodecError`."""
    try:
        full = url if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1"
        options = ServerOptions(
            url=full, model=model, timeout_s=timeout_s, page_timeout_s=4 * timeout_s, api_key=key or None
        )
        return Endpoint(options, headers=headers(api, key or None))
    except ValidationError as error:
        first = error.errors()[0]
        raise CodecError(f"the option '{'.'.join(map(str, first['loc']))}' is invalid: {first['msg']}") from error
    except ValueError as error:
        raise CodecError(f"the option 'url' is invalid: {error}") from error
