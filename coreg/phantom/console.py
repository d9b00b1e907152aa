"""What a console burns into its pictures: a scale, text, and marks in the image itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.pullback import Modality

ImageArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]

MARK_GREY, LINE_GREY, TEXT_GREY = 225, 110, 200
OBLIQUE_RAD = np.radians(65.0)
SHEATH_MARK_MM = 0.47
# Three columns and five rows a character, the first row in the highest bits.
GLYPHS = {
    "0": 0o75557,
    "1": 0o26227,
    "2": 0o71747,
    "3": 0o71717,
    "4": 0o55711,
    "5": 0o74717,
    "6": 0o74757,
    "7": 0o71222,
    "8": 0o75757,
    "9": 0o75717,
    "/": 0o11244,
    ".": 0o00002,
    "C": 0o74447,
    "F": 0o74644,
    "H": 0o55755,
    "I": 0o72227,
    "M": 0o57755,
    "O": 0o75557,
    "S": 0o74717,
    "T": 0o72222,
    "U": 0o55557,
    "V": 0o55552,
    "Z": 0o71247,
    " ": 0o00000,
}


def marks(size: int, *, pixel_mm: float, field_of_view_mm: float, modality: Modality) -> ImageArray:
    """Draw what is the same in all frames, grey on 0, (rows, columns).

    OCT has an oblique line with a dot every mm and four short arcs round the catheter, IVUS crosses
    every mm along column and row; both a scale bar at the bottom edge, outside the field of view.
    """
    image = np.zeros((size, size), dtype=np.uint8)
    centre = 0.5 * (size - 1.0)
    steps = np.arange(1.0, field_of_view_mm)
    if modality == "OCT":
        toward = np.array([np.cos(OBLIQUE_RAD), np.sin(OBLIQUE_RAD)])
        reach = np.arange(-field_of_view_mm, field_of_view_mm, 0.5 * pixel_mm)
        _dots(image, centre + reach[:, None] * toward / pixel_mm, LINE_GREY, half=0)
        places = np.concatenate([-steps, [0.0], steps])
        _dots(image, centre + places[:, None] * toward / pixel_mm, MARK_GREY, half=1)
        middle = np.radians(np.array([0.0, 90.0, 180.0, 270.0]))
        arc = (middle[:, None] + np.radians(np.arange(-10.0, 11.0))).ravel()
        ring = np.column_stack([np.cos(arc), np.sin(arc)]) * SHEATH_MARK_MM / pixel_mm
        _dots(image, centre + ring, MARK_GREY, half=0)
    else:
        for toward in np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]):
            _crosses(image, centre + steps[:, None] * toward / pixel_mm)
    long = round(1.0 / pixel_mm)
    left = size // 16
    image[size - max(3, size // 64), left : left + long] = TEXT_GREY
    return image


def caption(image: ImageArray, text: str, *, row: int, column: int) -> None:
    """Write characters into an image in place."""
    scale = max(1, len(image) // 256)
    for number, character in enumerate(text):
        bits = np.array([GLYPHS[character] >> shift & 1 for shift in range(14, -1, -1)]).reshape(5, 3)
        glyph = np.kron(bits, np.ones((scale, scale), dtype=np.uint8)).astype(bool)
        left = column + 4 * scale * number
        part = image[row : row + glyph.shape[0], left : left + glyph.shape[1]]
        part[glyph[: part.shape[0], : part.shape[1]]] = TEXT_GREY


def _dots(image: ImageArray, xy_px: FloatArray, grey: int, *, half: int) -> None:
    for x, y in np.rint(xy_px).astype(int):
        part = image[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
        part[:] = grey


def _crosses(image: ImageArray, xy_px: FloatArray) -> None:
    for shift in np.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]):
        _dots(image, xy_px + shift, MARK_GREY, half=0)
