"""A small picture of a registration, drawn as text: a page of many of them must be made fast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from coreg.report.style import AFTER, DOUBT, LANDMARK, PULLBACK, as_svg_uri, spans
from coreg_cohort.landmark_tables import Errors
from coreg_cohort.measured_case import Sketch

FloatArray = npt.NDArray[np.float64]

# In pixels: the vessel on the left, distances along the pullback on the right.
WIDTH, HEIGHT, VESSEL_WIDTH, MARGIN = 380, 110, 110, 8
# Lumens and landmarks farther off than this are drawn as at it: they do not match.
FARTHEST_MM = 1.0
# Of a line; more of them do not show.
MOST_POINTS = 100


def picture(sketch: Sketch, errors: Errors) -> str:
    """Draw where a pullback lies in its vessel, and how far the lumens are apart along it.

    Parameters
    ----------
    sketch : Sketch
        The registration.
    errors : Errors
        At its landmarks; may be empty.

    Returns
    -------
    str
        An SVG as a data URI.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}">',
        *_vessel(sketch),
        *_distances(sketch, errors),
        "</svg>",
    ]
    return as_svg_uri("".join(parts).encode())


def _vessel(sketch: Sketch) -> list[str]:
    """Centerline and catheter in the plane in which the vessel bends most, the ostium on top."""
    line = sketch.centerline_mm
    middle = line.mean(axis=0)
    axes = np.linalg.svd(line - middle, full_matrices=False)[2][:2]
    flat, catheter = (line - middle) @ axes.T, (sketch.origin_mm - middle) @ axes.T
    # The longest extent runs down.
    flat, catheter = flat[:, ::-1], catheter[:, ::-1]
    if flat[0, 1] > flat[-1, 1]:
        flat, catheter = -flat, -catheter
    low, size = flat.min(axis=0), np.ptp(flat, axis=0)
    room = np.array([VESSEL_WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    scale = float((room / np.maximum(size, 1e-6)).min())
    shift = MARGIN + 0.5 * (room - scale * size)
    points, path = ((each - low) * scale + shift for each in (flat, catheter))
    parts = [_line(points, "#c9ced8", 7.0)]
    for doubtful, colour in ((False, PULLBACK), (True, DOUBT)):
        shown = np.where((sketch.reliable != doubtful)[:, None], path, np.nan)
        parts.append(_line(shown, colour, 2.2))
    x, y = points[0]
    return [*parts, f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#1d2433"/>']


def _distances(sketch: Sketch, errors: Errors) -> list[str]:
    """Distance of the lumens along the pullback, proximal on the left, and errors at landmarks as bars."""
    position = sketch.position_mm
    left, right, bottom = VESSEL_WIDTH + 5 * MARGIN, WIDTH - MARGIN, HEIGHT - 2 * MARGIN
    length = max(float(np.ptp(position)), 1e-6)

    def across(at_mm: FloatArray) -> FloatArray:
        return np.asarray(left + (right - left) * (position.max() - at_mm) / length)

    def up(height_mm: FloatArray) -> FloatArray:
        return np.asarray(bottom - (bottom - MARGIN) * np.minimum(height_mm, FARTHEST_MM) / FARTHEST_MM)

    parts = []
    for start, stop in spans(~sketch.reliable, position):
        a, b = np.clip(across(np.array([start, stop])), left, right)
        parts.append(_box(a, MARGIN, b - a, bottom - MARGIN, DOUBT, 0.25))
    for height in (0.0, 0.5, 1.0):
        y = float(up(np.array(height)))
        parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#d9dee7" fill="none"/>')
    parts.append(_line(np.column_stack([across(position), up(sketch.residual_mm)]), AFTER, 1.6))
    order = np.argsort(sketch.frame)
    at = across(np.interp(errors.frame_expected, sketch.frame[order], position[order]))
    for x, y in zip(at, up(np.abs(errors.error_mm)), strict=True):
        if np.isfinite(x) and np.isfinite(y):
            parts.append(_box(x - 2.0, y, 4.0, max(bottom - y, 1.5), LANDMARK, 0.9))
    text = 'font-family="DejaVu Sans, Verdana, sans-serif" font-size="9" fill="#596275"'
    return [
        *parts,
        f'<text x="{left}" y="{HEIGHT - 4}" {text}>proximal</text>',
        f'<text x="{left - 4}" y="{MARGIN + 4}" text-anchor="end" {text}>{FARTHEST_MM:g} mm</text>',
        f'<text x="{right}" y="{HEIGHT - 4}" text-anchor="end" {text}>distal</text>',
    ]


def _line(points: FloatArray, colour: str, width: float) -> str:
    """A line through points (N, 2), broken where they are NaN."""
    step = max(1, len(points) // MOST_POINTS)
    parts, pen = [], "M"
    for x, y in points[::step]:
        if np.isfinite(x) and np.isfinite(y):
            parts.append(f"{pen}{x:.1f} {y:.1f}")
            pen = "L"
        else:
            pen = "M"
    style = f'stroke="{colour}" stroke-width="{width}" stroke-linecap="round" stroke-linejoin="round"'
    return f'<path d="{"".join(parts)}" fill="none" {style}/>'


def _box(x: float, y: float, width: float, height: float, colour: str, opacity: float) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}" fill-opacity="{opacity}"/>'
    )
