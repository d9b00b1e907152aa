"""A straight tube along +z, radius 1.5 mm, and a catheter in its middle."""

from types import SimpleNamespace

import numpy as np
import pytest

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.landmarks import Landmark
from coreg.pullback import Pullback
from coreg.result import Hypothesis, Registration
from coreg.surface import Surface
from coreg.volume import Volume

RADIUS_MM, LENGTH_MM = 1.5, 24.0


def circle(radius_mm, count=90):
    angle = 2.0 * np.pi * np.arange(count) / count
    return radius_mm * np.column_stack([np.cos(angle), np.sin(angle)])


def tube_label(spacing_mm=(0.5, 0.4, 0.4)):
    """Voxels whose centre lies in the tube."""
    shape = (int(LENGTH_MM / spacing_mm[0]) + 9, 24, 24)
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = spacing_mm
    matrix[:, 3] = [-11.5 * spacing_mm[2], -11.5 * spacing_mm[1], -2.0, 1.0]
    grid = Volume(np.zeros(shape, np.uint8), matrix)
    world = grid.to_world(np.stack(np.indices(shape), axis=-1).astype(float))
    return Volume((np.hypot(world[..., 0], world[..., 1]) < RADIUS_MM).astype(np.uint8), matrix)


def tube_surface(count=180, rings=13):
    """An open mantle of rectangles, each cut in two."""
    around = circle(RADIUS_MM, count)
    z = np.linspace(-2.0, LENGTH_MM + 2.0, rings)
    points = np.array([[x, y, height] for height in z for x, y in around])
    faces = []
    for ring in range(rings - 1):
        for i in range(count):
            a, b = ring * count + i, ring * count + (i + 1) % count
            faces += [[a, b, b + count], [a, b + count, a + count]]
    return Surface(points, np.array(faces))


def path_along(z_mm, *, offset_mm=(0.0, 0.0), turn_rad=0.0, tilt_rad=0.0, reason=None, posed=None):
    """Frames looking distally (+z); ``tilt_rad`` leans their planes about x."""
    count = len(z_mm)
    frame = np.arange(count)[::-1]
    column = np.tile([np.cos(turn_rad), np.sin(turn_rad), 0.0], (count, 1))
    row = np.tile([-np.sin(turn_rad), np.cos(turn_rad), 0.0], (count, 1))
    lean = np.array(
        [[1, 0, 0], [0, np.cos(tilt_rad), -np.sin(tilt_rad)], [0, np.sin(tilt_rad), np.cos(tilt_rad)]]
    )
    column, row = column @ lean.T, row @ lean.T
    origin = np.column_stack([np.full(count, offset_mm[0]), np.full(count, offset_mm[1]), z_mm])
    posed = np.ones(count, bool) if posed is None else posed
    for array in (column, row, origin):
        array[~posed] = np.nan
    reason = tuple("" if each else "beyond the vessel" for each in posed) if reason is None else reason
    arc = np.where(posed, z_mm, np.nan)
    rotation = np.where(posed, turn_rad, np.nan)
    return VirtualCatheterPath(
        frame, 0.5 * frame, arc, rotation, origin, column, row, posed & (np.array(reason) == ""), reason
    )


@pytest.fixture(scope="session")
def tube():
    """What tests build with: test modules cannot import this file."""
    return SimpleNamespace(
        radius_mm=RADIUS_MM, length_mm=LENGTH_MM, label=tube_label, surface=tube_surface, path=path_along
    )


@pytest.fixture(scope="session")
def z_mm():
    return np.linspace(2.0, 22.0, 41)


@pytest.fixture(scope="session")
def case(z_mm):
    frames = np.arange(len(z_mm))
    lumen = {int(frame): circle(1.45) for frame in frames if frame not in (7, 8)}
    landmark = Landmark("B1", "branch", 20.0, 0.0, np.array([1.5, 0.0, 12.5]), 1.5)
    pullback = Pullback(frames, 0.5 * frames, lumen, excluded={30: "stent"}, modality="OCT")
    return Case("P1-LAD", tube_label(), pullback, landmarks=(landmark,), patient="P1", vessel="LAD")


@pytest.fixture(scope="session")
def registration(z_mm):
    reason = tuple("no contour in this frame" if each in (32, 33) else "" for each in range(len(z_mm)))
    return Registration(
        path=path_along(z_mm, reason=reason),
        rigid_path=path_along(z_mm + 0.6, turn_rad=0.2),
        centerline=Centerline(np.column_stack([np.zeros(30), np.zeros(30), np.linspace(0.0, 24.0, 30)])),
        verdict="review",
        reasons=("The runner-up fits almost as well.",),
        radius_scale=0.97,
        margin=0.04,
        hypotheses=(Hypothesis(22.0, 0.0, 1.0, 0.1), Hypothesis(22.0, 180.0, 1.0, 0.104)),
        costs={"rigid": 0.2, "nonrigid": 0.1},
        residual_mm=np.linspace(0.05, 0.15, len(z_mm)),
        settings={"seed": 0, "motion": {"swing_mm": 0.4}},
        provenance={"device": "cpu"},
    )
