"""How a long call says how far it is."""

from collections.abc import Callable

#: Called with the number of items done and the total.
Progress = Callable[[int, int], None]
