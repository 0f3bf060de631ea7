"""Makes vision tokens of a page as the present weights write them, to be kept for when others have taken their place.

    python tests/data/make_tokens.py tests/data      # writes tokens-<digest>.json

It holds, by tier, the tokens of one page and what the weights read of it. Run it before new weights are released.
"""

import base64
import json
import sys
from pathlib import Path

from foxing.encoder.native.codec import NativeCodec
from foxing.encoder.native.texts import entries
from foxing.renderer import Repertoire, Typesetter, render

SAID = (
    "Where did the tide table for 2031-07-14 end up? I left it beside lamp no. 5.",
    "На столе, под книгой: билет и карта города.",
    "등대는 밤마다 두 번 깜빡입니다.",
    "明日の朝、灯台で会いましょう。",
    "path=/var/lib/foxing/bank-07.db size=48_213 ok",
)


def main() -> None:
    codec = NativeCodec.load(device="cpu")
    messages = [{"role": ("user", "assistant")[n % 2], "content": said} for n, said in enumerate(SAID)]
    page = Typesetter(codec.layout, Repertoire(codec.repertoire)).page(entries([{"id": "t", "messages": messages}]))
    pages = {}
    for tier in codec.tiers:
        tokens = codec.encode([render(page.cells, page.layout, tier)], tier)[0]
        reading = codec.decode([tokens])[0]
        pages[tier] = {
            "tokens": base64.b64encode(tokens.to_bytes()).decode(),
            "text": reading.text,
            "confidence": round(float(reading.mean_confidence), 4),
            "flag_below": reading.flag_below,
        }
    path = Path(sys.argv[1]) / f"tokens-{codec.weights}.json"
    path.write_text(json.dumps({"weights": codec.weights, "pages": pages}, ensure_ascii=False, indent=1) + "\n")
    print(path)


if __name__ == "__main__":
    main()
