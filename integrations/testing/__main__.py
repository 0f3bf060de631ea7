"""Command line: `python -m foxing.integrations.testing [--port N] [--record FILE] [-- COMMAND …]`."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from .answers import ModelAnswer
from .cache import MovableClock
from .upstream import Upstream, report


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is interrupted, or until a command ends that runs with the SDKs' environment variables set."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    place = given.index("--") if "--" in given else len(given)
    command = given[place + 1 :]
    parser = argparse.ArgumentParser(prog="python -m foxing.integrations.testing", description=main.__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 for a free one")
    parser.add_argument("--record", type=Path, help="file for all requests with their bills, as JSON Lines")
    parser.add_argument("--answer", default="Understood.", help="text of every answer")
    options = parser.parse_args(given[:place])
    with Upstream(port=options.port, clock=MovableClock(None)) as upstream:
        upstream.respond_with(lambda exchange: ModelAnswer((options.answer,)))
        if command:
            status = subprocess.run(command, env={**os.environ, **upstream.environment}, check=False).returncode
        else:
            stopped = threading.Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stopped.set())
            print(upstream.url, flush=True)
            stopped.wait()
            status = 0
        total = upstream.total
        if options.record is not None:
            lines = [json.dumps(report(each), ensure_ascii=False) for each in upstream.exchanges]
            options.record.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    summary = {"calls": len(upstream.calls), "refused": len(upstream.refused), **vars(total), "price": total.price}
    print(json.dumps(summary), file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
