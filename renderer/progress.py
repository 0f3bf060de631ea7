"""Type of the progress callback of long calls."""

from collections.abc import Callable

#: Called with the number of items done and the total.
Progress = Callable[[int, int], None]
