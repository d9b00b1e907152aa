import numpy as np
import pytest

from coreg.contours import centroid_mm
from coreg.report.cuts import areas_mm2, lumen_outlines
from coreg.surface import Surface

TRUE_AREA_MM2 = np.pi * 1.5**2


def test_area_of_a_tube_label_is_pi_r_squared(z_mm, tube):
    areas = areas_mm2(lumen_outlines(tube.label(), tube.path(z_mm)))
    # Voxels of 0.4 mm know a radius of 1.5 mm to about a tenth of a voxel.
    assert areas == pytest.approx(TRUE_AREA_MM2, rel=0.04)


def test_area_of_a_tube_surface_is_that_of_its_polygon(z_mm, tube):
    areas = areas_mm2(lumen_outlines(tube.surface(), tube.path(z_mm)))
    polygon = 0.5 * 180 * tube.radius_mm**2 * np.sin(2.0 * np.pi / 180)
    assert areas == pytest.approx(polygon, rel=1e-9)


@pytest.mark.parametrize(("lumen", "rel"), [("surface", 1e-3), ("label", 0.04)])
def test_an_oblique_plane_cuts_a_larger_ellipse(z_mm, lumen, rel, tube):
    areas = areas_mm2(lumen_outlines(getattr(tube, lumen)(), tube.path(z_mm[8:-8], tilt_rad=np.pi / 4)))
    assert areas == pytest.approx(TRUE_AREA_MM2 * np.sqrt(2.0), rel=rel)


@pytest.mark.parametrize("lumen", ["surface", "label"])
def test_outlines_are_in_image_mm_from_the_catheter(z_mm, lumen, tube):
    # The lumen's centre is 0.7 mm to -x of the catheter; the image is turned by a quarter.
    path = tube.path(z_mm, offset_mm=(0.7, 0.0), turn_rad=np.pi / 2)
    for outline in lumen_outlines(getattr(tube, lumen)(), path):
        assert centroid_mm(outline) == pytest.approx([0.0, 0.7], abs=0.02)


def test_a_sphere_is_cut_in_circles_that_shrink_towards_its_pole(tube):
    theta, phi = np.meshgrid(np.linspace(1e-3, np.pi - 1e-3, 90), np.arange(120) * np.pi / 60, indexing="ij")
    points = 3.0 * np.stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1
    )
    index = np.arange(90 * 120).reshape(90, 120)
    a, b = index[:-1], np.roll(index, -1, axis=1)[:-1]
    c, d = index[1:], np.roll(index, -1, axis=1)[1:]
    faces = np.concatenate([np.stack([a, c, d], -1).reshape(-1, 3), np.stack([a, d, b], -1).reshape(-1, 3)])
    heights = np.array([-2.0, -0.9, 0.013, 1.1, 2.2])
    areas = areas_mm2(lumen_outlines(Surface(points.reshape(-1, 3), faces), tube.path(heights)))
    assert areas == pytest.approx(np.pi * (9.0 - heights**2), rel=2e-3)


def test_frames_without_a_pose_or_lumen_have_no_outline(z_mm, tube):
    posed = np.arange(len(z_mm)) > 3
    outlines = lumen_outlines(tube.label(), tube.path(z_mm, posed=posed))
    assert [each is None for each in outlines] == (~posed).tolist()
    beyond = tube.path(z_mm + 3.0 * tube.length_mm)
    assert lumen_outlines(tube.surface(), beyond) == (None,) * len(z_mm)
    assert lumen_outlines(tube.label(), beyond) == (None,) * len(z_mm)


def test_two_independent_cuts_of_one_tube_agree(z_mm, tube):
    path = tube.path(z_mm, offset_mm=(0.4, -0.3), turn_rad=0.3, tilt_rad=0.2)
    label, surface = (areas_mm2(lumen_outlines(each, path)) for each in (tube.label(), tube.surface()))
    assert label == pytest.approx(surface, rel=0.04)
