"""Parts of an object that the first use makes."""

from collections.abc import Callable
from functools import cached_property
from threading import RLock
from typing import Any, TypeVar

T = TypeVar("T")


def once(make: Callable[[Any], T]) -> "cached_property[T]":
    """Returns a property that `make` computes on first use, once even if several threads ask for it together. Modules
    that only some calls need are imported there."""
    name = make.__name__
    lock = RLock()

    def value(owner: Any) -> T:
        with lock:
            parts = vars(owner)
            if name not in parts:
                parts[name] = make(owner)
            part: T = parts[name]
            return part

    value.__doc__ = make.__doc__
    return cached_property(value)
