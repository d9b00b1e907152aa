import importlib
from dataclasses import replace

import numpy as np
import pytest

from coreg.errors import InputError
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import OPEN, SEEN
from coreg.segmentation import segment_pullback
from coreg.segmented_case import BULGE_MM, with_vessel

FRAMES, PITCH_MM, SIZE, REACH_MM = 16, 0.2, 161, 3.6


def pictures(values, step_mm):
    """Square images (N, SIZE, SIZE) of values (N, A, R) along rays; the catheter is off the middle."""
    spacing, catheter = 2.0 * REACH_MM / (SIZE - 1), 0.5 * (SIZE - 1) + np.array([3.0, -2.0])
    row, column = np.indices((SIZE, SIZE))
    x, y = spacing * (column - catheter[0]), spacing * (row - catheter[1])
    ray = np.rint(np.arctan2(y, x) / (2.0 * np.pi) * values.shape[1]).astype(int) % values.shape[1]
    depth = (np.hypot(x, y) / step_mm).astype(int)
    shown = np.where(depth < values.shape[2], values[:, ray, np.minimum(depth, values.shape[2] - 1)], 0.0)
    return PullbackImages(shown.astype(np.uint8), np.full(2, spacing), catheter, "OCT", REACH_MM - 0.2)


def run_of(count, *, pitch_mm=PITCH_MM, **more):
    return Pullback(np.arange(count), pitch_mm * np.arange(count), {}, modality="OCT", **more)


@pytest.fixture(scope="module")
def lumen_mm(rays):
    """A lumen that the catheter wanders in, with a side branch."""
    turns = 0.04 * np.arange(FRAMES)
    wall = np.stack([rays.circle_mm(1.4, (0.5 * np.cos(turn), 0.5 * np.sin(turn))) for turn in turns])
    return wall, rays.with_tunnels(wall, PITCH_MM, frame=8, angle_rad=4.0, radius_mm=0.55, depth_mm=3.0)


@pytest.fixture(scope="module")
def images(rays, lumen_mm):
    return pictures(rays.oct_frames(lumen_mm[1]), rays.step_mm)


@pytest.fixture(scope="module")
def vessel(images):
    return segment_pullback(images, run_of(FRAMES))


def test_an_oct_run_shows_its_lumen_and_side_branch(lumen_mm, vessel):
    wall_mm, whole_mm = lumen_mm
    seen = vessel.state == SEEN
    # A pixel is 0.045 mm, and a ray may run along the side of the branch.
    assert np.abs(vessel.lumen_mm - whole_mm)[seen & (whole_mm == wall_mm)].mean() < 0.025
    assert np.abs(vessel.wall_mm - wall_mm).mean() < 0.04
    (branch,) = vessel.side_branches
    assert branch.frame == pytest.approx(8.0, abs=0.5)
    assert abs(np.angle(np.exp(1j * (branch.angle_rad - 4.0)))) < np.radians(4.0)
    assert vessel.eem_mm is None
    assert not vessel.calcium
    assert not vessel.marked.any()
    assert vessel.field_of_view_mm == pytest.approx(REACH_MM - 0.2)


def test_positions_belong_to_frames_whatever_their_order(images, vessel):
    order = np.random.default_rng(0).permutation(FRAMES)
    shuffled = Pullback(order, PITCH_MM * order, {}, modality="OCT")
    again = segment_pullback(images, shuffled)
    assert np.array_equal(again.lumen_mm, vessel.lumen_mm)
    assert [each.frame for each in again.side_branches] == [each.frame for each in vessel.side_branches]


def test_memory_does_not_grow_with_frames_and_results_do_not_change(images, vessel, monkeypatch):
    module = importlib.import_module("coreg.segmentation.segment_pullback")
    monkeypatch.setattr(module, "RUN", 6)
    monkeypatch.setattr(module, "SHARED", 4)
    shares = []
    pieces = segment_pullback(images, run_of(FRAMES), progress=lambda _stage, share: shares.append(share))
    assert np.abs(pieces.lumen_mm - vessel.lumen_mm)[vessel.state == SEEN].max() < 0.1
    assert (pieces.state == vessel.state).mean() > 0.98
    assert len(pieces.side_branches) == 1
    assert len(shares) == 5
    assert shares == sorted(shares)


