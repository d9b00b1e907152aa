import numpy as np
import pytest

from coreg.calcium import calcium_deposits
from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline

COUNT, ANGLES = 41, 36
STEP_RAD = 2.0 * np.pi / ANGLES


def vessel_with(calcium_mm):
    """A straight vessel of 20 mm with points every 0.5 mm and angles every 10 degrees."""
    z = np.linspace(0.0, 20.0, COUNT)
    line = Centerline(np.column_stack([0.0 * z, 0.0 * z, z]), np.full(COUNT, 1.5))
    radius = np.full((COUNT, ANGLES), 1.5)
    nothing = np.ones(COUNT)
    return CctaVessel(line, radius, radius + 1.0, calcium_mm, nothing, ("",) * COUNT, nothing)


def test_a_vessel_without_calcium_has_no_deposit():
    assert calcium_deposits(vessel_with(np.zeros((COUNT, ANGLES)))) == ()


def test_a_deposit_is_measured_along_and_about_the_vessel():
    calcium = np.zeros((COUNT, ANGLES))
    calcium[4:9, 6:12] = 0.4
    calcium[6, 8] = 0.7
    (found,) = calcium_deposits(vessel_with(calcium))
    assert (found.start_mm, found.end_mm, found.thickness_mm) == (2.0, 4.0, 0.7)
    # Cells 6 to 11 of 10 degrees: their middle lies at 85 degrees.
    assert np.degrees(found.angle_rad) == pytest.approx(85.0)
    assert np.degrees(found.extent_rad) == pytest.approx(60.0)


def test_a_deposit_over_the_first_angle_is_one():
    calcium = np.zeros((COUNT, ANGLES))
    calcium[10:14, :3] = calcium[10:14, -5:] = 0.3
    (found,) = calcium_deposits(vessel_with(calcium))
    assert np.degrees(found.angle_rad) == pytest.approx(-15.0)
    assert np.degrees(found.extent_rad) == pytest.approx(80.0)


def test_an_arm_over_the_first_angle_joins_what_lies_beyond():
    calcium = np.zeros((COUNT, ANGLES))
    calcium[2:20, 1] = 0.3  # a bar along the vessel
    calcium[4, [0, ANGLES - 1, ANGLES - 2]] = 0.3  # two arms over the seam
    calcium[16, [0, ANGLES - 1, ANGLES - 2]] = 0.3
    assert len(calcium_deposits(vessel_with(calcium))) == 1


def test_calcium_all_round_covers_the_full_turn():
    calcium = np.zeros((COUNT, ANGLES))
    calcium[30] = 0.2
    (found,) = calcium_deposits(vessel_with(calcium))
    assert np.degrees(found.extent_rad) == pytest.approx(360.0)
    assert found.start_mm == found.end_mm == 15.0


def test_separate_deposits_come_proximal_first():
    calcium = np.zeros((COUNT, ANGLES))
    calcium[20:25, 3] = calcium[2:5, 20] = calcium[2:5, 10] = 0.2
    found = calcium_deposits(vessel_with(calcium))
    assert [each.start_mm for each in found] == [1.0, 1.0, 10.0]


@pytest.mark.parametrize("turn", [1, 7, 18, 35])
def test_turning_the_vessel_turns_its_deposits(turn):
    calcium = np.where(np.random.default_rng(3).random((COUNT, ANGLES)) < 0.06, 0.5, 0.0)
    plain, turned = (calcium_deposits(vessel_with(np.roll(calcium, each, axis=1))) for each in (0, turn))
    assert len(plain) == len(turned)
    for key in ("start_mm", "end_mm", "extent_rad", "thickness_mm"):
        assert sorted(getattr(each, key) for each in plain) == pytest.approx(
            sorted(getattr(each, key) for each in turned)
        )
