"""Whether images look like what they are declared to be: OCT or IVUS, with pixels of a certain size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.pullback import Modality
from coreg.pullback_measures import areas_mm2
from coreg.pullback_vessel import SEEN
from coreg.segmentation.catheter_place import catheter_offset_mm
from coreg.segmentation.oct_appearance import catheter_radius_mm
from coreg.segmentation.outlines import Outlines
from coreg.segmentation.polar import PolarFrames

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

SOME = 60
# Of coronary arteries and of the consoles that look into them.
LUMEN_MM, VIEW_MM = (1.0, 7.0), (2.0, 10.0)
# Sheaths of OCT are 0.6 to 0.9 mm wide, catheters of IVUS up to 1.2 mm.
SHEATH_MM, WIDEST_CATHETER_MM = (0.5, 1.5), 1.5
OFF_CENTRE_MM = 0.4
BLACK, MASKED_PERCENT = 2.0, 99.0
# Relative to the brightest layer of the wall: without speckle of blood, and without far tissue.
DARK, FADED = 0.22, 0.5
LAYERS_MM = ((0.0, 0.15), (0.15, 0.3), (0.3, 0.5), (0.5, 0.8), (0.8, 1.3))
BEFORE_MM = (-0.3, -0.1)
# The catheter's own rings lie nearer.
NEAREST_MM = 0.55
FEWEST_RAYS = 200


@dataclass(frozen=True)
class Doubt:
    """Something that does not fit what was declared.

    Attributes
    ----------
    note : str
        What, and which key of the case to check.
    reason : str
        The reason not to trust any frame, where it is certain; else empty.
    """

    note: str
    reason: str = ""


def declaration_doubts(
    polar: PolarFrames, outlines: Outlines, *, modality: Modality, field_of_view_mm: float
) -> tuple[Doubt, ...]:
    """Compare images with what is usual for the modality and the scale that they are said to have.

    Parameters
    ----------
    polar : PolarFrames
        N frames along rays.
    outlines : Outlines
        What was found in them as this modality.
    modality : str
        As declared.
    field_of_view_mm : float
        Largest distance from the catheter that the images show, as far as the pixel size is right.
    """
    some = np.unique(np.linspace(0, len(polar.values) - 1, SOME).astype(int))
    values = np.stack([polar.cleaned(i) for i in some])
    other = _other_modality(values, outlines, some, polar.step_mm, modality)
    # Outlines of what is not there have no sizes.
    return other or (
        *_lumen_size(outlines),
        *_view_size(field_of_view_mm),
        *(
            _catheter_size(values, polar.step_mm, modality)
            or _catheter_place(values, polar.step_mm, modality, field_of_view_mm)
        ),
    )


def _other_modality(
    values: Float32Array,
    outlines: Outlines,
    frames: npt.NDArray[np.int64],
    step_mm: float,
    modality: Modality,
) -> tuple[Doubt, ...]:
    """Tell by two signs that must agree: how dark lumen is, and how dark tissue 1 mm behind its border.

    Light is lost within 1 mm of tissue and passes blood that was flushed away; ultrasound shows the
    speckle of blood, and bright adventitia behind a thin intima.
    """
    border = outlines.wall_mm[frames]
    lit = outlines.state[frames] == SEEN
    layers = [_layer(values, border, lit, step_mm, layer) for layer in LAYERS_MM]
    before = _layer(values, border, lit, step_mm, BEFORE_MM)
    if len(before) < FEWEST_RAYS or len(layers[-1]) < FEWEST_RAYS:
        return ()
    brightest = max(float(np.median(each)) for each in layers if len(each))
    dark = bool(np.median(before) < DARK * brightest)
    faded = bool(np.median(layers[-1]) < FADED * brightest)
    if modality == "IVUS" and dark and faded:
        looks = "a black lumen and a wall that fades within 1 mm"
    elif modality == "OCT" and not dark and not faded:
        looks = "a grey lumen and bright tissue far behind its border"
    else:
        return ()
    other = "OCT" if modality == "IVUS" else "IVUS"
    note = f"found {looks}, as {other} shows, in images declared {modality}; check pullback.modality"
    return (Doubt(note, f"looks like {other}, declared {modality}"),)


def _layer(
    values: Float32Array,
    border_mm: FloatArray,
    lit: npt.NDArray[np.bool_],
    step_mm: float,
    layer_mm: tuple[float, float],
) -> FloatArray:
    """Mean grey values between two distances from a border (N, A), of the rays that show both, shape (K,)."""
    place = np.arange(values.shape[2])
    start, end = (np.rint((border_mm + each) / step_mm).astype(np.int64) for each in layer_mm)
    whole = lit & (start * step_mm >= NEAREST_MM) & (end <= values.shape[2]) & (end > start)
    within = (place >= start[whole][:, None]) & (place < end[whole][:, None])
    sums = np.where(within, values[whole], 0.0).sum(axis=1, dtype=np.float64)
    means: FloatArray = sums / (end - start)[whole]
    return means


def _lumen_size(outlines: Outlines) -> tuple[Doubt, ...]:
    diameter_mm = float(np.median(2.0 * np.sqrt(areas_mm2(outlines.wall_mm) / np.pi)))
    return _beyond(
        diameter_mm, LUMEN_MM, "a lumen that is {} mm wide in the middle of the frames", reason=True
    )


def _view_size(field_of_view_mm: float) -> tuple[Doubt, ...]:
    return _beyond(field_of_view_mm, VIEW_MM, "images that end {} mm from the catheter")


def _catheter_size(values: Float32Array, step_mm: float, modality: Modality) -> tuple[Doubt, ...]:
    """Measure the rings of an OCT sheath, or the disc that IVUS consoles leave black."""
    if modality == "OCT":
        width_mm, key = 2.0 * catheter_radius_mm(values, step_mm), "pullback.pixel_spacing_mm and modality"
        return _beyond(width_mm, SHEATH_MM, "a catheter that is {} mm wide", key=key)
    shown = np.percentile(values, MASKED_PERCENT, axis=(0, 1)) > BLACK
    disc_mm = 2.0 * float(np.argmax(shown)) * step_mm
    return _beyond(disc_mm, (0.0, WIDEST_CATHETER_MM), "a catheter that is {} mm wide")


def _catheter_place(
    values: Float32Array, step_mm: float, modality: Modality, field_of_view_mm: float
) -> tuple[Doubt, ...]:
    """Doubt the catheter's centre where the catheter shows itself elsewhere."""
    offset = catheter_offset_mm(values, step_mm, modality=modality, field_of_view_mm=field_of_view_mm)
    if offset is None or np.linalg.norm(offset) <= OFF_CENTRE_MM:
        return ()
    shows = "bright rings" if modality == "OCT" else "a black disc"
    found = f"found what looks like the catheter ({shows}) {np.linalg.norm(offset):.1f} mm from its centre"
    note = f"{found}, expected it there; check pullback.catheter_px"
    return (Doubt(note),)


def _beyond(
    value_mm: float,
    usual_mm: tuple[float, float],
    found: str,
    *,
    key: str = "pullback.pixel_spacing_mm",
    reason: bool = False,
) -> tuple[Doubt, ...]:
    """Doubt the pixel size where a length is not a usual one."""
    low, high = usual_mm
    if low <= value_mm <= high:
        return ()
    usual = f"{low:g} to {high:g} mm" if low else f"at most {high:g} mm"
    note = f"found {found.format(f'{value_mm:.2g}')}, expected {usual}; check {key}"
    return (Doubt(note, "the lumen has no size of an artery" if reason else ""),)
