import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from coreg.centerline import Centerline
from coreg.registration.observations import observe
from coreg.registration.path_model import PathModel, VesselTensors, poses, slope_operator
from coreg.registration.vessel import prepare_vessel
from coreg.settings import RegistrationSettings
from coreg.surface import Surface

WIDTH_MM = 0.5


def everywhere_smooth(world):
    """Linear along each axis, so that interpolation between voxels is exact and smooth."""
    x, y, z = (world - [0.0, 0.0, 25.0]).T
    return 0.1 + 0.3 * x - 0.2 * y + 0.02 * z + 0.1 * x * y - 0.01 * y * z + 0.015 * x * z + 0.004 * x * y * z


def build(tube, distance_of, *, z_mm=None, **how):
    z_mm = np.arange(12.0, 40.0, 0.5) if z_mm is None else z_mm
    seen = observe(tube.pullback(z_mm, **how), points=24, correlation_mm2=3.0)
    tensors = VesselTensors.on(tube.vessel_with(distance_of), tube.cpu)
    return PathModel.build(tensors, seen, RegistrationSettings(), knot_spacing_mm=3.0, frames=100, points=24)


def bent_tube(line, *, radius_mm=1.5, around=40):
    """Mantle of a round tube along a line."""
    s = np.arange(line.arc_length_mm[0], line.arc_length_mm[-1], 0.4)
    angles = 2.0 * np.pi * np.arange(around) / around
    across = np.einsum(
        "sij,aj->sai", line.frames_at(s)[..., :2], np.stack([np.cos(angles), np.sin(angles)], -1)
    )
    ring, i = np.indices((len(s) - 1, around))
    a, b = ring * around + i, ring * around + (i + 1) % around
    faces = np.concatenate(
        [np.stack([a, b, b + around], -1), np.stack([a, b + around, a + around], -1)], axis=1
    )
    return Surface((line.points_at(s)[:, None] + radius_mm * across).reshape(-1, 3), faces.reshape(-1, 3))


def coefficients_near(model, start_mm, *, seed=0, size=0.05, count=1):
    rng = np.random.default_rng(seed)
    wiggle = size * rng.standard_normal((count, len(model.mean)))
    wiggle[:, : len(model.knots_mm)] += start_mm
    return model.mean + torch.as_tensor(wiggle)


def test_the_costs_gradient_is_that_of_finite_differences(tube):
    model = build(tube, everywhere_smooth)
    at = coefficients_near(model, 12.0).requires_grad_(True)
    (gradient,) = torch.autograd.grad(model.cost(at, WIDTH_MM).sum(), at)
    rng = np.random.default_rng(1)
    with torch.no_grad():
        for _ in range(12):
            direction = torch.as_tensor(rng.standard_normal(at.shape))
            # Distances are sampled in float32: steps must stand out from its rounding.
            step = 2e-3
            ahead, behind = (model.cost(at + s * direction, WIDTH_MM) for s in (step, -step))
            slope = float((ahead - behind) / (2.0 * step))
            scale = float(gradient.norm() * direction.norm())
            assert float((gradient * direction).sum()) == pytest.approx(slope, abs=2e-4 * scale)


def test_each_coefficient_has_the_gradient_of_finite_differences(tube):
    model = build(tube, everywhere_smooth)
    at = coefficients_near(model, 12.0, seed=3).requires_grad_(True)
    (gradient,) = torch.autograd.grad(model.cost(at, WIDTH_MM).sum(), at)
    size = at.shape[1]
    with torch.no_grad():
        steps = 1e-3 * torch.eye(size, dtype=torch.float64)
        slope = (model.cost(at + steps, WIDTH_MM) - model.cost(at - steps, WIDTH_MM)) / 2e-3
    np.testing.assert_allclose(
        gradient[0].numpy(), slope.numpy(), atol=1e-3 * float(gradient.abs().max()), rtol=1e-3
    )


