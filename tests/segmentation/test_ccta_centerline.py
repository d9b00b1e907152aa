from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from coreg.errors import InputError
from coreg.phantom import make_patient, preset
from coreg.segmentation import centerline_from_label
from coreg.volume import Volume

VOXEL_MM = np.array([0.4, 0.4, 0.5])
PARALLEL = (np.linspace(0.0, 40.0, 801)[:, None] * [1.0, 0.0, 0.0]) + [100.0, -200.0, 50.0]


def helix(radius_mm=12.0, rise_mm=6.0, turns=1.2):
    angle = np.linspace(0.0, 2.0 * np.pi * turns, 2001)
    return np.column_stack([radius_mm * np.cos(angle), radius_mm * np.sin(angle), rise_mm * angle])


def arc(radius_mm=20.0):
    angle = np.linspace(0.0, np.pi, 2001)
    plane = np.column_stack([radius_mm * np.cos(angle), radius_mm * np.sin(angle), 0.0 * angle])
    return plane @ np.linalg.qr([[1.0, 0.3, 0.2], [0.1, 1.0, -0.5], [-0.4, 0.2, 1.0]])[0]


def digitised(*tubes):
    """Label of the voxel centres nearer than a radius to a dense curve, for each (curve, radius in mm)."""
    every = np.vstack([curve for curve, _ in tubes])
    margin = max(radius for _, radius in tubes) + 2.0
    low = every.min(axis=0) - margin + 0.13
    shape = (np.ceil((every.max(axis=0) + margin - low) / VOXEL_MM).astype(int) + 1)[::-1]
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = VOXEL_MM
    matrix[:, 3] = [*low, 1.0]
    grid = Volume(np.zeros(shape, dtype=np.uint8), matrix)
    world = grid.to_world(np.indices(shape).reshape(3, -1).T.astype(float))
    inside = np.zeros(len(world), dtype=bool)
    for curve, radius in tubes:
        inside |= np.isfinite(cKDTree(curve).query(world, distance_upper_bound=radius)[0])
    return Volume(inside.reshape(shape).astype(np.uint8), matrix)


def distance_mm(line, curve):
    return cKDTree(curve).query(line.points_mm)[0]


def length_mm(curve):
    return np.linalg.norm(np.diff(curve, axis=0), axis=1).sum()


@pytest.mark.parametrize("curve", [helix(), arc()], ids=["helix", "arc"])
@pytest.mark.parametrize("radius_mm", [0.8, 1.3, 2.0])
def test_line_runs_in_the_middle_of_a_digitised_tube(curve, radius_mm):
    # Clicks beside the axis, one of them outside the lumen.
    line = centerline_from_label(digitised((curve, radius_mm)), curve[0] + [1.5, 0.0, 0.0], curve[-1])
    # A tenth of a voxel.
    assert distance_mm(line, curve).mean() < 0.05
    assert line.arc_length_mm[-1] == pytest.approx(length_mm(curve), rel=0.01)
    assert np.linalg.norm(line.points_mm[[0, -1]] - curve[[0, -1]], axis=1).max() < 0.5
    assert line.arc_length_mm[0] == 0.0
    # Half a voxel would be 0.2 mm.
    inner = slice(8, -8)
    np.testing.assert_allclose(line.radius_mm[inner].mean(), radius_mm, atol=0.04)
    assert line.radius_mm[inner].std() < 0.05


def test_line_runs_from_the_ostium_click_to_the_distal_click():
    curve = helix()
    label = digitised((curve, 1.3))
    back = centerline_from_label(label, curve[-1], curve[0])
    assert np.linalg.norm(back.points_mm[0] - curve[-1]) < 0.5
    part = centerline_from_label(label, curve[500], curve[1500])
    assert np.linalg.norm(part.points_mm[[0, -1]] - curve[[500, 1500]], axis=1).max() < 0.1
    assert part.arc_length_mm[-1] == pytest.approx(length_mm(curve[500:1501]), rel=0.01)


