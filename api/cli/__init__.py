"""Command line of Foxing."""

import sys


def main() -> None:
    """Runs the `foxing` command; the entry point of the script."""
    try:
        from .main import main as run
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("foxing"):
            raise
        sys.exit(f"foxing: {error.name} is not installed; run: pip install 'foxing-client[cli]'")
    run()
