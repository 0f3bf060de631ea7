"""Trains the tiny reader: a checkpoint in DeepSeek-OCR's published format that reads pages of a small vocabulary.

    python -m training.tiny_reader --run runs/tiny-reader --minutes 60
    FOXING_CODEC=deepseek-ocr FOXING_CODECS__DEEPSEEK_OCR__MODEL=runs/tiny-reader/best foxing serve

It makes end-to-end tests of a memory possible, from pages through stored tokens and ageing to recall. It cannot read
other words. `RUN/best` is the checkpoint with the highest held-out accuracy, `RUN/log.jsonl` the learning curve. An
interrupted run resumes when it is started again.
"""

import argparse
from pathlib import Path

from .options import TrainingOptions
from .run import train


def main() -> None:
    """Runs the command and prints the held-out accuracies."""
    parser = argparse.ArgumentParser(
        prog="python -m training.tiny_reader", description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument("--minutes", type=float, default=TrainingOptions.minutes, help="total training time")
    parser.add_argument("--seed", type=int, default=TrainingOptions.seed, help="random seed")
    arguments = parser.parse_args()
    print(train(arguments.run, TrainingOptions(minutes=arguments.minutes, seed=arguments.seed)))


if __name__ == "__main__":
    main()
