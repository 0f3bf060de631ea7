"""The kernel of `mixing.c` in Python, which the compiled one is compared with: the same streams, bit by bit."""

from .kernel import ReferenceKernel

__all__ = ["ReferenceKernel"]
