"""Products of whole numbers of 8 bits, exact on every machine."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

EXACT = 1 << 24  # whole numbers below are exact in float32
TOP = 128  # of a number of 8 bits


class WholeLayer:
    """x → x·weight + bias in whole numbers.

    Where the processor adds up products of 8 bits without rounding or saturation (VNNI), that takes a quarter of the
    time or less; elsewhere float32 holds all sums exactly.
    """

    def __init__(self, weight: npt.NDArray[np.int8], bias: npt.NDArray[Any]) -> None:
        """`weight`: [I, O]; `bias`: [O]. Raises `ValueError` where sums could leave the whole numbers that float32
        holds."""
        if np.abs(weight.astype(np.int64)).sum(0).max(initial=0) * TOP >= EXACT:
            raise ValueError("the weights of this layer are too large to be computed with exactly")
        self._bias = torch.from_numpy(bias.astype(np.int32))
        self._weight = torch.from_numpy(np.ascontiguousarray(weight))
        self._floats = self._weight.float()
        if int8_products() and self._agree():
            self._floats = self._floats[:0]
        else:
            self._weight = self._weight[:0]

    def __call__(self, x: Tensor) -> Tensor:
        """int8 [N, I] → int32 [N, O]."""
        sums: Tensor = torch._int_mm(x, self._weight) if len(self._weight) else (x.float() @ self._floats).int()
        return sums.add_(self._bias)

    def _agree(self) -> bool:
        """Whether both ways come to the same sums where those are largest."""
        signs = self._weight.T.sign()
        largest = torch.cat([signs * (TOP - 1), signs * -TOP])[:: max(1, len(signs) // 32)].contiguous()
        return torch.equal(torch._int_mm(largest, self._weight), (largest.float() @ self._floats).int())


def int8_products() -> bool:
    """Whether this processor has fast and exact products of 8 bits."""
    return hasattr(torch, "_int_mm") and torch.cpu._is_vnni_supported()
