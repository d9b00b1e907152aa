from dataclasses import replace

import numpy as np
import pytest

from coreg.phantom import make_patient, make_pullback_images
from coreg.pullback_vessel import BEYOND, BRIDGED, SEEN
from coreg.segmentation import segment_pullback
from coreg.segmentation.oct_calcium import oct_calcium
from coreg.segmentation.outlines import Outlines

FRAMES, PITCH_MM = 14, 0.2
ARC = (slice(4, 10), 2.0, np.radians(80.0))


def outlines(lumen_mm):
    shape = lumen_mm.shape
    return Outlines(lumen_mm, lumen_mm, np.full(shape, SEEN, np.uint8), np.ones(shape), np.zeros(shape[0]))


@pytest.fixture
def lumen_mm(rays):
    return np.tile(rays.circle_mm(1.4, (0.5, 0.2)), (FRAMES, 1))


@pytest.fixture
def place(rays, lumen_mm):
    """Depth (N, A, R) behind the lumen's edge, and the frames and rays (N, A, 1) of the arc."""
    depth_mm = (np.arange(150) + 0.5) * rays.step_mm
    where = np.zeros(lumen_mm.shape, dtype=bool)
    where[ARC[0]] = rays.near(*ARC[1:])
    return depth_mm - lumen_mm[..., None], where[..., None]


def found_in(values, rays, lumen_mm, **more):
    return oct_calcium(values, replace(outlines(lumen_mm), **more), rays.step_mm, pitch_mm=PITCH_MM)


def with_block(values, place, *, start_mm=0.2, end_mm=0.6):
    """A dark block with sharp borders inside the wall."""
    behind, where = place
    return np.where(where & (behind > start_mm) & (behind < end_mm), 0.35 * values, values)


def share_right(found, where):
    """Share of the rays of the arc that are found, and of those found that are of the arc."""
    common = (found & where).sum()
    return common / where.sum(), common / max(found.sum(), 1)


def test_a_dark_block_in_the_wall_is_calcium(rays, lumen_mm, place):
    found = found_in(with_block(rays.oct_frames(lumen_mm), place), rays, lumen_mm)
    recall, precision = share_right(found, place[1][..., 0])
    assert recall > 0.85
    assert precision > 0.9


def test_a_block_against_the_edge_of_angles_is_found_whole(rays, lumen_mm, place):
    turned = (np.roll(each, -round(2.0 / (2.0 * np.pi) * 256), axis=1) for each in place)
    behind, where = turned
    there = np.roll(lumen_mm, -round(2.0 / (2.0 * np.pi) * 256), axis=1)
    found = found_in(with_block(rays.oct_frames(there), (behind, where)), rays, there)
    assert share_right(found, where[..., 0])[0] > 0.85


def test_a_healthy_wall_has_no_calcium(rays, lumen_mm):
    assert not found_in(rays.oct_frames(lumen_mm), rays, lumen_mm).any()


def test_thin_dark_media_are_not_calcium(rays, lumen_mm, place):
    behind, _ = place
    values = rays.oct_frames(lumen_mm)
    layered = np.where((behind > 0.25) & (behind < 0.36), 0.75 * values, values)
    assert found_in(layered, rays, lumen_mm).mean() < 0.005


def test_lipid_behind_which_nothing_shows_is_not_calcium(rays, lumen_mm, place):
    behind, where = place
    values = rays.oct_frames(lumen_mm)
    fading = 8.0 + (values - 8.0) * np.exp(-np.maximum(behind - 0.15, 0.0) / 0.08)
    assert not found_in(np.where(where, fading, values), rays, lumen_mm).any()


def test_a_shadow_without_a_bright_cap_is_not_calcium(rays, lumen_mm, place):
    behind, where = place
    values = rays.oct_frames(lumen_mm)
    assert not found_in(np.where(where & (behind > 0.0), 8.0, values), rays, lumen_mm).any()


def test_behind_the_wire_there_is_calcium_if_it_lies_on_both_sides(rays, lumen_mm, place):
    values = with_block(rays.oct_frames(lumen_mm), place)
    for middle, both in ((ARC[1], True), (ARC[1] + 2.5, False)):
        wire = np.tile(rays.near(middle, np.radians(25.0)), (FRAMES, 1))
        state = np.where(wire, BRIDGED, SEEN).astype(np.uint8)
        hidden = np.where(wire[..., None], np.float32(8.0), values)
        found = found_in(hidden, rays, lumen_mm, state=state)
        assert found[ARC[0]][wire[ARC[0]]].mean() > 0.8 if both else not found[wire].any()


def test_no_wall_is_searched_beyond_the_field_of_view(rays, lumen_mm, place):
    values = with_block(rays.oct_frames(lumen_mm), place)
    state = np.full(lumen_mm.shape, BEYOND, np.uint8)
    assert not found_in(values, rays, lumen_mm, state=state).any()


def test_the_contrast_of_the_display_does_not_matter(rays, lumen_mm, place):
    values = with_block(rays.oct_frames(lumen_mm), place)
    one, other = (found_in(each, rays, lumen_mm) for each in (values, 0.6 * values + 20.0))
    assert (one == other).mean() > 0.995


@pytest.mark.slow
def test_most_calcium_of_a_synthetic_pullback_is_found():
    patient = make_patient(1400)
    made = make_pullback_images(patient, frames=range(40, 130))
    positions = patient.case.pullback
    keep = positions.frame[(positions.frame >= 40) & (positions.frame < 130)]
    part = replace(
        positions,
        frame=keep - 40,
        position_mm=positions.position_mm[np.isin(positions.frame, keep)],
        lumen={},
        eem={},
        excluded={},
        quality={},
    )
    found = segment_pullback(made.images, part).calcium
    true = [each for each in made.vessel.calcium if each.extent_rad > np.radians(30.0)]
    assert true
    for each in true:
        apart = [abs((each.angle_rad - arc.angle_rad + np.pi) % (2.0 * np.pi) - np.pi) for arc in found]
        near = [
            arc
            for arc, rad in zip(found, apart, strict=True)
            if rad < 0.5 * (each.extent_rad + arc.extent_rad)
            and arc.first_frame + 40 <= each.last_frame
            and arc.last_frame + 40 >= each.first_frame
        ]
        assert near