def test_sampled_distances_are_those_of_scipy(tube):
    def rough(world):
        return np.sin(5.0 * world[:, 0]) + np.cos(4.0 * world[:, 1]) * np.sin(3.0 * world[:, 2])

    vessel = tube.vessel_with(rough)
    rng = np.random.default_rng(0)
    # Some lie outside the grid, where its edge counts.
    world = rng.uniform([-6.0, -6.0, -8.0], [6.0, 6.0, tube.length_mm + 8.0], (4000, 3))
    index = vessel.distance.to_index(world).T
    expected = map_coordinates(vessel.distance.values, index, order=1, mode="nearest", output=np.float64)
    found = VesselTensors.on(vessel, tube.cpu).distance_at(torch.as_tensor(world))
    # Voxels change by up to 1 per 0.3 mm, float32 places are good to 1e-5 mm.
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)


def test_an_arc_length_means_the_same_place_in_the_model_as_on_the_vessels_axis(tube):
    # Steps of a line from elsewhere are not even, nor are those of the axis that is smoothed from it.
    turn = np.linspace(0.0, 1.6, 60) ** 1.5
    line = np.column_stack([40.0 * np.cos(turn), 40.0 * np.sin(turn), 4.0 * turn])
    vessel = prepare_vessel(bent_tube(Centerline(line)), Centerline(line))
    steps = np.diff(vessel.arc_length_mm)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-9)
    s = np.linspace(vessel.arc_length_mm[0], vessel.arc_length_mm[-1], 500)
    points, _, _, tangents = (
        each.numpy() for each in VesselTensors.on(vessel, tube.cpu).at(torch.as_tensor(s))
    )
    along = np.linalg.norm(np.diff(points, axis=0), axis=1)
    # Chords of a bend of 40 mm, and the lumen's own middle that moves the axis by hundredths.
    np.testing.assert_allclose(along, s[1] - s[0], rtol=0.01)
    np.testing.assert_allclose(np.linalg.norm(tangents, axis=1), 1.0, atol=1e-3)


def test_single_sections_of_the_aorta_are_no_vessel(tube):
    # The tube widens into a trunk of 6 mm that waists once to less than the arteries' limit.
    def trunk(z_mm, angle_rad):
        z_mm, _ = np.broadcast_arrays(z_mm, angle_rad)
        waist = np.where(np.abs(z_mm - 5.0) < 0.6, 2.4, 6.0)
        return np.where(z_mm < 10.0, waist, 1.7)

    vessel = prepare_vessel(tube.surface(radius_of=trunk), tube.centerline())
    assert not vessel.valid[vessel.arc_length_mm < 8.0].any()
    assert vessel.valid[(vessel.arc_length_mm > 12.0) & (vessel.arc_length_mm < 58.0)].all()


def test_poses_are_orthonormal_and_right_handed(tube):
    model = build(tube, everywhere_smooth, catheter=(0.4, -0.3))
    functions = model.functions(coefficients_near(model, 12.0, size=0.4, count=3))
    origin, column, row = (each.numpy() for each in model.poses(functions))
    assert origin.shape == column.shape == row.shape == (3, 56, 3)
    for a, b, expected in ((column, column, 1.0), (row, row, 1.0), (column, row, 0.0)):
        np.testing.assert_allclose((a * b).sum(axis=-1), expected, atol=1e-9)
    assert (np.cross(column, row)[..., 2] > 0.5).all()


@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.15, 0.0), (-0.1, 0.25)])
def test_frames_lie_across_the_catheters_own_curve(tube, slope):
    # A catheter that runs obliquely through a straight tube: its tangent is known exactly.
    z = np.arange(10.0, 40.0, 0.4)
    depth = z - z[0]
    catheter = np.column_stack([depth - 15.0] * 2) * np.array(slope)
    functions = np.zeros((1, 5, len(z)))
    functions[0, 0] = z
    tensors = VesselTensors.on(tube.vessel_with(everywhere_smooth), tube.cpu)
    # Images not turned: the lumen's middle is seen opposite to where the catheter lies.
    origin, column, row = (
        each[0].numpy()
        for each in poses(
            tensors,
            torch.as_tensor(functions),
            torch.as_tensor(-catheter),
            torch.as_tensor(slope_operator(depth)),
        )
    )
    np.testing.assert_allclose(origin, np.column_stack([catheter, z]), atol=1e-9)
    tangent = np.array([*slope, 1.0]) / np.linalg.norm([*slope, 1.0])
    np.testing.assert_allclose(np.cross(column, row), np.tile(tangent, (len(z), 1)), atol=1e-6)


