"""Command line of Foxing."""

import sys

from foxing.memory.garbage import collect_rarely


def main() -> None:
    """Runs the `foxing` command; the entry point of the script."""
    collect_rarely()
    try:
        from .main import main as run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("foxing"):
            raise
        sys.exit(f"foxing: {error.name} is not installed; run: pip install 'foxing-client[cli]'")
    run()
