"""Images that are not what they are said to be are noticed; all that are, are left in peace."""

import numpy as np
import pytest

from coreg.errors import InputError
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.segmentation import segment_pullback

FRAMES, SIZE, REACH_MM = 24, 161, 3.6


@pytest.fixture(scope="module")
def declared(rays):
    """Segment a lumen of 2.6 mm that is drawn as one modality and declared another, with wrong pixels."""
    spacing, middle = 2.0 * REACH_MM / (SIZE - 1), 0.5 * (SIZE - 1)
    row, column = np.indices((SIZE, SIZE))
    x, y = spacing * (column - middle), spacing * (row - middle)
    ray = np.rint(np.arctan2(y, x) / (2.0 * np.pi) * len(rays.angle_rad)).astype(int) % len(rays.angle_rad)
    depth = (np.hypot(x, y) / rays.step_mm).astype(int)
    turns = 0.05 * np.arange(FRAMES)
    lumen = np.stack([rays.circle_mm(1.3, (0.4 * np.cos(turn), 0.4 * np.sin(turn))) for turn in turns])
    drawn = {"OCT": rays.oct_frames(lumen), "IVUS": rays.ivus_frames(lumen, lumen + 0.5)}

    def run(drawn_as, declared_as, scale=1.0, view_mm=REACH_MM - 0.2, off_mm=0.0):
        values = drawn[drawn_as]
        within = depth < values.shape[2]
        pixels = np.where(within, values[:, ray, np.minimum(depth, values.shape[2] - 1)], 0.0)
        images = PullbackImages(
            pixels.astype(np.uint8),
            np.full(2, scale * spacing),
            np.full(2, middle) + np.array([off_mm, -0.5 * off_mm]) / spacing,
            declared_as,
            scale * view_mm,
        )
        return segment_pullback(images, Pullback(np.arange(FRAMES), 0.2 * np.arange(FRAMES), {}))

    return run


@pytest.mark.parametrize("modality", ["OCT", "IVUS"])
def test_images_that_are_what_they_are_said_to_be_raise_no_doubt(declared, modality):
    vessel = declared(modality, modality)
    assert not vessel.notes
    assert not vessel.marked.any()


@pytest.mark.parametrize(
    ("drawn_as", "declared_as", "looks"),
    [
        ("OCT", "IVUS", "a black lumen and a wall that fades within 1 mm"),
        ("IVUS", "OCT", "a grey lumen and bright tissue far behind its border"),
    ],
)
def test_the_other_modality_is_named_and_no_frame_trusted(declared, drawn_as, declared_as, looks):
    vessel = declared(drawn_as, declared_as)
    assert vessel.notes == (
        f"found {looks}, as {drawn_as} shows, in images declared {declared_as}; check pullback.modality",
    )
    assert set(vessel.reason) == {f"looks like {drawn_as}, declared {declared_as}"}
    assert vessel.quality.max() < 0.5


def test_a_lumen_three_times_too_wide_is_no_artery(declared):
    vessel = declared("OCT", "OCT", 3.0)
    assert vessel.notes[0] == (
        "found a lumen that is 7.8 mm wide in the middle of the frames, expected 1 to 7 mm; "
        "check pullback.pixel_spacing_mm"
    )
    assert any(note.startswith("found images that end 10 mm from the catheter") for note in vessel.notes)
    assert set(vessel.reason) == {"the lumen has no size of an artery"}


def test_a_catheter_twice_too_wide_is_noted_but_marks_no_frame(declared):
    vessel = declared("OCT", "OCT", 2.0)
    (note,) = vessel.notes
    assert note.startswith("found a catheter that is ")
    assert note.endswith("mm wide, expected 0.5 to 1.5 mm; check pullback.pixel_spacing_mm and modality")
    assert not vessel.marked.any()
    (note,) = declared("IVUS", "IVUS", 2.4).notes
    assert note.startswith("found a catheter that is ")
    assert note.endswith("mm wide, expected at most 1.5 mm; check pullback.pixel_spacing_mm")


def test_a_picture_that_is_smaller_than_any_artery_is_refused(declared):
    with pytest.raises(
        InputError, match=r"images that end 1\.02 mm from the catheter, expected at least 1\.5 mm"
    ):
        declared("OCT", "OCT", 0.3)


def test_a_narrow_field_of_view_is_outlined_and_noted(declared):
    vessel = declared("OCT", "OCT", view_mm=1.6)
    (note,) = vessel.notes
    assert note.startswith("found images that end 1.6 mm from the catheter, expected 2 to 10 mm")
    # The lumen lies 0.4 mm off the catheter: its near side is within view.
    assert vessel.wall_mm.min(axis=1) == pytest.approx(np.full(FRAMES, 0.9), abs=0.05)


def test_a_catheter_that_shows_itself_elsewhere_is_noted(declared):
    vessel = declared("IVUS", "IVUS", view_mm=2.8, off_mm=0.7)
    noted = [note for note in vessel.notes if note.startswith("found what looks like the catheter")]
    assert len(noted) == 1
    assert noted[0].endswith("mm from its centre, expected it there; check pullback.catheter_px")


@pytest.mark.parametrize("modality", ["OCT", "IVUS"])
def test_a_catheter_a_little_off_its_centre_is_left_in_peace(declared, modality):
    vessel = declared(modality, modality, off_mm=0.15)
    assert not any("looks like the catheter" in note for note in vessel.notes)
