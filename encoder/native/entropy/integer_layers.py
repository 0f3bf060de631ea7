"""Matrix products of 8-bit integers, exact on every machine."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

EXACT = 1 << 24  # float32 represents all integers below this
INT8_LIMIT = 128  # largest magnitude of an int8


class Int8Linear:
    """x → x·weight + bias in integers.

    Where the processor sums 8-bit products without rounding or saturation (VNNI), this takes at most a quarter of the
    time; elsewhere float32 holds all sums exactly.
    """

    def __init__(self, weight: npt.NDArray[np.int8], bias: npt.NDArray[Any]) -> None:
        """`weight`: int8 [I, O]; `bias`: [O]. Raises `ValueError` if a sum could exceed the integers that float32
        represents exactly."""
        if np.abs(weight.astype(np.int64)).sum(0).max(initial=0) * INT8_LIMIT >= EXACT:
            raise ValueError("the weights of this layer are too large for exact arithmetic")
        self._bias = torch.from_numpy(bias.astype(np.int32))
        self._weight = torch.from_numpy(np.ascontiguousarray(weight))
        self._floats = self._weight.float()
        if has_int8_products() and self._products_agree():
            self._floats = self._floats[:0]
        else:
            self._weight = self._weight[:0]

    def __call__(self, x: Tensor) -> Tensor:
        """int8 [N, I] → int32 [N, O]."""
        sums: Tensor = torch._int_mm(x, self._weight) if len(self._weight) else (x.float() @ self._floats).int()
        return sums.add_(self._bias)

    def _products_agree(self) -> bool:
        """Whether both ways give the same sums for the inputs with the largest ones."""
        signs = self._weight.T.sign()
        largest = torch.cat([signs * (INT8_LIMIT - 1), signs * -INT8_LIMIT])
        largest = largest[:: max(1, len(signs) // 32)].contiguous()
        return torch.equal(torch._int_mm(largest, self._weight), (largest.float() @ self._floats).int())


def has_int8_products() -> bool:
    """Whether this processor has fast, exact 8-bit products."""
    return hasattr(torch, "_int_mm") and torch.cpu._is_vnni_supported()
