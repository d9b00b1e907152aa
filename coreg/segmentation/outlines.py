"""What is found of the lumen in frames, before it is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outlines:
    """Lumen outlines by frame and angle, as in `coreg.pullback_vessel.PullbackVessel`.

    Attributes
    ----------
    lumen_mm, wall_mm : (N, A) arrays
        Distance of the outline from the catheter, with the mouths of side branches and without.
    state : (N, A) uint8 array
        How it is known.
    evidence : (N, A) array
        How much worse the image would fit an outline elsewhere on the ray, from 0 to 1.
    haze : (N,) array
        Share of the lumen that is as bright as wall.
    """

    lumen_mm: FloatArray
    wall_mm: FloatArray
    state: npt.NDArray[np.uint8]
    evidence: FloatArray
    haze: FloatArray


def joined(parts: list[tuple[int, int, Outlines]]) -> Outlines:
    """Join outlines of overlapping runs of frames; of each run the frames from first to before last are kept.

    Parameters
    ----------
    parts : list of (first, last, Outlines)
        Rows of each part that are kept, in order.
    """
    names = ("lumen_mm", "wall_mm", "state", "evidence", "haze")
    tables = [np.concatenate([getattr(part, name)[a:b] for a, b, part in parts]) for name in names]
    return Outlines(*tables)
