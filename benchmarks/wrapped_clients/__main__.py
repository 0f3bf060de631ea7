"""Command line: `python -m benchmarks.wrapped_clients [--client NAME …] [--turns 500] [--kill-agents 10]`."""

import argparse
import json
import sys
from dataclasses import asdict

from .measurement import CLIENTS, measure


def main() -> int:
    """Runs the trial with each client, and prints its outcome as JSON Lines. Exits with status 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wrapped_clients", description=main.__doc__)
    parser.add_argument("--client", action="append", choices=CLIENTS, help="client; by default all")
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--kill-agents", type=int, default=10)
    parser.add_argument("--kill-services", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failed = False
    for client in options.client or CLIENTS:
        trial = measure(client, options.turns, options.kill_agents, options.kill_services, options.seed)
        print(json.dumps({"passed": trial.passed, **asdict(trial)}), flush=True)
        failed = failed or not trial.passed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
