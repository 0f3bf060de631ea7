"""Garbage collection in a process of our own: commands, service, proxy, MCP server.

A full collection walks every object that may be part of a cycle, some 250,000 of the modules and models alone, and all
threads wait for it: 130 to 160 ms.
"""

import atexit
import gc

#: Python's own thresholds, and how many objects must be made for a collection while a process loads.
_THRESHOLDS = gc.get_threshold()
_LOADING = 1_000_000


def collect_rarely() -> None:
    """Has garbage collected rarely until `collect_as_usual`, and not at the end of the process. To walk what is loaded
    each time takes a third of the time of loading."""
    gc.set_threshold(_LOADING)
    atexit.register(gc.freeze)


def collect_as_usual() -> None:
    """Ends `collect_rarely`, when what the process needs is imported. All objects that there are, garbage included, are
    exempt from garbage collection."""
    if gc.get_threshold()[0] == _LOADING:
        gc.freeze()
        gc.set_threshold(*_THRESHOLDS)


def exempt_loaded() -> None:
    """Exempts all objects of this process from garbage collection, so that a full collection walks only what has been
    made since. Call it once, when everything is loaded, in a process of our own: cycles among these objects stay until
    the process ends."""
    gc.collect()
    gc.freeze()
    collect_as_usual()