def test_calcium_is_gathered_into_arcs(rays, lumen_mm):
    wall_mm, _ = lumen_mm
    behind = (np.arange(150) + 0.5) * rays.step_mm - wall_mm[..., None]
    block = (behind > 0.2) & (behind < 0.6) & rays.near(2.0, np.radians(70.0))[:, None]
    block[:4], block[12:] = False, False
    values = np.where(block, np.float32(0.3), np.float32(1.0)) * rays.oct_frames(wall_mm)
    (arc,) = segment_pullback(pictures(values, rays.step_mm), run_of(FRAMES)).calcium
    assert abs(arc.first_frame - 4) <= 1
    assert abs(arc.last_frame - 11) <= 1
    assert arc.angle_rad == pytest.approx(2.0, abs=np.radians(5.0))
    assert arc.extent_rad == pytest.approx(np.radians(70.0), abs=np.radians(12.0))


def test_an_ivus_run_shows_lumen_and_membrane_and_tells_what_calcium_hides(rays):
    lumen_mm = np.tile(rays.circle_mm(1.3, (0.3, 0.1)), (12, 1))
    eem_mm = np.tile(rays.circle_mm(2.0, (0.4, 0.1)), (12, 1))
    plain = rays.ivus_frames(lumen_mm, eem_mm)
    images = replace(pictures(plain, rays.step_mm), modality="IVUS", notes=("gained by hand",))
    vessel = segment_pullback(images, run_of(12, pitch_mm=0.5))
    assert np.abs(vessel.lumen_mm - lumen_mm).mean() < 0.05
    assert np.abs(vessel.eem_mm - eem_mm).mean() < 0.05
    assert vessel.eem_seen.mean() > 0.9
    assert vessel.notes == ("gained by hand",)
    hard = np.logical_or.reduce([rays.near(turn, np.radians(70.0)) for turn in (0.0, 1.6, 3.1, 4.7)])
    images = replace(
        images, pixels=pictures(rays.ivus_frames(lumen_mm, eem_mm, calcium=hard), rays.step_mm).pixels
    )
    heavy = segment_pullback(images, run_of(12, pitch_mm=0.5))
    assert heavy.notes[1] == "calcium hides more than a third of the membrane in 12 frames"
    assert heavy.calcium


def test_a_single_frame_can_be_segmented(images, lumen_mm):
    one = segment_pullback(replace(images, pixels=images.pixels[:1]), run_of(1))
    assert np.abs(one.lumen_mm - lumen_mm[0][:1]).mean() < 0.05
    assert len(one) == 1


def test_black_images_are_refused(images):
    with pytest.raises(InputError, match="found black images only, expected frames that show a vessel"):
        segment_pullback(replace(images, pixels=np.zeros_like(images.pixels)), run_of(FRAMES))


def test_one_picture_for_all_frames_is_refused(images):
    still = replace(images, pixels=np.repeat(images.pixels[:1], FRAMES, axis=0))
    with pytest.raises(InputError, match=f"found one picture {FRAMES} times, expected the frames of a"):
        segment_pullback(still, run_of(FRAMES))


def test_ivus_images_without_contrast_are_refused(images):
    white = replace(images, pixels=np.full_like(images.pixels, 255), modality="IVUS")
    with pytest.raises(InputError, match="found a lumen as bright as the tissue around it"):
        segment_pullback(white, run_of(FRAMES))


def test_positions_of_other_frames_are_refused(images):
    with pytest.raises(
        InputError, match=f"found positions of 9 frames, expected those of all {FRAMES} images"
    ):
        segment_pullback(images, run_of(9))


def test_the_registration_gets_outlines_without_deep_branches_and_their_quality(vessel):
    pullback = with_vessel(run_of(FRAMES), vessel)
    radius_mm = np.stack([np.hypot(*pullback.lumen[i].T) for i in range(FRAMES)])
    assert (vessel.lumen_mm - vessel.wall_mm).max() > BULGE_MM
    assert np.sort(radius_mm, axis=1) == pytest.approx(
        np.sort(np.minimum(vessel.lumen_mm, vessel.wall_mm + BULGE_MM), axis=1)
    )
    assert (vessel.state == OPEN).any()
    assert [pullback.quality[i] for i in range(FRAMES)] == vessel.quality.tolist()
    assert not pullback.eem


@pytest.mark.parametrize(("side", "doubted"), [(20, False), (40, True)])
def test_where_more_is_blacked_than_marks_take_up_no_frame_is_trusted(images, side, doubted):
    """A round view of some 18,000 pixels in which a square is black."""
    column, row = np.rint(images.catheter_px).astype(int) + 10
    hidden = np.zeros(images.pixels.shape[1:], dtype=bool)
    hidden[row : row + side, column : column + side] = True
    vessel = segment_pullback(replace(images, hidden=hidden), run_of(FRAMES))
    assert any("blacked in all frames" in note for note in vessel.notes) is doubted
    assert (set(vessel.reason) == {"too much of the image was blacked"}) is doubted
