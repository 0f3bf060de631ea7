"""Confidence of the encoder in each cell, quantised to 16 levels.

Nearly all cells of a legible page have level 0, which costs next to nothing: the kernel codes the level of a character
given those before it and how surprising the character is. Where level 0 begins is calibrated for each tier: as low as
next to nothing of it is wrong, since at a small tier clear cells differ a little in confidence and would take half of
the room to say so.
"""

import numpy as np
import numpy.typing as npt

N_LEVELS = 16
#: Upper bounds of the confidence at levels 1, 2 … 15.
LEVEL_BOUNDS = np.array([0.9992, 0.99, 0.975, 0.96, 0.94, 0.91, 0.87, 0.81, 0.74, 0.65, 0.55, 0.43, 0.3, 0.18, 0.08])
MAX_CONFIDENCE = 0.9999
#: float32 [16]: the confidence reported for each level.
LEVEL_CONFIDENCE = np.concatenate([[MAX_CONFIDENCE], (LEVEL_BOUNDS + np.append(LEVEL_BOUNDS[1:], 0)) / 2]).astype(
    np.float32
)


#: Confidence from which a cell has level 0, where none is calibrated.
CERTAIN_FROM = float(LEVEL_BOUNDS[0])


def quantize(confidence: npt.NDArray[np.float32], certain_from: float = CERTAIN_FROM) -> npt.NDArray[np.int64]:
    """Levels of confidences of any shape; 0 from `certain_from` on."""
    levels: npt.NDArray[np.int64] = np.searchsorted(-LEVEL_BOUNDS, -confidence, side="left")
    levels[confidence >= certain_from] = 0
    return levels
