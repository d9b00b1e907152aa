from dataclasses import replace

import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.segmentation.rays import SmoothImage
from coreg.segmentation.section_quality import Signs, judged, signs, wall_quality
from coreg.segmentation.traced import traced

COUNT, STEP_MM = 41, 0.5
AT = slice(16, 25)


def flawless():
    """Signs of sections that nothing speaks against."""
    one = np.ones(COUNT)
    return Signs(
        calcium=0.0 * one,
        calcium_seen=0.0 * one,
        voxels=7.0 * one,
        contrast=0.95 * one,
        radius_sd_mm=0.01 * one,
        residual=1.0 * one,
        neighbour=0.0 * one,
    )


def spoilt(name, value, at=AT):
    found = flawless()
    series = getattr(found, name).copy()
    series[at] = value
    return replace(found, **{name: series})


RULES = {
    "ring": ("calcium", 1.0, "calcium or metal all around"),
    "calcium": ("calcium", 0.55, "calcium hides a part"),
    "small": ("voxels", 1.2, "under 2 voxels"),
    "faint": ("contrast", 0.15, "little contrast"),
    "neighbour": ("neighbour", 0.8, "touches it"),
    "residual": ("residual", 5.0, "does not look like a vessel"),
    "uncertain": ("radius_sd_mm", 0.5, "does not determine"),
}


def test_nothing_speaks_against_flawless_sections():
    quality, reason = judged(flawless(), STEP_MM)
    assert quality.min() > 0.7
    assert set(reason) == {""}


@pytest.mark.parametrize(("name", "value", "words"), RULES.values(), ids=RULES)
def test_each_sign_marks_its_sections_with_its_reason_and_no_others(name, value, words):
    quality, reason = judged(spoilt(name, value), STEP_MM)
    assert all(words in each for each in reason[AT])
    assert {each for i, each in enumerate(reason) if not AT.start <= i < AT.stop} == {""}
    assert quality[AT].max() < 0.5
    assert np.delete(quality, np.r_[AT]).min() > 0.5


@pytest.mark.parametrize(("name", "value", "words"), RULES.values(), ids=RULES)
def test_quality_falls_with_the_sign_and_halves_where_the_mark_begins(name, value, words):
    good = getattr(flawless(), name)[0]
    ramp = np.linspace(good, value, COUNT)
    quality, reason = judged(replace(flawless(), **{name: ramp}), STEP_MM)
    assert (np.diff(quality) <= 1e-9).all()
    marked = np.array([bool(each) for each in reason])
    np.testing.assert_array_equal(marked, quality < 0.5)
    assert marked[-1]
    assert not marked[0]


def test_calcium_as_bright_as_blood_is_suspected_where_the_fit_is_poor_near_calcium():
    # Neither sign breaks its own rule.
    at = slice(10, 31)
    both = replace(spoilt("calcium_seen", 0.2, at), residual=spoilt("residual", 2.0, at).residual)
    _, reason = judged(both, STEP_MM)
    assert "as bright as the blood may hide" in reason[COUNT // 2]
    assert reason[0] == ""
    for alone in (spoilt("calcium_seen", 0.2, at), spoilt("residual", 2.0, at)):
        assert set(judged(alone, STEP_MM)[1]) == {""}


def test_quality_lies_between_nothing_and_one():
    # A lumen darker than the wall has a contrast below zero.
    worst = Signs(*(np.full(COUNT, each) for each in (1.0, 1.0, 0.1, -0.5, 1e3, 1e3, 1.0)))
    quality, reason = judged(worst, STEP_MM)
    assert ((quality >= 0.0) & (quality < 0.05)).all()
    assert all(reason)


def test_worst_of_several_signs_decides_and_one_reason_is_given():
    both = replace(spoilt("contrast", 0.15), radius_sd_mm=spoilt("radius_sd_mm", 0.5).radius_sd_mm)
    quality, reason = judged(both, STEP_MM)
    alone = [judged(spoilt(*each), STEP_MM)[0] for each in (("contrast", 0.15), ("radius_sd_mm", 0.5))]
    np.testing.assert_allclose(quality, np.minimum(*alone))
    assert all("little contrast" in each for each in reason[AT])


def test_short_gap_between_marked_stretches_is_closed_and_a_long_one_is_not():
    found = flawless()
    contrast = found.contrast.copy()
    contrast[[10, 11, 13, 14, 24, 25]] = 0.15
    _, reason = judged(replace(found, contrast=contrast), STEP_MM)
    marked = np.flatnonzero([bool(each) for each in reason])
    np.testing.assert_array_equal(marked, [10, 11, 12, 13, 14, 24, 25])


@pytest.fixture(scope="module")
def found_in(scenes):
    """Trace a straight vessel of 1.3 mm radius with more painted below or over it."""
    points = scenes.curve([0.0, 0.0, 0.0], [0.0, 0.0, 16.0])

    def make(*, below=(), over=(), back_hu=None):
        wall, blood = scenes.artery(points, 1.3)
        image = scenes.scan(
            [*below, *wall, *blood, *over],
            (-6.1, -6.2, 0.0),
            (6.0, 6.0, 16.0),
            spacing_mm=(0.4, 0.4, 0.4),
            back_hu=scenes.fat_hu if back_hu is None else back_hu,
        )
        return traced(SmoothImage(image, points), Centerline(points[::10]), scenes.blood_hu)

    return make, points


def test_signs_of_a_clear_vessel_are_its_size_and_contrast(found_in, scenes):
    make, _ = found_in
    found = signs(make(), 0.4, scenes.blood_hu)
    inner = slice(4, -4)
    np.testing.assert_allclose(found.voxels[inner], 2.0 * 1.3 / 0.4, rtol=0.1)
    np.testing.assert_allclose(found.contrast[inner], 1.0, atol=0.15)
    np.testing.assert_array_equal(found.calcium, 0.0)
    np.testing.assert_array_equal(found.neighbour[inner], 0.0)
    assert set(judged(found, STEP_MM)[1][inner]) == {""}


def test_signs_show_a_chamber_on_one_side_and_calcium_on_the_other(found_in, scenes):
    make, points = found_in
    chamber = (scenes.half_space([0.0, -2.3, 0.0], [0.0, 1.0, 0.0]), scenes.blood_hu)
    plaque = scenes.crescent(points[100:220], 1.3, 2.2, [0.0, 1.0, 0.0])
    found = signs(make(below=[chamber], over=[(plaque, 1100.0)]), 0.4, scenes.blood_hu)
    there, elsewhere = slice(13, 20), np.r_[2:7, 26:30]
    # Half of the circumference each, less the edges.
    assert found.calcium[there].min() > 0.2
    assert found.calcium[there].max() < 0.75
    assert found.calcium[elsewhere].max() < 0.1
    assert found.neighbour[elsewhere].min() > 0.0


def test_outer_wall_is_trusted_where_fat_lies_beyond_and_not_in_muscle(found_in, scenes):
    make, _ = found_in
    in_fat, in_muscle = wall_quality(make()), wall_quality(make(back_hu=scenes.muscle_hu - 20.0))
    assert in_fat[4:-4].min() > 0.8
    assert in_muscle[4:-4].max() < 0.5
    assert ((in_fat >= 0.0) & (in_fat <= 1.0)).all()
