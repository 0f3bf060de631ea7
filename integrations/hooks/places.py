"""Files that hooks share with the service: the spool, the log.

They stand beside the SQLite database, in the folder `foxing.db-hooks`. Imports almost nothing,
because the client of hooks imports it in each process.
"""

import os
import sys

from foxing.renderer.private_files import make_folder, opener

#: After the path of the database.
FOLDER_SUFFIX = "-hooks"
#: Files beside the spool: what failed, and what came of each question to the service.
LOG, ASKED = "hooks.log", "asked.log"
#: What comes of a question that the service answers; any other line says why it did not.
GIVEN, NOTHING, ERROR = "something was given", "nothing is relevant", "the service answered with an error"
#: How lines of the log begin that are no failures.
STARTED = "started a service"
#: Where the service answers hooks.
PATH = "/x/hooks"
#: Header of a question with the milliseconds for which the hook waits.
WAIT_HEADER = "Foxing-Wait"
#: Size from which a log begins again.
LOG_BYTES = 256 << 10


def default_database() -> str:
    """Returns the path of the SQLite database that is used where none is named."""
    if sys.platform == "linux":
        base = os.environ.get("XDG_DATA_HOME", "").strip() or os.path.expanduser("~/.local/share")
        return f"{base}/foxing/foxing.db"
    from platformdirs import user_data_path

    return str(user_data_path("foxing") / "foxing.db")


def folder_of(database: str) -> str:
    """Returns the folder of hooks of a database."""
    return database + FOLDER_SUFFIX


def spool_of(database: str) -> str:
    """Returns the folder of events that the service has not taken in yet."""
    return os.path.join(folder_of(database), "spool")


def log_of(database: str) -> str:
    """Returns the log of hooks."""
    return os.path.join(folder_of(database), LOG)


def note(database: str, line: str, name: str = LOG) -> None:
    """Appends a line to a log of hooks, with the time. A log that cannot be written is left."""
    import time

    path = os.path.join(folder_of(database), name)
    try:
        make_folder(folder_of(database))
        if os.path.exists(path) and os.path.getsize(path) > LOG_BYTES:
            os.replace(path, path + ".old")
        with open(path, "a", encoding="utf-8", errors="backslashreplace", opener=opener) as log:
            log.write(time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + line.replace("\n", " ") + "\n")
    except OSError:
        pass
