"""Images of synthetic pullbacks, with the truth they were made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from coreg.phantom.ccta_settings import CctaSettings
from coreg.phantom.console import caption, marks
from coreg.phantom.ivus_image import CATHETER_MM, IVUS_STEP_MM, ivus_lines, ivus_look
from coreg.phantom.oct_image import OCT_STEP_MM, SHEATH_MM, oct_lines, oct_look
from coreg.phantom.patient import PhantomPatient
from coreg.phantom.pullback_run import make_run
from coreg.phantom.pullback_settings import PullbackImageSettings, pullback_preset
from coreg.phantom.pullback_truth import frame_truth, true_vessel
from coreg.phantom.randomness import component_rng
from coreg.phantom.scan_conversion import depths_mm, scan_grid
from coreg.phantom.shot import Shot
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import PullbackVessel

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
ImageArray = npt.NDArray[np.uint8]

OCT_FRAMES_HZ = 100.0


@dataclass(frozen=True, eq=False)
class PhantomPullback:
    """Images of a pullback and their truth, in acquisition order.

    Attributes
    ----------
    images : PullbackImages
        What a reader makes of the files: without what the console burned in.
    overlay : (rows, columns) uint8 array
        What the console draws over every frame; 0 elsewhere.
    frame : (N,) int array
        Acquisition indices of the images; all of the run unless some were asked for.
    vessel : PullbackVessel
        Exact: lumen, wall, membrane, states, side branches and calcium, with the rotational distortion
        of the images; frames outside the vessel or full of blood have a reason. Its tables have a row
        for each image, its side branches and calcium name acquisition indices.
    calcium : (N, A) bool array
        Lines of sight that meet calcium.
    settings : PullbackImageSettings
        How the images were made.
    """

    images: PullbackImages
    overlay: ImageArray
    frame: IntArray
    vessel: PullbackVessel
    calcium: BoolArray
    settings: PullbackImageSettings

    @property
    def lumen_mm(self) -> FloatArray:
        """Where each line of sight first leaves the whole lumen, (N, A)."""
        return self.vessel.lumen_mm

    @property
    def wall_mm(self) -> FloatArray:
        """Where each line of sight first leaves the main vessel, (N, A)."""
        return self.vessel.wall_mm

    @property
    def eem_mm(self) -> FloatArray:
        """Where each line of sight passes the external elastic membrane, (N, A)."""
        return np.asarray(self.vessel.eem_mm)

    def facts(self) -> dict[str, str | float]:
        """How the images were made, for a table."""
        reasons = Counter(each for each in self.vessel.reason if each)
        return {
            "pullback_frequency_mhz": self.settings.frequency_mhz if self.images.modality == "IVUS" else "",
            "pullback_catheter_type": self.images.catheter_type,
            "pullback_pixel_mm": float(self.images.pixel_spacing_mm[0]),
            "pullback_bad_frames": "; ".join(f"{count} {reason}" for reason, count in reasons.items()),
            "pullback_calcium_arcs": len(self.vessel.calcium),
        }

    def exported(self) -> PullbackImages:
        """The images as a console exports them, see `screen`."""
        return replace(self.images, pixels=self.screen(), hidden=None)

    def screen(self) -> ImageArray:
        """Frames (N, rows, columns) as the console shows and exports them."""
        shown = self.images.pixels.copy()
        if not self.overlay.any():
            return shown
        drawn = self.overlay > 0
        margin = len(self.overlay) // 64
        for image, number in zip(shown, self.frame.tolist(), strict=True):
            image[drawn] = self.overlay[drawn]
            caption(image, f"F {number + 1}", row=margin, column=margin)
        return shown


def make_pullback_images(
    patient: PhantomPatient,
    *,
    settings: PullbackImageSettings | None = None,
    size: int = 512,
    frames: Sequence[int] | None = None,
    ccta_settings: CctaSettings | None = None,
    progress: Callable[[float], None] | None = None,
) -> PhantomPullback:
    """Make the images of a synthetic pullback; the same arguments always give the same ones.

    Parameters
    ----------
    patient : PhantomPatient
        Whose pullback is shown.
    settings : PullbackImageSettings, optional
        By default typical images of the patient's modality.
    size : int
        Rows and columns.
    frames : sequence of int, optional
        Acquisition indices to draw, rising; by default all. Each looks as it does among all others.
    ccta_settings : CctaSettings, optional
        Of the CCTA image whose plaque, calcium and stent are shown; by default a typical one.
    progress : callable, optional
        Takes the share of the frames that is drawn.

    Raises
    ------
    ValueError
        If a frame is asked for that the pullback does not have, or not in rising order.
    """
    modality, seed, reach = patient.settings.modality, patient.seed, patient.field_of_view_mm
    settings = settings or pullback_preset("typical", modality=modality)
    paint: Callable[[Shot, np.random.Generator], Float32Array]
    if modality == "OCT":
        paint, step_mm = partial(oct_lines, oct_look(seed, reach, settings)), OCT_STEP_MM
    else:
        paint, step_mm = partial(ivus_lines, ivus_look(seed, reach, settings)), IVUS_STEP_MM
    catheter_mm = SHEATH_MM if modality == "OCT" else CATHETER_MM
    run = make_run(patient, settings, ccta_settings or CctaSettings(), catheter_mm=catheter_mm)
    grid = scan_grid(size, field_of_view_mm=reach, angles=settings.angles, step_mm=step_mm)
    depth_mm = depths_mm(reach, step_mm)
    frame = np.arange(len(run)) if frames is None else _checked_frames(frames, len(run))
    pixels = np.zeros((len(frame), size, size), dtype=np.uint8)
    truths = []
    for row, i in enumerate(frame.tolist()):
        if progress is not None:
            progress(row / len(frame))
        shot = run.shot(i, depth_mm)
        pixels[row] = grid.converted(paint(shot, component_rng(seed, f"pullback frame {i}")))
        truths.append(frame_truth(shot, catheter_mm=catheter_mm))
    overlay = np.zeros((size, size), dtype=np.uint8)
    if settings.console:
        overlay = marks(size, pixel_mm=grid.pixel_mm, field_of_view_mm=reach, modality=modality)
    hidden = (overlay > 0) & grid.inside
    pixels[:, hidden] = 0
    images = PullbackImages(
        pixels,
        np.full(2, grid.pixel_mm),
        np.full(2, grid.centre_px),
        modality,
        reach,
        settings.catheter_type,
        hidden=hidden,
        frame_rate_hz=_frame_rate_hz(patient),
    )
    vessel = true_vessel(patient, truths, frame, settings)
    return PhantomPullback(images, overlay, frame, vessel, np.array([each.hard for each in truths]), settings)


def _checked_frames(frames: Sequence[int], count: int) -> IntArray:
    frame = np.asarray(frames, dtype=np.int64)
    if not len(frame) or frame[0] < 0 or frame[-1] >= count or (np.diff(frame) <= 0).any():
        msg = f"frames must rise within 0 to {count - 1}, got {frame.tolist()}"
        raise ValueError(msg)
    return frame


def _frame_rate_hz(patient: PhantomPatient) -> float | None:
    if patient.settings.modality == "OCT":
        return OCT_FRAMES_HZ
    gated = patient.settings.ivus_acquisition == "gated"
    return None if gated else patient.settings.ivus_frame_rate_hz
