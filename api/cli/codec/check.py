"""`codec check`: test the selected codec on this machine."""

import typer

from foxing.api.cli.context import Check, JsonOption, state_of


def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Load the selected codec, encode and decode a page of plain English at every tier, and show the results.

    Exits with status 1 if the codec cannot be loaded or reached, or misreads the page at its sharpest tier. A codec
    behind an endpoint is called once per tier.
    """
    from foxing.encoder import check_codec, load_codec

    state = state_of(context)
    settings = state.settings()
    codec = load_codec(settings.codec, settings.device, settings.codecs.get(settings.codec))
    with state.progress("checking") as progress:
        result = check_codec(codec, progress)
    runs_on = ", ".join(f"{name} {value}" for name, value in result.runs_on.items())
    checks: list[Check] = [
        ("codec", "Which one is it?", f"{result.codec}, weights {result.weights}, pages of {result.layout}", ()),
        ("machine", "What does it run on?", runs_on, ()),
    ]
    for row in result.tiers:
        figures = {
            "accuracy": "unread" if row.unread else f"{row.accuracy:.2%}",
            "confidence": f"{row.confidence:.1%}",
            "flagged": f"{row.flagged_share:.1%}",
            "vision tokens": row.vision_tokens,
            "positions": row.positions,
            "prompt tokens": row.prompt_tokens,
            "bytes": row.token_bytes,
            "encoded in": f"{row.encode_s:.2f} s",
            "decoded in": f"{row.decode_s:.2f} s",
        }
        answer = ", ".join(f"{name} {value}" for name, value in figures.items() if value is not None)
        checks.append((row.tier, "Is plain English read?", answer, ()))
    if not result.passed:
        name, question, answer, _ = checks[2]
        advice = "the codec misreads plain English at its sharpest tier; check its weights and its options"
        checks[2] = (name, question, answer, [advice])
    state.report(result.to_dict(), checks)
