from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from coreg.phantom import make_patient, preset
from coreg.phantom.catheter import draw_motion
from coreg.phantom.heartbeat import draw_heartbeat
from coreg.phantom.pullback_image import make_pullback_images
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import Gating
from coreg.registration import register
from coreg.segmentation.beats import PHASES, beat_length
from coreg.segmentation.frame_change import coarse_frames, differences
from coreg.segmentation.gating import Pause, diastole_probability, find_gating, find_pauses
from coreg.segmented_case import gated_pullback

RATE_HZ = 30.0
SIZE, REACH_MM = 64, 4.5
STEP_MM = 2.0 * REACH_MM / SIZE


@cache
def tissue():
    """Echoes that are alike over a millimetre along the vessel and a third of one across it."""
    noise = np.random.default_rng(0).standard_normal((300, 96, 96)).astype(np.float32)
    smooth = gaussian_filter(noise, (8.0, 2.5, 2.5))
    return smooth / smooth.std()


def painted(place_mm, across_mm=None, turn_rad=None, *, speckle=0.5, seed=0):
    """Frames of a tissue through which a catheter moves, with speckle that is new in each frame."""
    count = len(place_mm)
    across_mm = np.zeros((count, 2)) if across_mm is None else across_mm
    turn_rad = np.zeros(count) if turn_rad is None else turn_rad
    rng = np.random.default_rng(seed)
    place = (place_mm - place_mm.min()) / 0.1
    y, x = (np.indices((SIZE, SIZE)) - 0.5 * (SIZE - 1)) * STEP_MM
    pixels = np.empty((count, SIZE, SIZE), np.uint8)
    for i in range(count):
        cosine, sine = np.cos(turn_rad[i]), np.sin(turn_rad[i])
        column = (cosine * x - sine * y + across_mm[i, 0]) / STEP_MM + 47.5
        row = (sine * x + cosine * y + across_mm[i, 1]) / STEP_MM + 47.5
        where = np.stack([np.full(x.shape, place[i]), row, column])
        echo = 110.0 + 25.0 * map_coordinates(tissue(), where, order=1, mode="wrap")
        grain = np.sqrt(rng.exponential(1.0, x.shape)) ** speckle
        pixels[i] = np.clip(echo * grain * (np.hypot(x, y) < REACH_MM), 0.0, 255.0)
    spacing, centre = np.full(2, STEP_MM), np.full(2, 0.5 * (SIZE - 1))
    return PullbackImages(pixels, spacing, centre, "IVUS", REACH_MM, frame_rate_hz=RATE_HZ)


def heart(rate_per_min, count=420, *, seed=0):
    return draw_heartbeat(
        np.random.default_rng(seed), count, RATE_HZ, rate_per_min=rate_per_min, variation=0.06
    )


@cache
def beating(rate_per_min, seed=0):
    """A run of 14 s at 0.5 mm/s with a swing of 1.5 mm, and its heart."""
    beat = heart(rate_per_min, seed=seed)
    place = -0.5 / RATE_HZ * np.arange(420) + 1.5 * beat.displacement
    across = 0.25 * beat.displacement[:, None] * np.array([0.8, 0.6])
    return painted(place, across, seed=seed), beat


def phases(gating, phase):
    """Mean true phase of the gated frames, and how far each is from it, as shares of the beat."""
    turns = np.exp(2j * np.pi * phase[gating.frame])
    mean = np.angle(turns.mean()) / (2.0 * np.pi) % 1.0
    return mean, (phase[gating.frame] - mean + 0.5) % 1.0 - 0.5


@pytest.mark.parametrize("frame_rate_hz", [RATE_HZ, None])
@pytest.mark.parametrize("rate_per_min", [45.0, 55.0, 65.0, 75.0, 85.0, 95.0, 110.0])
def test_one_beat_is_neither_taken_for_two_nor_for_half_a_beat(rate_per_min, frame_rate_hz):
    images, beat = beating(rate_per_min)
    gating, _ = find_gating(replace(images, frame_rate_hz=frame_rate_hz))
    true = np.diff(beat.start_frames).mean()
    assert gating.beat_frames == pytest.approx(true, rel=0.05)
    assert abs(len(gating.frame) - len(images) / true) <= 2


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_gated_frames_of_a_phantoms_motion_are_all_of_one_phase(seed):
    settings = replace(preset("typical", modality="IVUS"), ivus_acquisition="motorized")
    motion = draw_motion(seed, 0.5 / RATE_HZ * np.arange(600), settings)
    images = painted(motion.place_mm, motion.across_mm, motion.turn_rad, seed=seed)
    gating, note = find_gating(images)
    assert gating.beat_frames == pytest.approx(np.diff(motion.beat_start_frames).mean(), rel=0.05)
    _, off = phases(gating, motion.phase)
    assert np.mean(np.abs(off) <= 0.1) >= 0.9
    assert f"{len(gating.frame)} beats" in note
    # What gating is for: from one gated frame to the next the heart's shift across the lumen is nearly gone.
    left = 0.5 * (np.diff(motion.across_mm[gating.frame], axis=0) ** 2).sum(axis=1).mean()
    assert left < 0.05 * motion.across_mm.var(axis=0).sum()


