"""What the levels of difficulty promise, measured on the patients that they make."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from coreg.phantom import ccta_preset, make_patient, preset
from coreg.phantom.artery import make_artery
from coreg.phantom.catheter import draw_motion
from coreg.phantom.ccta import label_volume, shown_by_ccta
from coreg.phantom.label_errors import bloomed, draw_blooming
from coreg.phantom.settings import LocalErrors

LENGTH_MM, COVERED_MM = 90.0, (10.0, 80.0)
# Spots of calcium in the wall, no plaque of stenoses, a stent in each.
CALCIUM_AND_STENT = replace(
    ccta_preset("hard"),
    plaque_odds=(1.0, 0.0, 0.0),
    spots=(4, 5),
    stent_odds=1.0,
    stent_length_mm=(12.0, 12.0),
)


@cache
def hard(seed):
    return make_patient(seed, settings=preset("hard"))


def ideal(level):
    """Settings of a level, with a reader who errs in wrong stretches alone."""
    return replace(preset(level, modality="IVUS"), small_view_odds=0.0, reader_noise_mm=(0.0, 0.0))


@cache
def labelled(*, unreadable_odds=0.0, disease=CALCIUM_AND_STENT):
    settings = replace(preset("clean"), local_errors=None)
    artery = make_artery(4, length_mm=LENGTH_MM, covered_mm=COVERED_MM)
    shown = shown_by_ccta(4, artery.lumen, settings, end_mm=LENGTH_MM, covered_mm=COVERED_MM)
    errors = LocalErrors(disease=disease, unreadable_odds=unreadable_odds)
    return settings, shown, draw_blooming(4, artery, shown, errors)


def test_hard_ccta_is_up_to_15_percent_narrower_and_10_percent_wider_and_lacks_a_third_of_the_branches():
    artery = make_artery(0, length_mm=LENGTH_MM, covered_mm=COVERED_MM)
    shown = [
        shown_by_ccta(seed, artery.lumen, preset("hard"), end_mm=LENGTH_MM, covered_mm=COVERED_MM)
        for seed in range(60)
    ]
    scales = [each.radius_scale for each in shown]
    assert 0.85 <= min(scales) < 0.87
    assert 1.08 < max(scales) <= 1.10
    missing = np.mean([len(each.missing) for each in shown]) / len(artery.lumen.branches)
    assert missing == pytest.approx(1.0 / 3.0, abs=0.03)


def test_every_hard_pullback_has_wrong_contours_in_a_tenth_of_its_frames():
    for seed in (3, 4):
        spoilt = make_patient(seed, settings=replace(ideal("hard"), bad_stretch_odds=1.0)).case.pullback
        sound = make_patient(seed, settings=replace(ideal("hard"), bad_stretch_odds=0.0)).case.pullback
        off = [np.abs(spoilt.lumen[i] - sound.lumen[i]).max() > 0.02 for i in sound.lumen]
        # Frames without a contour may be among the wrong ones.
        assert 0.09 <= np.mean(off) <= 0.11
    assert preset("hard").bad_stretch_odds == 1.0


def test_a_hard_label_goes_on_through_narrow_calcified_stretches():
    patient = hard(16)
    along = patient.centerline.points_at(np.arange(0.0, patient.shown.lumen.length_mm - 2.0, 0.5))
    index = np.rint(patient.case.lumen.to_index(along)).astype(int)
    assert patient.case.lumen.values[tuple(index.T)].all()


def test_hard_catheters_move_twice_as_far_as_typical_ones():
    position = 0.2 * np.arange(320)

    def moved(level):
        motions = [draw_motion(seed, position, preset(level)) for seed in range(60)]
        return [np.median([getattr(each, name) for each in motions]) for name in ("swing_mm", "twist_deg")]

    np.testing.assert_allclose(np.divide(moved("hard"), moved("typical")), 2.0, rtol=1e-6)


def test_label_is_0_2_to_0_5_mm_too_narrow_beside_calcium_and_right_away_from_it():
    _, _, blooming = labelled(disease=replace(CALCIUM_AND_STENT, stent_odds=0.0))
    rows, columns = np.nonzero(blooming.calcium_mm > 0.2)
    beside = blooming.narrowing_mm[rows, columns]
    assert len(beside) > 50
    assert beside.min() > 0.15
    assert np.median(beside) > 0.25
    assert beside.max() <= 0.5
    # On the far side of a vessel with calcium on one side only, nothing changes.
    half = blooming.calcium_mm.shape[1] // 2
    across = (columns + half) % (2 * half)
    free = (
        blooming.calcium_mm[rows[:, None], (across[:, None] + np.arange(-9, 10)) % (2 * half)].max(axis=1)
        == 0
    )
    assert free.any()
    assert np.abs(blooming.narrowing_mm[rows, across][free]).max() < 1e-4


def test_label_is_0_2_to_0_4_mm_too_narrow_within_a_stent():
    _, _, blooming = labelled(disease=replace(CALCIUM_AND_STENT, spots=(0, 0)))
    s = blooming.radius_step_mm * np.arange(len(blooming.narrowing_mm))
    stent = blooming.stent
    within = (s > stent.first_mm + 1.0) & (s < stent.last_mm - 1.0)
    away = (s < stent.first_mm - 1.5) | (s > stent.last_mm + 1.5)
    assert within.sum() * blooming.radius_step_mm == pytest.approx(10.0, abs=0.5)
    assert blooming.narrowing_mm[within].min() >= 0.2
    assert blooming.narrowing_mm[within].max() <= 0.4
    assert np.abs(blooming.narrowing_mm[away]).max() < 1e-6


def test_label_is_a_round_tube_within_a_stent_that_cannot_be_read():
    _, shown, blooming = labelled(unreadable_odds=1.0)
    label = bloomed(shown, blooming).lumen.radius_mm
    s = blooming.radius_step_mm * np.arange(len(label))
    within = (s > blooming.stent.first_mm + 1.5) & (s < blooming.stent.last_mm - 1.5)
    assert np.ptp(label[within], axis=1).max() < 1e-3
    assert np.ptp(shown.lumen.radius_mm[within], axis=1).max() > 0.1
    assert np.abs(np.diff(label[within].mean(axis=1), n=2)).max() < 1e-3
    assert not blooming.readable


def test_label_image_loses_the_volume_that_blooming_takes():
    settings, shown, blooming = labelled()
    without = label_volume(4, shown, settings)
    narrowed = label_volume(4, bloomed(shown, blooming), settings)
    voxel_mm3 = float(np.prod(without.spacing_mm))
    lost = (without.values.sum(dtype=float) - narrowed.values.sum(dtype=float)) * voxel_mm3
    before, after = shown.lumen.radius_mm, shown.lumen.radius_mm - blooming.narrowing_mm
    cell = np.pi / before.shape[1] * blooming.radius_step_mm
    # Branches keep their mouths open across the narrowed wall.
    assert lost == pytest.approx(((before**2 - after**2) * cell).sum(), rel=0.1)


def test_hard_labels_err_beside_the_calcium_and_stents_that_the_patients_image_shows():
    made = hard(3)
    assert made.blooming.stent is not None
    assert (
        made.facts()["label_stent_mm"]
        == f"{made.blooming.stent.first_mm:.2f} {made.blooming.stent.last_mm:.2f}"
    )
    assert made.blooming.narrowing_mm.max() > 0.3


@pytest.mark.slow
def test_image_of_a_hard_patient_has_the_stent_that_narrows_its_label():
    from coreg.phantom import make_ccta

    made = hard(3)
    image = make_ccta(made, settings=ccta_preset("hard"))
    assert image.vessel.stent == made.blooming.stent
    thick = np.maximum(image.wall.calcium_outer_mm - image.wall.calcium_inner_mm, 0.0)
    rows = len(made.blooming.calcium_mm)
    np.testing.assert_allclose(thick[:rows], made.blooming.calcium_mm)


@pytest.mark.parametrize("level", ["clean", "typical", "smooth"])
def test_other_levels_have_no_calcium_or_stents_in_their_labels(level):
    assert preset(level).local_errors is None
    made = make_patient(3, settings=preset(level))
    assert not made.blooming.narrowing_mm.any()
    assert made.facts()["label_stent_mm"] == ""


def test_smooth_arteries_have_one_or_two_branches_and_lose_a_few_percent_of_their_radius():
    smooth = preset("smooth").anatomy
    counts, tapers, wobbles = [], [], []
    for seed in range(10):
        lumen = make_artery(seed, length_mm=LENGTH_MM, covered_mm=COVERED_MM, anatomy=smooth).lumen
        counts.append(len(lumen.branches))
        mean_mm = lumen.radius_mm.mean(axis=1)
        # Stenoses and wobble lie on the taper: a straight line through the wider half of the sections.
        s = np.arange(len(mean_mm)) / (len(mean_mm) - 1.0)
        wide = mean_mm > np.median(mean_mm)
        slope, first = np.polyfit(s[wide], mean_mm[wide], 1)
        tapers.append(-slope / first)
        wobbles.append(mean_mm.std() / mean_mm.mean())
    assert set(counts) <= {1, 2}
    assert 0.0 < np.median(tapers) < 0.06
    assert max(tapers) < 0.12
    assert max(wobbles) < 0.12


def test_typical_arteries_taper_and_vary_several_times_as_much_as_smooth_ones():
    def spread(anatomy):
        radii = [
            make_artery(seed, length_mm=LENGTH_MM, covered_mm=COVERED_MM, anatomy=anatomy).lumen.radius_mm
            for seed in range(4)
        ]
        return np.median([each.mean(axis=1).std() / each.mean() for each in radii])

    assert spread(preset("typical").anatomy) > 3.0 * spread(preset("smooth").anatomy)


def test_artery_without_any_side_branch_can_be_made():
    anatomy = replace(preset("smooth").anatomy, branch_counts=(0, 0))
    lumen = make_artery(1, length_mm=LENGTH_MM, covered_mm=COVERED_MM, anatomy=anatomy).lumen
    assert lumen.branches == ()
    assert lumen.radius_mm.min() > 1.0
