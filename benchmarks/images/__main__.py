"""Measures images in messages: bytes and billed tokens by tier, storing and recalling, and hostile files.

python -m benchmarks.images --images 500 --plot docs/images/images.svg --json
"""

import argparse
import base64
import io
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median
from typing import Any

from foxing.memory import ImagePart, Memory, MemoryOptions, Policy
from foxing.memory.images.decoding import scaled
from foxing.memory.images.files import ImageFile
from foxing.memory.images.ocr import ImageTextReader
from foxing.renderer import tier_named
from foxing.renderer.readers import Readers

from ..command_line import add_json_option, at_least, write_json
from .hostile import HOSTILE
from .pictures import KINDS, Made, made_images, made_questions

TIERS = ("base", "small", "tiny", "micro")
READERS = ("claude", "gpt-5", "gemini-2")
#: Size of the file that is stored for the times, in bytes.
TIMED_BYTES = 300_000


def by_tier(images: Iterable[Made]) -> dict[str, Any]:
    """Returns, for each tier and kind, the mean bytes and billed tokens of images; each is made from the one before."""
    policy, readers = Policy(), Readers()
    known = [name for name in READERS if name in readers]
    tiers = ("as it came", *TIERS)
    rows: dict[str, dict[str, list[dict[str, float]]]] = {tier: {kind: [] for kind in KINDS} for tier in tiers}
    larger = number = 0
    for image in images:
        number += 1
        file = ImageFile.read(image.content)
        for tier in rows:
            before = len(file.content)
            if tier != "as it came":
                side = policy.image_side(tier)
                assert side is not None
                came = not policy.encodes_images(tier)
                file = scaled(file, side, as_it_came=came, legible=tier_named(tier).legible_images)
            larger += len(file.content) > before
            tokens = {}
            for name in known:
                billing = readers[name].billing
                assert billing is not None
                tokens[name] = billing.tokens(file.width_px, file.height_px)
            rows[tier][image.kind].append({"bytes": len(file.content), **tokens})
    means = {
        tier: {
            kind: {key: round(mean(row[key] for row in found)) for key in found[0]}
            for kind, found in (*kinds.items(), ("all", [row for of_kind in kinds.values() for row in of_kind]))
            if found
        }
        for tier, kinds in rows.items()
    }
    return {"images": number, "larger_than_before": larger, "means": means}


def timed(stored: int = 24) -> dict[str, float]:
    """Returns the p50 of storing a message with an image of `TIMED_BYTES`, and of recalling ten of them, in ms."""
    contents = _photographs_of(TIMED_BYTES, stored)
    with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "foxing.db") as memory:
        store, processor_times, recall = [], [], []
        for number, content in enumerate(contents):
            part = {"type": "image", "data": base64.b64encode(content).decode(), "name": f"photo{number}.jpg"}
            text = {"type": "text", "text": f"Photo {number} of the harbour in March"}
            started = time.perf_counter()
            processor = time.process_time()
            memory.store("bench", [{"role": "user", "content": [text, part]}])
            store.append(time.perf_counter() - started)
            processor_times.append(time.process_time() - processor)
        for _ in range(stored):
            started = time.perf_counter()
            found = memory.recall("bench", "photo of the harbour", limit=10)
            recall.append(time.perf_counter() - started)
            assert len(found.spans) == 10
        return {
            "image_bytes": round(mean(map(len, contents))),
            "store_p50_ms": round(1000 * median(store), 1),
            "store_processor_p50_ms": round(1000 * median(processor_times), 1),
            "recall_of_10_p50_ms": round(1000 * median(recall), 1),
        }


def read_words(images: int) -> dict[str, float]:
    """Returns tier → share of the words that the text reader reads on screenshots as they came which it reads on them
    at that tier as well. Empty without the extra `ocr`."""
    policy, reader = Policy(), ImageTextReader()
    if not reader.available:
        return {}
    found: dict[str, list[float]] = {"base": [], "small": [], "tiny": []}
    for image in made_images(images, ("screenshot",), seed=2):
        file = ImageFile.read(image.content)
        original = Counter(reader.read(file).text.split())
        for tier, shares in found.items():
            side, came = policy.image_side(tier), not policy.encodes_images(tier)
            assert side is not None
            file = scaled(file, side, as_it_came=came, legible=tier_named(tier).legible_images)
            read = Counter(reader.read(file).text.split())
            shares.append((original & read).total() / original.total())
    return {tier: round(mean(shares), 4) for tier, shares in found.items()}


