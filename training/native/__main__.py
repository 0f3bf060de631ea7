"""Trains the network of the native codec.

    python -m training.native --data FOLDER --run runs/native --minutes 90
    python -m training.native --data FOLDER --run runs/native --minutes 90 --resume
    python -m training.native --data FOLDER --run runs/native --recipe training/native/recipes/2026-11-25.json

FOLDER/train and FOLDER/eval hold gzipped JSON Lines of messages, named <language>_<source>.jsonl.gz. The renderer
typesets and draws pages from them, so the supply of images is unlimited. Some show random characters, so that the
network also learns rare glyphs and meaningless strings. The run folder keeps the latest weights and the best ones by
held-out accuracy.
"""

import argparse
import json
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path

from foxing.encoder.errors import CodecError

from .options import TrainingOptions
from .train import train


def argument_parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line."""
    result = argparse.ArgumentParser(
        prog="python -m training.native",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--data", type=Path, required=True, help="A folder with train/*.jsonl.gz and eval/*.jsonl.gz.")
    result.add_argument(
        "--run",
        type=Path,
        default=Path("runs/native"),
        help="Folder for weights, state and log (default: runs/native).",
    )
    result.add_argument("--minutes", type=_minutes, help="Length of the run (default: 90, or as in the recipe).")
    result.add_argument("--recipe", type=Path, help="A JSON file with training options.")
    result.add_argument("--resume", action="store_true", help="Continue from the latest weights of the run.")
    result.add_argument(
        "--json", action="store_true", help="Print the held-out accuracies as JSON; everything else goes to stderr."
    )
    return result


def _minutes(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def main(arguments: list[str] | None = None) -> None:
    """Runs the command. Exits with status 1 and a message if training cannot start."""
    given = argument_parser().parse_args(arguments)
    latest = given.run / "latest.safetensors"
    try:
        if given.resume and not latest.exists():
            raise CodecError(f"there is nothing to resume in {given.run}; start without --resume")
        options = TrainingOptions() if given.recipe is None else TrainingOptions.from_recipe(given.recipe)
        if given.minutes is not None:
            options = replace(options, minutes=given.minutes)
        with redirect_stdout(sys.stderr if given.json else sys.stdout):
            report = train(given.data, given.run, options, resume=latest if given.resume else None)
    except CodecError as error:
        sys.exit(f"error: {error}")
    if given.json:
        print(json.dumps({"run": str(given.run), "held_out": report}, ensure_ascii=False))


if __name__ == "__main__":
    main()
