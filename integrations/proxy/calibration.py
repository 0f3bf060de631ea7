"""Offer to measure what a model reads of page images. It is made once, and nothing is measured without consent."""

import logging
from contextlib import suppress

from .options import ProxyOptions

log = logging.getLogger(__name__)

#: Names of the models that were offered, beside the journal.
OFFERS = "calibration-offers.txt"


def offer_calibration(model: str, options: ProxyOptions) -> None:
    """Says in the log how to measure a model, unless a proxy of this user has said it before."""
    path = None if options.journal is None else options.journal.with_name(OFFERS)
    offers = set[str]()
    with suppress(OSError):
        offers |= set(path.read_text(encoding="utf-8").splitlines()) if path is not None else set()
    if model in offers:
        return
    with suppress(OSError):
        if path is not None:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{model}\n")
    log.warning(
        "nobody has measured what %s reads of page images, so it gets folded history as text. If you like, "
        "foxing calibrate --upstream %s --model %s measures it for at most 60,000 of its tokens; this is said once",
        *(model, options.upstream, model),
    )