def test_aorta_at_the_ostium_does_not_derail_the_line():
    curve = helix()
    aorta = curve[:1] - [0.0, 9.5, 0.0]
    label = digitised((curve, 1.5), (aorta, 10.0))
    for click, reach_mm in ((curve[0], 0.0), (curve[0] - [0.0, 4.0, 0.0], 4.0)):
        line = centerline_from_label(label, click, curve[-1])
        vessel = line.points_mm[np.linalg.norm(line.points_mm - aorta, axis=1) > 12.0]
        assert cKDTree(curve).query(vessel)[0].mean() < 0.05
        # It may cross the mouth obliquely, but makes no detour through the aorta.
        assert line.arc_length_mm[-1] < length_mm(curve) + reach_mm + 2.0
        assert np.linalg.norm(line.points_mm[0] - click) < 2.0


@pytest.mark.parametrize("side", [False, True])
def test_distal_click_chooses_the_branch_at_a_bifurcation(side):
    trunk = helix()
    branch = trunk[900] + np.linspace(0.0, 1.0, 500)[:, None] * [20.0, 5.0, 20.0]
    label = digitised((trunk, 1.3), (branch, 1.1))
    vessel = np.vstack([trunk[:900], branch]) if side else trunk
    line = centerline_from_label(label, trunk[0], vessel[-1])
    distance = distance_mm(line, vessel)
    assert distance.mean() < 0.1
    # The lumen itself widens where the branch leaves.
    assert distance.max() < 0.7
    assert np.linalg.norm(line.points_mm[-1] - vessel[-1]) < 0.3


def test_limb_that_comes_near_the_ostium_again_does_not_cut_the_line():
    angle = np.linspace(0.0, np.pi, 400)
    out = np.linspace([0.0, 0.0, 0.0], [40.0, 0.0, 0.0], 400)
    bend = np.column_stack([40.0 + 4.0 * np.sin(angle), 4.0 - 4.0 * np.cos(angle), 0.0 * angle])
    home = np.linspace([40.0, 8.0, 0.0], [0.0, 8.0, 0.0], 400)
    curve = np.vstack([out, bend, home])
    line = centerline_from_label(digitised((curve, 1.5)), [0.0, 2.0, 0.0], [0.0, 6.0, 0.0])
    assert line.arc_length_mm[-1] == pytest.approx(length_mm(curve), rel=0.02)


def test_speck_beside_the_click_is_not_taken_for_the_vessel():
    curve = helix()
    label = digitised((curve, 1.3))
    values = label.values.copy()
    click = curve[0] + [3.0, 0.0, 0.0]
    values[tuple(np.rint(label.to_index(click)).astype(int))] = 1
    line = centerline_from_label(Volume(values, label.index_to_world), click, curve[-1])
    assert distance_mm(line, curve).mean() < 0.05


def test_rigid_motion_of_the_scene_moves_the_line_with_it():
    curve = helix()
    label = digitised((curve, 1.3))
    motion = np.eye(4)
    motion[:3, :3] = np.linalg.qr([[1.0, 0.5, 0.2], [-0.3, 1.0, 0.4], [0.6, -0.2, 1.0]])[0]
    motion[:3, 3] = [12.0, -200.0, 1700.0]
    moved = Volume(label.values, motion @ label.index_to_world)
    here = centerline_from_label(label, curve[0], curve[-1])
    ends = curve[[0, -1]] @ motion[:3, :3].T + motion[:3, 3]
    there = centerline_from_label(moved, *ends)
    expected = here.points_mm @ motion[:3, :3].T + motion[:3, 3]
    # Rays start at another angle of the section, which moves its centre by hundredths of a millimetre.
    np.testing.assert_allclose(there.points_at(there.arc_length_mm), expected, atol=0.05)


@pytest.mark.parametrize("seed", [2, 7, *(pytest.param(each, marks=pytest.mark.slow) for each in (0, 1, 3))])
def test_line_follows_a_synthetic_patients_vessel(seed):
    made = make_patient(seed)
    line = centerline_from_label(made.case.lumen, made.case.ostium_mm, made.case.distal_mm)
    s = made.centerline.nearest_arc_length(line.points_mm)
    distance = np.linalg.norm(line.points_mm - made.centerline.points_at(s), axis=1)
    # Label errors of 0.12 mm alone move the centre of a section by about 0.1 mm.
    assert distance.mean() < 0.15
    true_mm = np.interp(s, made.centerline.arc_length_mm, made.centerline.radius_mm)
    assert abs((line.radius_mm - made.shown.radius_scale * true_mm).mean()) < 0.06


