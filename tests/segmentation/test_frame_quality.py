from dataclasses import replace

import numpy as np
import pytest

from coreg.phantom import make_patient, make_pullback_images
from coreg.pullback_vessel import BEYOND, BRIDGED, OPEN, SEEN
from coreg.segmentation import segment_pullback
from coreg.segmentation.frame_quality import USABLE, frame_quality
from coreg.segmentation.outlines import Outlines

FRAMES, PITCH_MM = 40, 0.2
UNLIKE = "an outline unlike those of its neighbours"


@pytest.fixture
def good():
    """Round outlines of a vessel that tapers from 2 to 1.5 mm, wholly seen."""
    wall_mm = np.tile(np.linspace(2.0, 1.5, FRAMES)[:, None], (1, 256))
    state = np.full(wall_mm.shape, SEEN, np.uint8)
    return Outlines(wall_mm, wall_mm, state, np.full(wall_mm.shape, 0.9), np.zeros(FRAMES))


def judged(outlines, pitch_mm=PITCH_MM):
    return frame_quality(outlines, pitch_mm=pitch_mm)


def changed(table, frames, value):
    copy = table.copy()
    copy[frames] = value
    return copy


def test_a_vessel_that_is_wholly_seen_is_trusted(good):
    quality, reason = judged(good)
    assert set(reason) == {""}
    assert quality.min() > 0.9


def test_a_weak_border_is_marked(good):
    quality, reason = judged(replace(good, evidence=changed(good.evidence, 7, 0.4)))
    assert {i: each for i, each in enumerate(reason) if each} == {7: "no clear border of the lumen"}
    assert quality[7] < USABLE < np.delete(quality, 7).min()


def test_a_weak_border_in_a_hazy_lumen_is_blood(good):
    hazy = replace(
        good, evidence=changed(good.evidence, [0, 39], 0.4), haze=changed(good.haze, [0, 20, 39], 0.4)
    )
    assert {i: each for i, each in enumerate(judged(hazy)[1]) if each} == dict.fromkeys(
        (0, 39), "blood in the lumen"
    )


def test_evidence_is_compared_with_the_usual_of_the_run(good):
    assert judged(replace(good, evidence=0.5 * good.evidence))[1] == judged(good)[1]


@pytest.mark.parametrize("frame", [0, 20, 39])
@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_an_outline_that_leaps_is_marked_also_at_the_ends(good, frame, factor):
    leaping = replace(good, wall_mm=changed(good.wall_mm, frame, factor * good.wall_mm[frame]))
    assert [i for i, each in enumerate(judged(leaping)[1]) if each == UNLIKE] == [frame]


def test_an_outline_of_the_usual_area_elsewhere_is_marked(good):
    angle = 2.0 * np.pi * np.arange(256) / 256
    aside = 0.5 * np.cos(angle) + np.sqrt(1.75**2 - (0.5 * np.sin(angle)) ** 2)
    assert judged(replace(good, wall_mm=changed(good.wall_mm, 20, aside)))[1][20] == UNLIKE


def test_a_run_of_wrong_frames_shorter_than_a_lesion_is_marked(good):
    wrong = replace(good, wall_mm=changed(good.wall_mm, slice(15, 19), 2.6))
    assert [i for i, each in enumerate(judged(wrong)[1]) if each] == list(range(15, 19))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (BRIDGED, "most of the wall is not seen"),
        (OPEN, "most of the wall is not seen"),
        (BEYOND, "most of the wall is not within the field of view"),
    ],
)
def test_a_frame_that_sees_little_wall_is_marked(good, state, reason):
    blind = good.state.copy()
    blind[11, :160] = state
    blind[12, :60] = state
    quality, reasons = judged(replace(good, state=blind))
    assert [i for i, each in enumerate(reasons) if each] == [11]
    assert reasons[11] == reason
    assert quality[11] < quality[12] < 1.0


def test_a_single_frame_can_be_judged(good):
    one = Outlines(
        *(getattr(good, name)[:1] for name in ("lumen_mm", "wall_mm", "state", "evidence", "haze"))
    )
    quality, reason = judged(one, pitch_mm=0.0)
    assert reason == ("",)
    assert quality[0] > USABLE


@pytest.mark.slow
def test_a_synthetic_pullback_has_no_wrong_outline_unmarked_and_right_ones_are_spared():
    patient = make_patient(1402)
    made = make_pullback_images(patient)
    vessel = segment_pullback(made.images, patient.case.pullback)
    true_mm = made.wall_mm[:, :: made.wall_mm.shape[1] // vessel.wall_mm.shape[1]]
    common = (np.minimum(true_mm, vessel.wall_mm) ** 2).sum(axis=1)
    dice = 2.0 * common / (true_mm**2 + vessel.wall_mm**2).sum(axis=1)
    assert not (~vessel.marked & (dice < 0.85)).any()
    assert (dice > 0.95).mean() > 0.9
    assert vessel.marked[dice > 0.95].mean() < 0.05
