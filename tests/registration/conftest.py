"""A straight tube along +z with bumps on its wall, and exact sections of it."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from coreg.centerline import Centerline
from coreg.pullback import Pullback
from coreg.registration.path_model import VesselTensors
from coreg.registration.vessel import ANGLES, Vessel, prepare_vessel
from coreg.surface import Surface
from coreg.volume import Volume

LENGTH_MM = 60.0
CPU = torch.device("cpu")


def bumps():
    """Height, place, extent, angle and width of bumps that no shift or turn takes to each other."""
    rng = np.random.default_rng(7)
    count = 26
    return np.column_stack(
        [
            rng.uniform(0.25, 0.6, count) * rng.choice([-1.0, 1.0], count),
            np.linspace(1.0, LENGTH_MM - 1.0, count) + rng.uniform(-0.8, 0.8, count),
            rng.uniform(0.8, 1.6, count),
            rng.uniform(0.0, 2.0 * np.pi, count),
            rng.uniform(0.5, 0.9, count),
        ]
    )


BUMPS = bumps()


def radius(z_mm, angle_rad):
    """Distance of the wall from the axis; broadcasts."""
    z_mm, angle_rad = np.broadcast_arrays(z_mm, angle_rad)
    out = np.full(z_mm.shape, 1.7)
    for height, place, extent, angle, width in BUMPS:
        turn = np.angle(np.exp(1j * (angle_rad - angle)))
        out += height * np.exp(-0.5 * ((z_mm - place) / extent) ** 2 - 0.5 * (turn / width) ** 2)
    return np.maximum(out, 0.7)


def section(z_mm, *, turn_rad=0.0, scale=1.0, catheter=(0.0, 0.0), count=180, radius_of=radius):
    """Contour (count, 2) that an image sees whose column axis is turned by ``turn_rad`` from +x."""
    angles = 2.0 * np.pi * np.arange(count) / count
    wall = radius_of(z_mm, angles)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    return scale * (wall - np.array(catheter)) @ np.array([[cosine, -sine], [sine, cosine]])


def pullback(z_mm, *, turn_rad=0.0, scale=1.0, catheter=(0.0, 0.0), radius_of=radius, **extra):
    """Pullback whose row i lies at z_mm[i], rising; positions are what a motor of true speed says."""
    z_mm = np.asarray(z_mm, dtype=float)
    turn = np.broadcast_to(turn_rad, z_mm.shape)
    catheter = np.broadcast_to(catheter, (len(z_mm), 2))
    position = z_mm.max() - z_mm
    frame = np.arange(len(z_mm))[::-1]
    contours = {
        int(f): section(z, turn_rad=t, scale=scale, catheter=c, radius_of=radius_of)
        for f, z, t, c in zip(frame, z_mm, turn, catheter, strict=True)
    }
    return Pullback(frame, position, contours, **extra)


def surface(scale=1.0, around=120, radius_of=radius):
    """Mantle of the tube, faces counter-clockwise from outside, 5 mm longer than the axis at each end."""
    angles = 2.0 * np.pi * np.arange(around) / around
    z = np.arange(-5.0, LENGTH_MM + 5.01, 0.25)
    r = scale * radius_of(z[:, None], angles[None])
    points = np.stack([r * np.cos(angles), r * np.sin(angles), np.broadcast_to(z[:, None], r.shape)], axis=-1)
    ring, i = np.indices((len(z) - 1, around))
    a, b = ring * around + i, ring * around + (i + 1) % around
    faces = np.concatenate(
        [np.stack([a, b, b + around], -1), np.stack([a, b + around, a + around], -1)]
    ).reshape(-1, 3)
    return Surface(points.reshape(-1, 3), faces)


def label(spacing_mm=0.4):
    """Voxels whose centre lies in the tube."""
    shape = (int((LENGTH_MM + 10.0) / spacing_mm), 16, 16)
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = spacing_mm
    matrix[:, 3] = [-7.5 * spacing_mm, -7.5 * spacing_mm, -5.0, 1.0]
    grid = Volume(np.zeros(shape, np.uint8), matrix)
    world = grid.to_world(np.stack(np.indices(shape), axis=-1).astype(float))
    inside = np.hypot(world[..., 0], world[..., 1]) < radius(
        world[..., 2], np.arctan2(world[..., 1], world[..., 0])
    )
    return Volume(inside.astype(np.uint8), matrix)


def centerline():
    z = np.linspace(0.0, LENGTH_MM, 121)
    return Centerline(np.column_stack([np.zeros_like(z), np.zeros_like(z), z]))


def vessel_with(distance_of, *, spacing_mm=0.3):
    """Vessel along +z whose distance at (M, 3) world points is a given function; profiles are round."""
    z = np.arange(0.0, LENGTH_MM + 0.01, 0.25)
    low = np.array([-4.5, -4.5, -4.5])
    shape = np.ceil(np.array([LENGTH_MM + 9.0, 9.0, 9.0]) / spacing_mm).astype(int) + 1
    matrix = np.zeros((4, 4))
    matrix[[2, 1, 0], [0, 1, 2]] = spacing_mm
    matrix[:, 3] = [*low, 1.0]
    grid = Volume(np.zeros(shape, np.float32), matrix)
    world = grid.to_world(np.stack(np.indices(shape), axis=-1).reshape(-1, 3).astype(float))
    distance = Volume(distance_of(world).reshape(shape).astype(np.float32), matrix)
    count = len(z)
    return Vessel(
        z,
        np.column_stack([np.zeros(count), np.zeros(count), z]),
        np.tile(np.eye(3), (count, 1, 1)),
        distance,
        np.full((count, ANGLES), 1.7),
        np.zeros((count, 2)),
        np.ones(count, dtype=bool),
    )


@pytest.fixture(scope="session")
def tube():
    """What tests build with: test modules cannot import this file."""
    return SimpleNamespace(
        length_mm=LENGTH_MM,
        cpu=CPU,
        radius=radius,
        section=section,
        pullback=pullback,
        surface=surface,
        label=label,
        centerline=centerline,
        vessel_with=vessel_with,
    )


@pytest.fixture(scope="session")
def vessel():
    """The bumpy tube as the registration sees it."""
    return prepare_vessel(surface(), centerline())


@pytest.fixture(scope="session")
def tensors(vessel):
    return VesselTensors.on(vessel, CPU)