def test_line_leaves_the_aorta_of_a_synthetic_patient():
    settings = replace(preset("typical"), ending_odds=(0.0, 1.0))
    made = make_patient(1, settings=settings)
    line = centerline_from_label(made.case.lumen, made.case.ostium_mm, made.case.distal_mm)
    s = made.centerline.nearest_arc_length(line.points_mm)
    distance = np.linalg.norm(line.points_mm - made.centerline.points_at(s), axis=1)[s > 3.0]
    assert distance.mean() < 0.4


def test_specks_far_away_do_not_matter():
    curve = helix(radius_mm=10.0, rise_mm=5.0, turns=1.45)
    tube = digitised((curve, 1.5))
    values = np.zeros((250, 250, 250), dtype=np.uint8)
    values[tuple(slice(100, 100 + size) for size in tube.values.shape)] = tube.values
    # Specks in the corners keep the label's box large.
    values[0, 0, 0] = values[-1, -1, -1] = 1
    matrix = tube.index_to_world.copy()
    matrix[:3, 3] = tube.to_world(np.full(3, -100.0))
    line = centerline_from_label(Volume(values, matrix), curve[0], curve[-1])
    assert line.arc_length_mm[-1] == pytest.approx(length_mm(curve), rel=0.01)


def test_empty_label_is_refused():
    label = Volume(np.zeros((5, 6, 7), dtype=np.uint8), np.eye(4))
    with pytest.raises(InputError, match=r"ccta\.lumen: the label is empty \(found 0 of 210 voxels\)"):
        centerline_from_label(label, np.zeros(3), np.ones(3))


@pytest.mark.parametrize(("name", "which"), [("ccta.ostium", 0), ("ccta.distal", 1)])
def test_click_far_from_the_label_is_named_with_its_distance(name, which):
    clicks = [PARALLEL[0], PARALLEL[-1]]
    clicks[which] = clicks[which] + [0.0, 12.0, 0.0]
    with pytest.raises(
        InputError, match=rf"{name}: .* is 1[0-9]\.\d mm from the lumen label, expected at most 5"
    ):
        centerline_from_label(digitised((PARALLEL, 1.5)), *clicks)


def test_ras_click_is_recognised():
    ras = PARALLEL * [-1.0, -1.0, 1.0]
    with pytest.raises(
        InputError, match=r"ccta\.ostium: .* with x and y negated it fits: RAS instead of LPS"
    ):
        centerline_from_label(digitised((PARALLEL, 1.5)), ras[0], ras[-1])


def test_gap_in_the_lumen_is_described():
    label = digitised((PARALLEL[:300], 1.5), (PARALLEL[500:], 1.5))
    with pytest.raises(InputError, match=r"does not connect ccta\.ostium and ccta\.distal") as caught:
        centerline_from_label(label, PARALLEL[0], PARALLEL[-1])
    # Two capsules of 15 mm, and a gap of 10 mm less two round ends of 1.5 mm.
    first, second, gap = (
        float(word) for word in str(caught.value).split() if word.replace(".", "").isdigit()
    )
    capsule_mm3 = np.pi * 1.5**2 * 14.95 + 4.0 / 3.0 * np.pi * 1.5**3
    assert first == pytest.approx(capsule_mm3, rel=0.03)
    assert second == pytest.approx(capsule_mm3, rel=0.03)
    assert gap == pytest.approx(7.05, abs=0.8)


def test_clicks_at_one_place_are_refused():
    with pytest.raises(InputError, match=r"ccta\.ostium and ccta\.distal: found .* mm of lumen between"):
        centerline_from_label(digitised((PARALLEL, 1.5)), PARALLEL[100], PARALLEL[110])


def test_click_that_is_not_a_point_is_refused():
    with pytest.raises(ValueError, match="must be three finite numbers"):
        centerline_from_label(digitised((PARALLEL, 1.5)), [0.0, np.nan, 0.0], PARALLEL[0])