def test_steady_sine_is_followed_to_its_period():
    period = 23.0
    time = np.arange(500)
    place = -0.015 * time + 0.6 * np.sin(2.0 * np.pi * time / period)
    gating, _ = find_gating(painted(place))
    assert gating.beat_frames == pytest.approx(period, rel=0.01)
    _, off = phases(gating, time / period % 1.0)
    assert np.abs(off).max() < 0.1


def test_frames_that_never_change_have_no_heartbeat():
    images = painted(np.zeros(200))
    still = replace(images, pixels=np.repeat(images.pixels[:1], 200, axis=0))
    gating, note = find_gating(still)
    assert gating is None
    assert "all frames are the same" in note


@pytest.mark.parametrize("speed_mm_s", [0.0, 0.5, 1.0])
def test_steady_withdrawal_has_no_heartbeat(speed_mm_s):
    gating, note = find_gating(painted(-speed_mm_s / RATE_HZ * np.arange(600)))
    assert gating is None
    assert note.startswith("No heartbeat was found")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gated_run_has_no_heartbeat(seed):
    position = 0.5 * np.arange(120)
    motion = draw_motion(seed, position, preset("typical", modality="IVUS"))
    images = painted(motion.place_mm, turn_rad=motion.turn_rad, seed=seed)
    assert find_gating(images)[0] is None
    assert find_gating(replace(images, frame_rate_hz=None))[0] is None


def test_run_of_a_few_beats_is_too_short():
    images, _ = beating(75.0)
    gating, note = find_gating(replace(images, pixels=images.pixels[:50], frame_rate_hz=30.0))
    assert gating is None
    assert note == "No heartbeat was looked for: 50 frames hold fewer than 6 beats."


@pytest.mark.parametrize("count", [1, 2, 59, 61, 64, 67, 75])
def test_short_runs_are_gated_or_refused_but_never_break(count):
    images, _ = beating(110.0)
    gating, note = find_gating(replace(images, pixels=images.pixels[:count]))
    assert (gating is None) == note.startswith("No heartbeat")


def test_area_of_other_frames_is_refused():
    images, _ = beating(75.0)
    with pytest.raises(ValueError, match=r"area_mm2 must be finite and of shape \(420,\), got shape \(7,\)"):
        find_gating(images, area_mm2=np.ones(7))


def test_longer_pause_is_called_diastole_and_the_other_systole():
    images, beat = beating(55.0)
    diastole, _ = find_gating(images, phase="diastole")
    systole, _ = find_gating(images, phase="systole")
    assert (diastole.phase, systole.phase) == ("diastole", "systole")
    assert 0.55 < phases(diastole, beat.phase)[0] < 0.95
    assert 0.15 < phases(systole, beat.phase)[0] < 0.45
    assert min(diastole.probability, systole.probability) > 0.8


def test_phase_is_little_certain_where_both_pauses_are_alike_and_more_with_the_lumens_area():
    images, beat = beating(105.0)
    rng = np.random.default_rng(4)
    area = 8.0 * (1.0 + 0.08 * beat.pressure) * (1.0 + 0.03 * rng.standard_normal(len(images)))
    blind, _ = find_gating(images, phase="diastole")
    seeing, _ = find_gating(images, area_mm2=area, phase="diastole")
    assert blind.probability < 0.75
    assert seeing.probability > 0.75
    assert seeing.phase == "diastole"
    # The pressure is least at the end of diastole.
    assert beat.pressure[seeing.frame].mean() < np.median(beat.pressure)


def test_hidden_pixels_have_no_say():
    images, _ = beating(75.0)
    hidden = np.zeros((SIZE, SIZE), dtype=bool)
    hidden[20:40, 45:60] = True
    flashing = images.pixels.copy()
    flashing[::7, 20:40, 45:60] = 255
    masked = find_gating(replace(images, hidden=hidden))[0]
    other = find_gating(replace(images, pixels=flashing, hidden=hidden))[0]
    np.testing.assert_array_equal(other.frame, masked.frame)