def answered(questions: int, tier_days: int = 8) -> dict[str, dict[str, float]]:
    """Returns, with the text in images read and without, the share of questions whose answer stands only in a
    screenshot for which recall gives the message among its first five, after its page has moved to `small`."""
    if not ImageTextReader().available:
        return {}
    found = {}
    for name, reads in (("read", True), ("not read", False)):
        options = MemoryOptions(read_images=reads)
        with tempfile.TemporaryDirectory() as folder, Memory(Path(folder) / "foxing.db", options=options) as memory:
            for number, asked in enumerate(made_questions(questions)):
                image = {"type": "image", "data": base64.b64encode(asked.screenshot).decode()}
                text = {"type": "text", "text": f"This is what I see now ({number})"}
                memory.store("bench", [{"id": str(number), "role": "user", "content": [text, image]}])
            memory.seal("bench")
            memory.age("bench", now=datetime.now(UTC) + timedelta(days=tier_days))
            hits = answers = 0
            for number, asked in enumerate(made_questions(questions)):
                spans = memory.recall("bench", asked.question, limit=5).spans
                hits += str(number) in {span.message_id for span in spans}
                said = [
                    p.machine_read.text
                    for s in spans
                    for p in s.parts or ()
                    if isinstance(p, ImagePart) and p.machine_read
                ]
                answers += any(asked.answer in text for text in said)
        found[name] = {"found": round(hits / questions, 3), "answer_shown": round(answers / questions, 3)}
    return found


def _photographs_of(size: int, number: int) -> list[bytes]:
    """Returns photographs of about `size` bytes."""
    from PIL import Image

    contents = []
    for image in made_images(number, ("photograph",), seed=1):
        pixels = Image.open(io.BytesIO(image.content))
        side = int(max(pixels.size) * min(1.0, (size / len(image.content)) ** 0.5))
        pixels.thumbnail((side, side))
        file = io.BytesIO()
        pixels.save(file, "JPEG", quality=88)
        contents.append(file.getvalue())
    return contents


def refused() -> dict[str, dict[str, float]]:
    """Returns name of a hostile file → ms until it is refused, and MiB that it takes."""
    found = {}
    for name in HOSTILE:
        run = subprocess.run([sys.executable, "-m", "benchmarks.images.hostile", name], capture_output=True, check=True)
        ms, mib = run.stdout.split()
        found[name] = {"ms": float(ms), "mib": float(mib)}
    return found


def plot(result: dict[str, Any], path: Path) -> None:
    """Draws mean bytes and billed tokens by tier."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    tiers = list(result["means"])
    for kind in KINDS:
        left.plot(tiers, [result["means"][tier][kind]["bytes"] for tier in tiers], marker="o", label=kind)
    left.set(yscale="log", title="bytes of an image, mean")
    left.legend()
    for reader in (key for key in result["means"][tiers[0]]["all"] if key != "bytes"):
        right.plot(tiers, [result["means"][tier]["all"][reader] for tier in tiers], marker="o", label=reader)
    right.set(yscale="log", title="billed tokens of an image, mean")
    right.legend()
    for axes in (left, right):
        axes.tick_params(axis="x", labelrotation=20)
    figure.savefig(path)


def main() -> None:
    """Runs the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=at_least(len(KINDS)), default=500, help="number of images")
    parser.add_argument("--read", type=at_least(1), default=12, help="screenshots whose words are read at each tier")
    parser.add_argument("--questions", type=at_least(1), default=40, help="questions answered by a screenshot alone")
    parser.add_argument("--plot", type=Path, help="file of the plot")
    add_json_option(parser)
    options = parser.parse_args()
    result = by_tier(made_images(options.images))
    if options.plot is not None:
        plot(result, options.plot)
    result |= {"words_read": read_words(options.read), "questions": answered(options.questions)}
    result |= {"times": timed(), "refused": refused()}
    write_json(result)


if __name__ == "__main__":
    main()
