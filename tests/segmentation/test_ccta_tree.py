import numpy as np
import pytest
from scipy.spatial import cKDTree

from coreg.errors import InputError
from coreg.segmentation.ccta_tree import ccta_tree
from coreg.volume import Volume

RADIUS_MM = 1.2
ENDS = np.array([[-9.0, 0.0, 29.0], [9.0, 3.0, 28.0]])


@pytest.fixture(scope="module")
def limbs(scenes):
    """Trunk from the aorta, and two limbs."""
    fork = [0.0, 0.0, 11.0]
    return [scenes.curve([0.0, 0.0, 0.0], fork), *(scenes.curve(fork, end) for end in ENDS)]


@pytest.fixture(scope="module")
def image(scenes, limbs):
    """A tree, and a vein that runs up beside its right limb, touches it and goes elsewhere."""
    vessels = [
        scenes.artery(points, radius)
        for points, radius in zip(limbs, (1.5, RADIUS_MM, RADIUS_MM), strict=True)
    ]
    walls, bloods = ([part for each in vessels for part in each[i]] for i in (0, 1))
    touching = limbs[2][200] + np.array([0.0, 2.4, 0.0])
    ends = touching + np.array([[2.0, 5.0, -9.0], [1.0, 6.0, 12.0]])
    vein = scenes.curve(ends[0], touching, ends[1])
    dim = scenes.fat_hu + 0.45 * (scenes.blood_hu - scenes.fat_hu)
    parts = [(scenes.tube(vein, 1.3), dim), *walls, *bloods, *scenes.aorta]
    return scenes.scan(parts, (-14.0, -8.0, -18.0), (16.0, 16.0, 36.0))


@pytest.fixture(scope="module")
def tree(image):
    return ccta_tree(image, np.array([0.0, 0.0, 1.5]))


def test_a_line_leads_to_each_end_and_nowhere_else(tree):
    assert len(tree.lines) == len(ENDS)
    ends = np.array([line.points_mm[-1] for line in tree.lines])
    distance, which = cKDTree(ENDS).query(ends)
    # The ends are half balls of the tubes' radius.
    assert distance.max() < RADIUS_MM + 1.0
    assert set(which) == {0, 1}


def test_lines_run_in_the_arteries(tree, limbs):
    along = cKDTree(np.vstack(limbs))
    for line in tree.lines:
        distance, _ = along.query(line.points_mm[:-4])
        # At the fork a line takes the inside of the bend.
        assert distance.max() < 0.8
        assert distance.mean() < 0.2


def test_lines_begin_at_the_ostium_and_none_enters_the_aorta(tree, scenes):
    for line in tree.lines:
        assert np.linalg.norm(line.points_mm[0] - [0.0, 0.0, 1.5]) < 2.5
        depth = scenes.aorta_radius_mm - np.linalg.norm(line.points_mm - scenes.aorta_mm, axis=1)
        assert depth.max() < 2.0


def test_vein_that_touches_is_not_followed(tree, limbs, scenes):
    beyond = limbs[2][200] + [1.0, 8.4, 12.0]
    for line in tree.lines:
        assert np.linalg.norm(line.points_mm - beyond, axis=1).min() > 5.0


def test_radius_is_that_of_the_artery(tree):
    for line in tree.lines:
        # Where rays leave the blood, in steps of their samples.
        assert np.median(line.radius_mm[30:]) == pytest.approx(RADIUS_MM, abs=0.25)


def test_longest_line_comes_first(tree):
    length = [float(np.ptp(line.arc_length_mm)) for line in tree.lines]
    assert length == sorted(length, reverse=True)


def test_click_without_artery_is_refused(image):
    with pytest.raises(InputError, match=r"ccta\.ostium: found .* expected a contrast-filled artery"):
        ccta_tree(image, np.array([-12.0, -6.0, 0.0]))


def test_progress_is_told_from_nothing_on(image):
    told = []
    ccta_tree(image, np.array([0.0, 0.0, 1.5]), progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] < 1.0


def test_rigid_motion_of_the_scene_moves_the_lines_with_it(image, tree, scenes):
    motion = np.eye(4)
    motion[:3, :3] = scenes.turned([1.0, -0.3, 0.6], [0.5, 1.0, -0.2], [0.2, 0.4, 1.0])
    motion[:3, 3] = [12.0, -200.0, 1700.0]
    click = motion[:3, :3] @ [0.0, 0.0, 1.5] + motion[:3, 3]
    moved = ccta_tree(Volume(image.values, motion @ image.index_to_world), click)
    for here, there in zip(tree.lines, moved.lines, strict=True):
        expected = here.points_mm @ motion[:3, :3].T + motion[:3, 3]
        # Rays start at another angle and are a sample of 0.15 mm apart.
        assert cKDTree(expected).query(there.points_mm)[0].mean() < 0.3