def test_progress_rises_to_one():
    told = []
    find_gating(beating(75.0)[0], progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_differences_are_mean_squares_that_end_with_the_run():
    frames = np.arange(40.0, dtype=np.float32).reshape(20, 2)
    found = differences(frames, 3)
    # Neighbours differ by 2 in each cell; the cap lies far above.
    np.testing.assert_allclose(found[:16], [[0.0, 4.0, 16.0, 36.0]] * 16)
    assert np.isnan(found[-1, 1:]).all()


def test_beat_length_is_where_a_known_difference_repeats():
    lag, period = np.arange(70), 21.0
    level = 1.0 + 0.01 * lag - 0.5 * np.cos(2.0 * np.pi * lag / period)
    found = beat_length(np.tile(level, (400, 1)).astype(np.float32), shortest=10.0, longest=45.0)
    assert found.frames == pytest.approx(period, rel=0.02)
    assert found.course == pytest.approx(period, rel=0.02)
    assert found.depth > 0.3


def test_cells_average_what_lies_around_the_catheter():
    images, _ = beating(75.0)
    flat = replace(images, pixels=np.full((3, SIZE, SIZE), 77, np.uint8))
    np.testing.assert_allclose(coarse_frames(flat, progress=lambda _: None), 77.0, rtol=1e-5)


def test_pauses_lie_between_the_two_motions():
    phase = np.arange(PHASES) / PHASES
    motion = np.exp(-0.5 * ((phase - 0.2) / 0.04) ** 2) + np.exp(-0.5 * ((phase - 0.5) / 0.04) ** 2)
    shorter, longer = sorted(find_pauses(motion, np.zeros(PHASES)), key=lambda each: each.length)
    assert shorter.length == pytest.approx(0.3, abs=0.03)
    assert longer.length == pytest.approx(0.7, abs=0.03)
    assert 0.3 < shorter.phase < 0.4
    assert longer.phase > 0.6 or longer.phase < 0.1


def test_beat_with_one_motion_leaves_its_phase_open():
    phase = np.arange(PHASES) / PHASES
    pauses = find_pauses(np.exp(-0.5 * ((phase - 0.4) / 0.05) ** 2), np.zeros(PHASES))
    assert len(pauses) == 1
    assert diastole_probability(pauses) == pytest.approx([0.5])


def test_pauses_of_one_length_and_area_say_nothing():
    both = (Pause(0.2, 0.0, 0.5, 0.0), Pause(0.7, 0.0, 0.5, 0.0))
    assert diastole_probability(both) == pytest.approx([0.5, 0.5])


def pullback(count=10):
    circle = np.column_stack([np.cos(np.arange(12) / 2.0), np.sin(np.arange(12) / 2.0)])
    return Pullback(
        np.arange(count), 0.5 * np.arange(count), dict.fromkeys(range(count), circle), excluded={3: "stent"}
    )


def test_gated_pullback_leaves_only_the_gated_frames_a_say():
    gating = Gating(np.array([1, 3, 8]), 3.5, "diastole", 0.8, np.zeros(10))
    gated = gated_pullback(pullback(), gating)
    assert gated.acquisition == "gated"
    assert set(gated.excluded) == {0, 2, 3, 4, 5, 6, 7, 9}
    assert gated.excluded[0] == "not in the gated phase"
    # A reason that was there before stays.
    assert gated.excluded[3] == "stent"
    assert len(gated) == 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1002, 1009])
def test_gating_of_phantom_images_leaves_one_phase(seed):
    settings = replace(
        preset("typical", modality="IVUS"), ivus_acquisition="motorized", run_range_mm=(20.0, 20.0)
    )
    made = make_patient(seed, settings=settings)
    images = replace(make_pullback_images(made, size=192).images, frame_rate_hz=RATE_HZ)
    gating, _ = find_gating(images)
    motion = made.motion
    assert gating.beat_frames == pytest.approx(np.diff(motion.beat_start_frames).mean(), rel=0.05)
    assert np.mean(np.abs(phases(gating, motion.phase)[1]) <= 0.1) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1102, 1103])
def test_gated_frames_of_a_long_run_register_as_well_as_a_gated_run(seed):
    settings = replace(preset("typical", modality="IVUS"), ivus_acquisition="motorized")
    made = make_patient(seed, settings=settings)
    start = made.motion.beat_start_frames
    frame = np.rint(start[:-1] + 0.8 * np.diff(start)).astype(int)
    gating = Gating(frame, made.motion.beat_frames, "diastole", 0.9, made.motion.phase)
    found = register(replace(made.case, pullback=gated_pullback(made.case.pullback, gating)))
    rows = np.isin(found.path.frame, frame) & found.path.posed
    error_mm = found.path.arc_length_mm[rows] - made.truth.arc_length_mm[rows]
    turn = found.path.rotation_rad[rows] - made.truth.rotation_rad[rows]
    assert found.verdict == "good"
    assert np.abs(error_mm).mean() < 0.4
    assert np.degrees(np.abs(np.angle(np.exp(1j * turn)))).mean() < 6.0
