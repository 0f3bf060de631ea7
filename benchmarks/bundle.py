"""Measures bundles: a bank of many messages with images, sealed and aged, is exported, imported into another database,
and exported again; the bytes and the answers of recalls are compared. Then both ways are killed at many points.

python -m benchmarks.bundle --messages 10000 --images 100 --recalls 200 --kills 40 --json
"""

import base64
import io
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from foxing.memory import Conflict, ImagePart, Memory, NewMessage, TextPart

from .command_line import Advance, command, measuring, write_result

START = datetime(2026, 1, 5, 9, tzinfo=UTC)
NOW = START + timedelta(days=60)
SENTENCE = (
    "Crate {0} of order {1} goes to Oslo on Friday, and the figures of March for crate {0} have been looked at again."
)
IMAGE_PX = 700
CHILD = "from benchmarks.bundle import carry_out; import sys; carry_out(*sys.argv[1:])"


@dataclass(frozen=True)
class BundleFigures:
    """Seconds and sizes of a bundle in each direction, and what came of it."""

    messages: int
    images: int
    pages: int
    bundle_mb: float
    export_s: float
    import_s: float
    #: 1 if the bundle of the imported bank has the same bytes
    same_bytes: int
    recalls: int
    #: recalls with the same answer, whole
    same_recalls: int
    kills: int
    #: killed processes that had not ended by themselves
    killed: int
    #: times that a part of a bank, or another bundle, was left
    faults: int


def measure_bundle(
    folder: Path, messages: int, images: int, recalls: int, kills: int, target: str | None, progress: Advance | None
) -> BundleFigures:
    """Makes a bank in `folder` and measures its bundle. `target`: URL of an empty database; None for a SQLite file."""
    source = folder / "source.db"
    with Memory(source, clock=lambda: NOW) as memory:
        _fill(memory, messages, images, progress)
        pages = memory.bank("bench").pages
        bundle = folder / "bench.foxing"
        export_s = _exported(memory, "bench", bundle)
        with Memory(target or folder / "target.db", clock=lambda: NOW) as other:
            started = time.perf_counter()
            other.operations.bundles.load("moved", bundle)
            import_s = time.perf_counter() - started
            again = folder / "again.foxing"
            _exported(other, "moved", again)
            same = _same_recalls(memory, other, messages, recalls)
    data = bundle.read_bytes()
    is_same = again.read_bytes() == data
    again.unlink()
    killed, faults = _kill(folder, source, data, max(export_s, import_s), kills)
    figures = (round(len(data) / 1e6, 1), round(export_s, 2), round(import_s, 2))
    return BundleFigures(messages, images, pages, *figures, int(is_same), recalls, same, kills, killed, faults)


def _fill(memory: Memory, messages: int, images: int, progress: Advance | None) -> None:
    interval = max(1, messages // max(1, images))
    random = np.random.default_rng(7)
    for first in range(0, messages, 500):
        batch = []
        for number in range(first, min(messages, first + 500)):
            content: str | tuple[TextPart | ImagePart, ...] = SENTENCE.format(number, number // 7)
            if number % interval == 0 and number // interval < images:
                content = (TextPart(text=str(content)), _picture(random))
            at = START + timedelta(minutes=number)
            batch.append(NewMessage(role="user", content=content, created_at=at, thread=f"thread {number % 20}"))
        memory.store("bench", batch)
        if progress is not None:
            progress(first, messages)
    memory.seal("bench", now=NOW)
    memory.age("bench", now=NOW + timedelta(days=8))


def _picture(random: np.random.Generator) -> ImagePart:
    pixels = random.integers(0, 255, (IMAGE_PX // 10, IMAGE_PX // 10, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((IMAGE_PX, IMAGE_PX)).save(file, "PNG")
    return ImagePart.model_validate({"data": base64.b64encode(file.getvalue()).decode(), "name": "crate.png"})


def _exported(memory: Memory, bank: str, path: Path) -> float:
    """Writes a bundle and returns the seconds."""
    started = time.perf_counter()
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        memory.operations.bundles.export(bank, file)
    part.replace(path)
    return time.perf_counter() - started


def _same_recalls(memory: Memory, other: Memory, messages: int, recalls: int) -> int:
    same = 0
    for number in range(recalls):
        query = f"crate {number * messages // recalls} order {number}"
        answers = [
            [span.model_dump(exclude={"bank"}) for span in one.recall(bank, query, track=False, now=NOW).spans]
            for one, bank in ((memory, "bench"), (other, "moved"))
        ]
        same += answers[0] == answers[1] and bool(answers[0])
    return same


def carry_out(verb: str, database: str, path: str) -> None:
    """Exports or imports in a process of its own, which may be killed. An import that was complete is not repeated."""
    with Memory(database, clock=lambda: NOW) as memory:
        print("began", flush=True)
        if verb == "export":
            _exported(memory, "bench", Path(path))
            return
        try:
            memory.operations.bundles.load("moved", Path(path))
        except Conflict:
            return


def _kill(folder: Path, source: Path, data: bytes, seconds: float, kills: int) -> tuple[int, int]:
    """Kills exports and imports, at points over their whole time, and runs each again. Returns how many were killed
    before they had ended, and what was wrong afterwards."""
    killed = faults = 0
    for number in range(kills):
        after_s = seconds * (number // 2 + 0.5) / max(1, kills // 2)
        path = folder / f"killed-{number}.foxing"
        database = folder / f"killed-{number}.db"
        if number % 2:
            arguments = ("import", str(database), str(folder / "bench.foxing"))
        else:
            arguments = ("export", str(source), str(path))
        killed += _run(arguments, after_s)
        if number % 2 == 0:
            faults += path.exists() and path.read_bytes() != data
        else:
            with Memory(database, clock=lambda: NOW) as memory:
                names = [bank.id for bank in memory.banks().banks]
                faults += names not in ([], ["moved"])
        _run(arguments, None)
        if number % 2:
            with Memory(database, clock=lambda: NOW) as memory:
                _exported(memory, "moved", path)
        faults += path.read_bytes() != data
        for file in folder.glob(f"killed-{number}.*"):
            file.unlink()
    return killed, faults


def _run(arguments: tuple[str, ...], after_s: float | None) -> bool:
    """Runs `carry_out` in a process, and kills it that long after it began. Returns whether it was killed."""
    process = subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return True
    finally:
        process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{arguments[0]} ended with {process.returncode}")
    return False


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = command(
        "bundle",
        "Measures the export and import of a bank as a bundle.",
        ("messages", 1, 10_000, "Messages of the bank"),
        ("images", 0, 100, "Images in them"),
        ("recalls", 1, 200, "Recalls that are compared"),
        ("kills", 0, 40, "Exports and imports that are killed"),
    )
    parser.add_argument("--target", metavar="URL", help="Empty database to import into (default: a SQLite file).")
    options = parser.parse_args(arguments)
    with measuring("bundle") as (folder, progress):
        counts = (options.messages, options.images, options.recalls, options.kills)
        figures = measure_bundle(folder, *counts, options.target, progress)
    write_result(options, figures)


if __name__ == "__main__":
    main()
