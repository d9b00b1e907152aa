"""The sample that the viewer opens: a synthetic patient with images and outlines of both modalities."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from coreg import __version__
from coreg.io.case_model import CASE_NAME
from coreg.io.phantom_files import ImageTruth, PullbackTruth, Truth, write_phantom
from coreg.phantom import (
    lumen_surface,
    make_ccta,
    make_patient,
    make_pullback_images,
    true_centerline,
    wall_surface,
)

SEED = 40
Progress = Callable[[str, float], None]


def sample_case(tell: Progress) -> Path:
    """Return the folder of the sample, made when it is first asked for and kept in the user's cache."""
    folder = cache_folder() / f"sample-{__version__}"
    if not (folder / CASE_NAME).is_file():
        make_sample(folder, tell)
    return folder


def cache_folder() -> Path:
    """Return where samples are kept, a folder each, in the user's cache."""
    return user_cache_path("coreg", appauthor=False)


def make_sample(folder: Path, tell: Progress, *, seed: int = SEED) -> None:
    """Make a synthetic patient and draw its images; takes half a minute."""
    tell("Making a synthetic patient (half a minute, the first time only)", 0.0)
    patient = make_patient(seed)
    tell("Drawing the CCTA", 0.1)
    made = make_ccta(patient)
    drawn = make_pullback_images(
        patient, progress=lambda share: tell("Drawing the pullback", 0.3 + 0.6 * share)
    )
    ccta = ImageTruth(made.image, made.labels, true_centerline(made.lumen), wall_surface(made.vessel), ())
    truth = Truth(
        patient.truth, patient.landmarks, patient.side_branches, lumen_surface(patient.lumen), patient.facts()
    )
    tell("Writing the files", 0.95)
    write_phantom(
        folder,
        patient.case,
        truth,
        ccta=ccta,
        pullback=PullbackTruth(drawn.exported(), drawn.vessel),
        outlined=True,
        clockwise=patient.clockwise,
        force=True,
    )
