"""Quantisation of the encoder's confidence in each cell to 16 levels.

Nearly all cells of a legible page have level 0, which costs next to nothing: the kernel codes the level of a character
in the context of earlier levels and of the cost of the character. The bound of level 0 is calibrated for each tier, as
low as cells above it are almost never wrong: at low tiers the confidences of clear cells vary slightly, and coding the
variation would take half of the stream.
"""

import numpy as np
import numpy.typing as npt

#: Upper bounds of the confidence at levels 1, 2 … 15.
LEVEL_BOUNDS = np.array([0.9992, 0.99, 0.975, 0.96, 0.94, 0.91, 0.87, 0.81, 0.74, 0.65, 0.55, 0.43, 0.3, 0.18, 0.08])
MAX_CONFIDENCE = 0.9999
#: float32 [16]: the confidence reported for each level.
LEVEL_CONFIDENCE = np.concatenate([[MAX_CONFIDENCE], (LEVEL_BOUNDS + np.append(LEVEL_BOUNDS[1:], 0)) / 2]).astype(
    np.float32
)


#: Default bound of level 0, without calibration.
CERTAIN_FROM = float(LEVEL_BOUNDS[0])


def quantize(confidence: npt.NDArray[np.float32], certain_from: float = CERTAIN_FROM) -> npt.NDArray[np.int64]:
    """Returns the levels of confidences, int64 of the same shape; 0 for those of at least `certain_from`."""
    levels: npt.NDArray[np.int64] = np.searchsorted(-LEVEL_BOUNDS, -confidence, side="left")
    levels[confidence >= certain_from] = 0
    return levels
