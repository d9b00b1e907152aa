"""Labels of the frames of a pullback as one NIfTI file, written frame by frame.

A pullback of 3,000 frames of 512 x 512 pixels would take 800 MB at once.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from coreg.io.files import replaced_file

_HEADER_BYTES = 348
_VOXEL_OFFSET = 352
_UINT8_CODE = 2
_MILLIMETRES = 2
_SCANNER = 1
# Runs of one value are packed as well by the fastest level.
_LEVEL = 1


def write_label_stack(
    path: Path,
    frames: Iterable[npt.NDArray[np.uint8]],
    *,
    shape: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
) -> None:
    """Write labels of all frames as a NIfTI file, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in .nii.gz.
    frames : iterable of (rows, columns) uint8 array
        In acquisition order.
    shape : tuple of int
        Frames, rows and columns.
    spacing_mm : tuple of float
        Between frames, rows and columns. The first pixel lies at the origin, and in LPS the axes (column,
        row, frame) are the world's.

    Raises
    ------
    ValueError
        If the frames are not as many or not as large as said.
    """
    written = 0
    with replaced_file(path) as temporary, temporary.open("wb") as raw:
        # Without name and time the same labels always make the same file.
        with gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=raw, mtime=0) as file:
            file.write(_header(shape, spacing_mm))
            for frame in frames:
                if frame.shape != shape[1:] or frame.dtype != np.uint8:
                    msg = (
                        f"frame {written} must be uint8 of shape {shape[1:]}, got {frame.dtype} {frame.shape}"
                    )
                    raise ValueError(msg)
                file.write(np.ascontiguousarray(frame).data)
                written += 1
        if written != shape[0]:
            msg = f"there must be {shape[0]} frames, got {written}"
            raise ValueError(msg)


def _header(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> bytes:
    """NIfTI-1 header up to the first voxel: axes of the file, and RAS, where x and y turn around."""
    frame_mm, row_mm, column_mm = spacing_mm
    header = bytearray(_VOXEL_OFFSET)
    struct.pack_into("<i", header, 0, _HEADER_BYTES)
    struct.pack_into("<8h", header, 40, 3, *shape[::-1], 1, 1, 1, 1)
    struct.pack_into("<2h", header, 70, _UINT8_CODE, 8)
    struct.pack_into("<8f", header, 76, 1.0, column_mm, row_mm, frame_mm, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", header, 108, float(_VOXEL_OFFSET), 1.0, 0.0)
    struct.pack_into("<b", header, 123, _MILLIMETRES)
    struct.pack_into("<2h", header, 252, _SCANNER, _SCANNER)
    # Half a turn about the third axis.
    struct.pack_into("<3f", header, 256, 0.0, 0.0, 1.0)
    struct.pack_into("<4f", header, 280, -column_mm, 0.0, 0.0, 0.0)
    struct.pack_into("<4f", header, 296, 0.0, -row_mm, 0.0, 0.0)
    struct.pack_into("<4f", header, 312, 0.0, 0.0, frame_mm, 0.0)
    header[344:348] = b"n+1\0"
    return bytes(header)
