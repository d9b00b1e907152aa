import numpy as np
import pytest

from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline
from coreg.landmarks import SideBranch

COUNT = 41
ANGLE = 2.0 * np.pi * np.arange(36) / 36
POINTS = np.linspace(0.0, 20.0, COUNT)[:, None] * [0.0, 0.0, 1.0]


def made(lumen_mm=1.5, **changes):
    table = np.array(np.broadcast_to(lumen_mm, (COUNT, 36)))
    line = Centerline(POINTS, np.sqrt((table**2).mean(axis=1)))
    facts = {
        "centerline": line,
        "lumen_radius_mm": table,
        "wall_radius_mm": table + 0.8,
        "calcium_mm": 0.0 * table,
        "quality": np.ones(COUNT),
        "reason": ("",) * COUNT,
        "wall_quality": np.ones(COUNT),
    }
    return CctaVessel(**{**facts, **changes})


def test_volume_is_that_of_an_elliptic_cylinder():
    a, b = 2.0, 1.2
    ellipse = a * b / np.hypot(b * np.cos(ANGLE), a * np.sin(ANGLE))
    # Equal steps of a periodic function converge fast.
    assert made(ellipse).volume_mm3 == pytest.approx(np.pi * a * b * 20.0, rel=1e-6)


def test_volume_is_that_of_a_cone():
    radius = np.linspace(2.0, 1.0, COUNT)[:, None]
    # Trapezoids through 40 steps of a parabola.
    assert made(radius).volume_mm3 == pytest.approx(np.pi * 20.0 * (4.0 + 2.0 + 1.0) / 3.0, rel=1e-3)


def test_outline_lies_around_the_line_from_the_normal_towards_the_binormal():
    vessel = made(1.5 + 0.5 * np.cos(ANGLE))
    outline = vessel.outline_mm(vessel.lumen_radius_mm)
    assert outline.shape == (COUNT, 36, 3)
    # The moving frame of a line along z is x, y, z.
    np.testing.assert_allclose(outline[:, 0], POINTS + np.array([2.0, 0.0, 0.0]), atol=1e-9)
    np.testing.assert_allclose(outline[:, 9], POINTS + np.array([0.0, 1.5, 0.0]), atol=1e-9)
    np.testing.assert_allclose(outline[:, 18], POINTS - [1.0, 0.0, 0.0], atol=1e-9)


def test_marked_stretches_are_runs_of_one_reason():
    reason = ["faint"] * 3 + [""] * 7 + ["calcium"] * 5 + ["faint"] * 2 + [""] * (COUNT - 17)
    vessel = made(reason=tuple(reason))
    assert vessel.marked_stretches == ((0.0, 1.0, "faint"), (5.0, 7.0, "calcium"), (7.5, 8.0, "faint"))
    np.testing.assert_array_equal(vessel.marked, [bool(each) for each in reason])
    assert made().marked_stretches == ()


def test_tables_are_read_only_copies():
    table = np.full((COUNT, 36), 1.5)
    vessel = made(lumen_radius_mm=table)
    table[:] = 0.0
    assert vessel.lumen_radius_mm.min() == 1.5
    with pytest.raises(ValueError, match="read-only"):
        vessel.lumen_radius_mm[0, 0] = 1.0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"centerline": Centerline(POINTS)}, "needs a radius"),
        ({"lumen_radius_mm": np.ones((COUNT, 7))}, r"shape \(41, A\) with A >= 8, got \(41, 7\)"),
        ({"lumen_radius_mm": np.ones((COUNT - 1, 36))}, r"got \(40, 36\)"),
        ({"wall_radius_mm": np.ones((COUNT, 35))}, r"wall_radius_mm must be finite and of shape \(41, 36\)"),
        ({"calcium_mm": np.full((COUNT, 36), np.nan)}, "calcium_mm must be finite"),
        ({"quality": np.ones(COUNT + 1)}, r"quality must be finite and of shape \(41,\), got shape \(42,\)"),
        ({"reason": ("",)}, "reason must have 41 entries, got 1"),
        ({"side_branches": (SideBranch("B1"),)}, "1 side branches but 0 branch lines"),
    ],
)
def test_what_does_not_fit_together_is_named(changes, words):
    with pytest.raises(ValueError, match=words):
        made(**changes)
