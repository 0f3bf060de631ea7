"""Report of a full check in Markdown, to attach to an issue."""

import json
from collections.abc import Iterator, Sequence

from .run import FullCheck
from .thresholds import MIN_CHARACTERS, SILENT_ERRORS


def markdown(check: FullCheck) -> str:
    """Returns the report: tables, and the same data as JSON at the end. The only local path in it is that of the
    model."""
    parts = [*_head(check), *_tiers(check), *_languages(check), *_thresholds(check), *_prompts(check)]
    parts += [*_speed(check), *_served(check), *_conformance(check)]
    document = json.dumps(check.to_dict(), ensure_ascii=False, indent=1)
    return "\n\n".join([*parts, "## Everything as JSON", f"```json\n{document}\n```"]) + "\n"


def _head(check: FullCheck) -> Iterator[str]:
    yield f"# Full check of `{check.first.codec}`"
    yield f"{check.measured_at}, weights `{check.first.weights}`, pages of {check.first.layout}: " + (
        "**passed**" if check.passed else "**failed**"
    )
    yield _table(("runs on", ""), [(name, value) for name, value in check.first.runs_on.items()])


def _tiers(check: FullCheck) -> Iterator[str]:
    yield "## One page of plain English"
    head = ("tier", "vision tokens", "positions", "bytes", "accuracy", "confidence", "encode s", "decode s")
    yield _table(
        head,
        [
            (
                *(row.tier, row.vision_tokens, row.positions or "", f"{row.token_bytes:,}"),
                *(f"{row.accuracy:.2%}", f"{row.confidence:.1%}", f"{row.encode_s:.2f}", f"{row.decode_s:.2f}"),
            )
            for row in check.first.tiers
        ],
    )


def _languages(check: FullCheck) -> Iterator[str]:
    yield "## Accuracy by language"
    yield (
        "Pages are faded to the capacity of the tier. Messages: share read right, in their place. Silent: wrong and "
        "not flagged, by the thresholds before this check and without the misreadings that ageing records. Not aged: "
        "pages with so many misreadings that ageing would keep their text."
    )
    head = (
        "language",
        "tier",
        "pages",
        "characters",
        "accuracy",
        "messages",
        "silent",
        "flagged",
        "not aged",
        "unread",
        "decode s",
    )
    yield _table(
        head,
        [
            (
                *(row.language, row.tier, row.pages, f"{row.characters:,}", f"{row.accuracy:.2%}"),
                *(f"{row.messages_right:.1%}", f"{row.silent_errors:.2%}", f"{row.flagged:.1%}"),
                *(f"{row.not_aged:.0%}", f"{row.unread:.0%}", f"{row.decode_s:.2f}"),
            )
            for row in check.readings
        ],
    )


def _thresholds(check: FullCheck) -> Iterator[str]:
    yield "## Thresholds"
    yield (
        f"The lowest thresholds that keep silent errors below {SILENT_ERRORS:.1%} with 95 % confidence, chosen on "
        f"every other page and measured on the rest; none for a tier with fewer than {MIN_CHARACTERS:,} characters."
    )
    rows = [
        (tier, f"{row.flag_below:.2f}", f"{row.characters:,}", f"{row.silent_errors:.2%}", f"{row.flagged:.1%}")
        for tier, row in check.calibration.tiers.items()
    ]
    yield _table(("tier", "flag below", "chosen on", "silent", "flagged"), rows)


def _prompts(check: FullCheck) -> Iterator[str]:
    if not check.prompts:
        return
    yield "## Prompts"
    for row in check.prompts:
        yield f"`{row.prompt}` at `{row.tier}`: {row.characters:,} characters in {row.seconds:.2f} s"
        yield f"````text\n{row.text}\n````"


def _speed(check: FullCheck) -> Iterator[str]:
    yield "## Speed"
    yield "Share: of the peak FLOPS, measured by the product of two large matrices in the same precision."
    head = ("tier", "pages per call", "encoded /s", "share", "decoded /s", "share", "characters /s", "memory")
    yield _table(
        head,
        [
            (row.tier, row.pages, row.failure, "", "", "", "", "")
            if row.failure
            else (
                *(row.tier, row.pages, f"{row.encode:.2f}", _percent(row.encode_share), f"{row.decode:.2f}"),
                *(_percent(row.decode_share), f"{row.characters:,.0f}", _gigabytes(row.memory)),
            )
            for row in check.speed
        ],
    )


def _served(check: FullCheck) -> Iterator[str]:
    if not check.served and check.no_local is None:
        return
    yield "## Served and local"
    if check.no_local is not None:
        yield f"Not compared: {check.no_local}"
        return
    head = ("tier", "agreement of the texts", "served s", "local s")
    yield _table(
        head,
        [
            (row.tier, row.failure or f"{row.agreement:.2%}", f"{row.served_s:.2f}", f"{row.local_s:.2f}")
            for row in check.served
        ],
    )


def _conformance(check: FullCheck) -> Iterator[str]:
    yield "## Conformance"
    yield _table(("check", "result"), [(row.check, row.failure or "passed") for row in check.conformance])


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _gigabytes(value: int | None) -> str:
    return "" if value is None else f"{value / 1e9:.2f} GB"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
