"""Command line of the benchmark of interrupted tasks; see --help.

python -m benchmarks.resume CHECKOUT --half dev
python -m benchmarks.resume CHECKOUT --half held-out --tasks 105 --pad 10 --json
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.command_line import add_embedder_option, at_least, command, measuring, show_rows, write_json

from .conversations import BANK_TASKS, make_banks
from .measurement import AGES, Measurement, Resumed, ResumeRow
from .phrases import HALVES
from .phrases import WORDINGS as ALL_WORDINGS
from .shop import read_shop


def _parser() -> argparse.ArgumentParser:
    parser = command(
        "resume",
        "Make conversations from the train tasks of tau-bench retail that end before the task is carried "
        "out, store them in a bank, let time pass, and have the customer return. A task is done if every argument of "
        "every call that must still be made stands in what one plain recall gives. No model takes part. Rules of "
        "recall may be written on the half 'dev', which has other customers and other words than 'held-out'.",
        ("tasks", 1, BANK_TASKS, f"Interrupted tasks, in banks of at least {BANK_TASKS}"),
        ("wordings", 1, ALL_WORDINGS, "Wordings of the return for each task, with name and postcode and without"),
    )
    parser.add_argument(
        "checkout",
        type=Path,
        metavar="CHECKOUT",
        help="Folder of a checkout of https://github.com/sierra-research/tau-bench (MIT). Its retail tools are run.",
    )
    parser.add_argument("--half", choices=HALVES, default=HALVES[0], help="(default: %(default)s)")
    parser.add_argument(
        "--pad",
        type=at_least(1),
        metavar="N",
        help="Measure padded banks as well, with N times as many other conversations.",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER",
        help="Take half of the other conversations from the *.jsonl.gz of FOLDER, JSON Lines of messages.",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--age", type=at_least(1), action="append", metavar="DAYS", help=f"Age; can be repeated (default: {AGES})."
    )
    parser.add_argument("--foxing-only", action="store_true", help="Leave out the other systems.")
    add_embedder_option(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command. Exits with an error message if the checkout is not usable."""
    options = _parser().parse_args(arguments)
    with measuring("asking") as (_, progress):
        banks = make_banks(
            read_shop(options.checkout),
            options.half,
            options.tasks,
            options.pad or 0,
            options.seed,
            options.wordings,
            options.data,
        )
        measurement = Measurement(options.half, options.embedder, options.age or AGES, others=not options.foxing_only)
        for pad in (0, options.pad) if options.pad else (0,):
            for bank in banks:
                measurement.measure(bank, pad, progress)
    result = measurement.result()
    if options.as_json:
        write_json({"seed": options.seed, **{name: value for name, value in asdict(result).items()}})
    else:
        _show(result)


def _show(result: Resumed) -> None:
    show_rows([_flat(row) for row in result.rows])
    show_rows([asdict(row) for row in result.bytes])
    for name, reason in result.left_out.items():
        print(f"{name} was not measured: {reason}")


def _flat(row: ResumeRow) -> dict[str, object]:
    """The figures of a row that fit in a table."""
    shares = {"done": row.done, "named": row.done_named, "plain": row.done_plain}
    return {
        "system": row.system,
        "pad": row.pad,
        "age days": "any" if row.age_days is None else row.age_days,
        "tasks": row.tasks,
        "returns": row.returns,
        **{f"{name} {budget}": share for name, by_budget in shares.items() for budget, share in by_budget.items()},
        **{f"tokens {budget}": tokens for budget, tokens in row.tokens.items()},
    }


if __name__ == "__main__":
    main()