def test_turning_the_image_about_the_lumens_middle_moves_the_catheter_around_it(tube):
    # Catheter 0.5 mm off the lumen's middle; image turned by 90 degrees, no offset of the lumen.
    z = np.arange(10.0, 20.0, 0.5)
    functions = np.zeros((1, 5, len(z)))
    functions[0, 0], functions[0, 1] = z, np.pi / 2.0
    tensors = VesselTensors.on(tube.vessel_with(everywhere_smooth), tube.cpu)
    centre = np.tile([0.5, 0.0], (len(z), 1))
    slope = torch.as_tensor(slope_operator(z - z[0]))
    origin, column, row = poses(tensors, torch.as_tensor(functions), torch.as_tensor(centre), slope)
    middle = origin + 0.5 * column
    np.testing.assert_allclose(middle[0].numpy()[:, :2], 0.0, atol=1e-9)
    np.testing.assert_allclose(column[0].numpy(), np.tile([0.0, 1.0, 0.0], (len(z), 1)), atol=1e-9)
    np.testing.assert_allclose(row[0].numpy(), np.tile([-1.0, 0.0, 0.0], (len(z), 1)), atol=1e-9)


def test_the_slope_of_a_straight_line_is_exact():
    depth = np.sort(np.random.default_rng(2).uniform(0.0, 30.0, 80))
    np.testing.assert_allclose(slope_operator(depth) @ (3.0 - 0.4 * depth), -0.4, atol=1e-9)


def test_lumens_that_coincide_cost_less_than_anything_around(tube):
    def to_tube(world):
        return np.hypot(world[:, 0], world[:, 1]) - tube.radius(
            world[:, 2], np.arctan2(world[:, 1], world[:, 0])
        )

    turn = np.radians(40.0)
    model = build(tube, to_tube, turn_rad=turn)
    knots = len(model.knots_mm)

    def cost(shift, turned):
        at = model.mean.clone()[None]
        at[:, :knots] += 12.0 + shift
        at[:, knots : 2 * knots] += turned
        return float(model.cost(at, WIDTH_MM))

    best = cost(0.0, turn)
    for shift in (-2.0, -0.7, 0.7, 2.0):
        assert cost(shift, turn) > best + 1.0
    for turned in (-1.5, -0.3, 0.3, 1.5):
        assert cost(0.0, turn + turned) > best + 1.0


def test_the_gate_is_open_in_the_vessel_and_shut_beyond_it(tube):
    model = build(tube, everywhere_smooth)
    s = torch.tensor([-5.0, -2.0, 0.0, 5.0, 30.0, 55.0, tube.length_mm, 62.0, 65.0], dtype=torch.float64)
    gate = model.gate(s).numpy()
    np.testing.assert_allclose(gate, [0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 0.5, 0.0, 0.0], atol=0.01)


def test_no_frame_costs_more_than_one_that_differs_everywhere(tube):
    def cost(away_mm, shift_mm=0.0):
        model = build(tube, lambda world: np.full(len(world), away_mm))
        at = model.mean.clone()[None]
        at[:, : len(model.knots_mm)] += 12.0 + shift_mm
        return float(model.cost(at, WIDTH_MM))

    costs = [cost(away_mm) for away_mm in (0.0, 0.3, 5.0, 50.0)]
    assert costs == sorted(costs)
    assert costs[3] == pytest.approx(costs[2], rel=1e-6)
    # A frame beyond the vessel is dearer than a good match and cheaper than a bad one.
    beyond = cost(50.0, shift_mm=100.0)
    assert costs[0] < beyond < costs[3]
