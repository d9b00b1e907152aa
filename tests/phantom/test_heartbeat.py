from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from coreg.phantom import make_patient, preset
from coreg.phantom.catheter import CATHETER_RADIUS_MM, draw_motion
from coreg.phantom.heartbeat import draw_heartbeat
from coreg.phantom.outlines import outline_radii
from coreg.phantom.pulsation import resting_origin_mm

RATE_HZ = 30.0


def motorized(**changes):
    return replace(preset("typical", modality="IVUS"), ivus_acquisition="motorized", **changes)


def beats(rate_per_min, *, seed=0, variation=0.06):
    return draw_heartbeat(
        np.random.default_rng(seed), 1500, RATE_HZ, rate_per_min=rate_per_min, variation=variation
    )


@cache
def patient():
    return make_patient(104, settings=motorized(run_range_mm=(12.0, 12.0)))


@pytest.mark.parametrize("rate_per_min", [50.0, 75.0, 100.0])
def test_beats_come_at_the_asked_rate_and_vary(rate_per_min):
    lengths = np.diff(beats(rate_per_min).start_frames) / RATE_HZ
    assert lengths.mean() == pytest.approx(60.0 / rate_per_min, rel=0.08)
    assert 0.03 < lengths.std() / lengths.mean() < 0.12


def test_phase_rises_from_nought_to_one_in_each_beat():
    heart = beats(60.0)
    for start, end in pairwise(heart.start_frames):
        inside = np.arange(np.ceil(start), end).astype(int)
        np.testing.assert_allclose(heart.phase[inside], (inside - start) / (end - start), atol=1e-9)


@pytest.mark.parametrize("rate_per_min", [50.0, 75.0])
def test_heart_rests_in_diastasis_and_moves_in_ejection_and_filling(rate_per_min):
    heart = beats(rate_per_min)
    speed = np.abs(np.gradient(heart.displacement))
    length_s = 60.0 / rate_per_min
    filled = (0.2 + 0.12 * length_s + 0.2) / length_s
    diastasis = (heart.phase > filled + 0.12) & (heart.phase < 0.82)
    ejection = (heart.phase > 0.08) & (heart.phase < 0.2)
    assert np.median(speed[diastasis]) < 0.1 * np.median(speed[ejection])
    assert np.ptp(heart.displacement) == pytest.approx(1.0)


def test_swing_of_motorized_ivus_is_as_large_as_measured_in_people():
    # Arbab-Zadeh 1999: 1.5 +- 0.8 mm peak to peak; breathing is off here.
    settings = motorized(breathing_range_mm=(0.0, 0.0))
    position = np.arange(900) / 30.0
    swings = [draw_motion(seed, position, settings).swing_mm for seed in range(80)]
    assert np.mean(swings) == pytest.approx(1.5, abs=0.25)
    assert np.std(swings) == pytest.approx(0.8, abs=0.25)


def test_catheter_runs_backwards_in_every_beat_at_ivus_speed():
    motion = draw_motion(5, 0.5 / 30.0 * np.arange(900), motorized(swing_range_mm=(1.5, 1.5)))
    back = np.diff(motion.place_mm) > 0.0
    starts = motion.beat_start_frames.astype(int)
    assert all(back[a:b].any() for a, b in pairwise(starts))


def test_lumen_area_grows_by_a_twelfth_at_most_and_is_largest_in_systole():
    for seed in range(20):
        motion = draw_motion(seed, np.arange(900) / 30.0, motorized())
        growth = motion.lumen_factor**2 - 1.0
        assert growth.min() >= 0.0
        assert 0.05 <= growth.max() + 1e-9 <= 0.12 + 1e-9
        assert 0.1 < np.median(motion.phase[growth > 0.95 * growth.max()]) < 0.5


def test_motorized_patient_has_a_frame_every_thirtieth_of_a_second():
    made = patient()
    pitch = made.case.pullback.frame_spacing_mm
    assert min(abs(pitch - 0.5 / 30.0), abs(pitch - 1.0 / 30.0)) < 1e-4
    assert made.case.pullback.length_mm == pytest.approx(12.0, abs=0.05)
    assert made.case.pullback.acquisition == "motorized"
    assert len(made.motion.phase) == len(made.truth)


@pytest.mark.slow
def test_long_slow_runs_end_at_three_thousand_frames():
    made = make_patient(104, settings=motorized(ivus_speeds_mm_s=(0.5,)))
    assert len(made.truth) == 3000
    assert made.case.pullback.length_mm == pytest.approx(50.0, abs=0.2)


def test_wobbling_catheter_stays_inside_the_lumen():
    made = patient()
    assert np.ptp(made.motion.across_mm, axis=0).max() > 0.05
    assert made.lumen.main_level(made.truth.origin_mm).max() < -CATHETER_RADIUS_MM + 0.05


def test_swollen_lumen_is_the_resting_one_blown_up_about_the_vessels_axis():
    made = patient()
    rows = np.arange(0, len(made.truth), 40)
    origin, axes = made.truth.poses_at(rows.astype(float))
    axes = axes[:, :, :2]
    axis_mm = made.lumen.axis.locate(origin)[0]
    factor = np.full(len(rows), 1.06)
    angle = np.linspace(0.0, 2.0 * np.pi, 64, endpoint=False)
    rest = resting_origin_mm(made.lumen, origin, axes, axis_mm, factor)
    radii = 1.06 * outline_radii(made.lumen, rest, axes, angle, bulge_mm=0.0, reach_mm=6.0)
    rays = np.stack([np.cos(angle), np.sin(angle)])
    swollen = origin[:, None] + radii[..., None] * np.einsum("nij,ja->nai", axes, rays)
    # Independent of the shortcut: points of the swollen outline, shrunk towards where the axis crosses the
    # plane, lie on the resting wall.
    normal = np.cross(axes[:, :, 0], axes[:, :, 1])
    centre = made.lumen.axis.at(axis_mm)[0]
    centre = centre - np.einsum("ni,ni->n", centre - origin, normal)[:, None] * normal
    shrunk = centre[:, None] + (swollen - centre[:, None]) / 1.06
    level = made.lumen.main_level(shrunk.reshape(-1, 3))
    assert np.median(np.abs(level)) < 2e-3


def test_gated_frames_are_all_of_one_phase():
    motion = draw_motion(5, 0.5 * np.arange(100), preset("typical", modality="IVUS"))
    assert not motion.phase.any()
    assert (motion.lumen_factor == 1.0).all()
    assert not motion.across_mm.any()
