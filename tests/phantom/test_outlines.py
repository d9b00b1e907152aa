import numpy as np
import pytest

from coreg.contours import area_mm2
from coreg.phantom.curve import curve_through
from coreg.phantom.lumen import Branch, Lumen, blended
from coreg.phantom.outlines import outline_radii

RADIUS_MM = 1.7


def straight_lumen(branches=()):
    z = np.arange(0.0, 40.05, 0.1)
    axis, _ = curve_through(np.column_stack([0 * z + 3.0, 0 * z - 5.0, z]))
    return Lumen(axis, np.full((201, 72), RADIUS_MM), 0.2, branches)


def side_branch(radius_mm=0.8):
    along = np.arange(0.0, 12.0, 0.1)
    points = np.array([3.0, -5.0, 20.0]) + along[:, None] * np.array([1.0, 0.0, 0.0])
    return Branch("B1", points, np.full(len(along), radius_mm), 20.0)


def polygon(radii, angles):
    return radii[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])


ANGLES = 2.0 * np.pi * np.arange(180) / 180
ORIGINS = np.array([[3.0, -5.0, 10.0], [3.9, -5.2, 12.0], [3.0, -5.0, 20.0]])
AXES = np.tile(np.eye(3)[:, :2], (3, 1, 1))


def test_outline_of_a_straight_round_vessel_has_the_area_of_its_circle_wherever_the_catheter_lies():
    radii = outline_radii(straight_lumen(), ORIGINS, AXES, ANGLES, bulge_mm=1.0, reach_mm=5.0)
    for each in radii:
        # The inscribed polygon of an off-centre catheter's even rays loses under 0.2 %.
        assert area_mm2(polygon(each, ANGLES)) == pytest.approx(np.pi * RADIUS_MM**2, rel=2e-3)


def test_outline_of_a_tilted_plane_is_an_ellipse():
    tilt = np.radians(30.0)
    column, row = np.array([np.cos(tilt), 0.0, np.sin(tilt)]), np.array([0.0, 1.0, 0.0])
    axes = np.stack([column, row], axis=-1)[None]
    radii = outline_radii(straight_lumen(), ORIGINS[:1], axes, ANGLES, bulge_mm=1.0, reach_mm=5.0)[0]
    long_mm = RADIUS_MM / np.cos(tilt)
    expected = 1.0 / np.hypot(np.cos(ANGLES) / long_mm, np.sin(ANGLES) / RADIUS_MM)
    np.testing.assert_allclose(radii, expected, atol=1e-3)


def test_outline_goes_into_a_branch_only_as_far_as_the_reader_draws():
    lumen = straight_lumen((side_branch(),))
    radii = outline_radii(lumen, ORIGINS, AXES, ANGLES, bulge_mm=1.0, reach_mm=5.0)
    assert radii[0].max() == pytest.approx(RADIUS_MM, abs=1e-3)
    assert radii[2, 0] == pytest.approx(RADIUS_MM + 1.0, abs=0.02)
    assert radii[2, 90] == pytest.approx(RADIUS_MM, abs=1e-3)
    open_deg = 2.0 * (radii[2] > RADIUS_MM + 0.5).sum()
    # A ray passes 0.5 mm beyond the wall where it is still between the branch's walls.
    assert open_deg == pytest.approx(2.0 * np.degrees(np.arcsin(0.8 / (RADIUS_MM + 0.5))), abs=6.0)


def test_outline_ends_at_the_field_of_view():
    radii = outline_radii(straight_lumen(), ORIGINS, AXES, ANGLES, bulge_mm=1.0, reach_mm=1.2)
    assert radii.max() == 1.2


def test_carina_is_rounded_only_near_the_junction():
    a, b = np.array([0.0, -1.0, 0.0]), np.array([0.0, 1.0, np.inf])
    np.testing.assert_allclose(blended(a, b), [-0.1, -1.0, 0.0])
