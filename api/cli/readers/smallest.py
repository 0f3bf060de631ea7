"""`calibrate` of a model by its id: the smallest type that it reads without silent errors, kept for all commands."""

import os
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from rapidfuzz.distance import Prefix
from rich.console import Console

from foxing.api.cli.context import State
from foxing.api.cli.output import printable
from foxing.api.settings.measured_readers import measured_folder
from foxing.encoder import CodecError
from foxing.encoder.reader_curve.curve import asking
from foxing.encoder.reader_curve.profile import measured_reader, profile_table
from foxing.encoder.reader_curve.search import MOST_TOKENS, TypeSearch
from foxing.memory import InvalidInput
from foxing.renderer import Readers
from foxing.renderer.readers import Reader, UnknownReader

from . import calibration

#: Variable with the key, as the SDKs of the providers read it.
_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY"}


def find_smallest(
    state: State, upstream: str, model: str, base: str | None, api: str | None, extra: str | None, timeout_s: float
) -> None:
    """Measures a model, and keeps its profile. Raises `InvalidInput`, and the errors of requests."""
    measured = _base_of(state, model, base)
    chosen: Any = api or ("anthropic" if measured.provider == "anthropic" else "openai")
    key = state.settings().reader_api_key or SecretStr(os.environ.get(_KEYS[chosen], ""))
    options = {"url": _base_url(upstream), "model": model, "timeout_s": timeout_s, "page_timeout_s": 4 * timeout_s}
    endpoint = calibration.endpoint_of(options, chosen, key if key.get_secret_value() else None)
    fields = calibration.extra_fields(extra)
    console = state.error_console
    console.print(f"Sends pages to {printable(model)} at {endpoint.url}, for at most {MOST_TOKENS:,} tokens")

    def advance(cell: tuple[int, int], tokens: int) -> None:
        console.print(f"{cell[0]} × {cell[1]} px; {tokens:,} tokens so far")

    search = TypeSearch(measured, asking(endpoint, chosen, fields), advance)
    try:
        results = search.run()
    finally:
        endpoint.close()
    if not any(row.score.exact_sentences for row in results):
        raise CodecError(
            f"{model} read no sentence exactly at any cell size; check that it accepts images, and that 'model' names "
            "the intended model. Nothing was kept"
        )
    source = f"foxing calibrate: {model} at {endpoint.url}, {search.tokens:,} tokens"
    profile = measured_reader(measured, model, search.types(), datetime.now(UTC).date(), source)
    file = measured_folder() / f"{re.sub(r'[^A-Za-z0-9.-]+', '-', model)}.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(profile_table(profile), encoding="utf-8")
    legible = profile.legible
    answer = {
        "reader": model,
        "tokens": search.tokens,
        "curve": calibration.curve_rows(results),
        "legible": None if legible is None else [legible.width_px, legible.height_px],
        "profile": str(file),
    }

    def show(console: Console) -> None:
        calibration.show_curve(console, results)
        size = "none, so it is given text alone"
        if legible is not None:
            size = f"{legible.width_px} × {legible.height_px} px"
        console.print(f"smallest cell size that {printable(model)} reads without silent errors: {size}")
        console.print(f"Kept in {printable(str(file))}, which services and proxies read when they start")

    state.answer(answer, show)


def _base_of(state: State, model: str, base: str | None) -> Reader:
    """Returns the reader to copy billing and limits from: the one named, else the one of the model, else that of the
    same provider whose name has the longest beginning in common. Raises `InvalidInput`, `UnknownReader`."""
    if base is not None:
        return calibration.reader_to_measure(state, base, given=True)
    readers = Readers(state.settings().readers)
    try:
        profile = readers[model]
    except UnknownReader as error:
        raise UnknownReader(f"{error}. Name one of these with --base to copy its billing and limits") from error
    if profile.billing is not None and profile.limits is not None:
        return profile
    name = model.rpartition("/")[2]
    like = [reader for reader in readers.values() if reader.provider == profile.provider and reader.billing is not None]
    if not like:
        raise InvalidInput(f"no reader of {profile.provider} accepts images; name one with --base")
    return max(like, key=lambda reader: (Prefix.similarity(reader.name, name), -len(reader.name)))


def _base_url(upstream: str) -> str:
    """Returns the URL with `/v1`, as SDKs and `foxing proxy` take it with and without. Raises `InvalidInput`."""
    try:
        has_path = urlsplit(upstream).path.strip("/")
    except ValueError as error:
        raise InvalidInput(f"the option 'url' is invalid: {error}") from error
    return upstream if has_path else f"{upstream.rstrip('/')}/v1"
