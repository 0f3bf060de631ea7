"""Replays recorded sessions of coding agents through the proxy.

    python -m benchmarks.sessions RECORDINGS [--calls 50 90 300] [--only NAME] [--model claude-fable-5]

`python -m benchmarks.sessions.record` makes the recordings with the real clients.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from .recording import SUFFIX, read_session
from .replay import price_of, replay

#: Budget of sessions that are recorded for their shapes and are too short to fold otherwise.
BUDGET = 45_000
#: Calls from which a session is compared with that of a client that compacts, and not with one that does not.
COMPACTING_FROM = 200


def main() -> None:
    """Runs the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--calls", type=int, nargs="+", default=[50, 90, 300])
    parser.add_argument("--only", default="", help="part of the name of a recording")
    parser.add_argument("--model", help="model of all requests, such as one that reads page images")
    parser.add_argument("--budget", type=int, help=f"of the proxy; {BUDGET:,} for mixed sessions, else its own")
    parser.add_argument("--reader", help="reader to fold for, such as text; default: that of the model")
    options = parser.parse_args()
    for path in sorted(options.folder.glob(f"*{options.only}*{SUFFIX}")):
        session, _ = read_session(path)
        made = int(path.name.removesuffix(SUFFIX).rpartition("-")[2])
        wanted = [calls for calls in options.calls if calls <= made] if session.kind == "long" else [made]
        for calls in [] if session.kind == "compacting" else wanted:
            if session.kind == "long" and (calls >= COMPACTING_FROM) != (made >= COMPACTING_FROM):
                continue
            compacted = options.folder / f"{session.client}-compacting-{made}{SUFFIX}"
            report = replay(
                path,
                calls=calls if session.kind == "long" else None,
                model=options.model,
                reader=options.reader,
                budget=options.budget or (BUDGET if session.kind == "mixed" else None),
                beside=calls < COMPACTING_FROM,
                compacted_price=price_of(compacted, calls, options.model) if compacted.exists() else None,
            )
            print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
