import numpy as np
import pytest
from skimage.measure import grid_points_in_poly

from coreg.radial_raster import radial_raster

RAYS = 96
SPACING = np.array([0.03, 0.04])


def polygon_px(distance_mm, catheter_px):
    angle = 2.0 * np.pi * np.arange(len(distance_mm)) / len(distance_mm)
    points = distance_mm[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return points / SPACING + catheter_px


@pytest.mark.parametrize("catheter_px", [(50.3, 40.6), (2.2, 70.1), (-4.5, 30.2)])
@pytest.mark.parametrize("spread", [0.0, 0.3, 0.9])
def test_pixels_are_those_that_a_test_of_points_in_the_polygon_finds(catheter_px, spread):
    rng = np.random.default_rng(1)
    raster = radial_raster((80, 100), catheter_px=np.array(catheter_px), pixel_spacing_mm=SPACING, rays=RAYS)
    for _ in range(5):
        # Random distances make spikes, whose edges run almost along the rays.
        distance = 1.1 * (1.0 + spread * rng.uniform(-1.0, 1.0, RAYS))
        expected = grid_points_in_poly((80, 100), polygon_px(distance, np.array(catheter_px))[:, ::-1])
        np.testing.assert_array_equal(raster.inside(distance) > 0, expected)


def test_labels_of_a_circle_have_its_area_to_second_order():
    radius = 1.3
    for pixel in (0.05, 0.01):
        count = int(3.0 / pixel)
        centre = np.array([0.5 * count + 0.21, 0.5 * count - 0.37])
        raster = radial_raster(
            (count, count), catheter_px=centre, pixel_spacing_mm=np.full(2, pixel), rays=360
        )
        area = raster.inside(np.full(360, radius)).sum() * pixel**2
        polygon = 180.0 * np.sin(2.0 * np.pi / 360) * radius**2
        # The sum over pixel centres is off by far less than the perimeter times a pixel.
        assert area == pytest.approx(polygon, abs=0.1 * 2.0 * np.pi * radius * pixel)


def test_an_outline_beyond_the_image_fills_it():
    raster = radial_raster((7, 9), catheter_px=np.array([4.0, 3.0]), pixel_spacing_mm=SPACING, rays=8)
    assert raster.inside(np.full(8, 50.0)).all()
    # An outline without extent holds the pixel at the catheter's centre.
    assert raster.inside(np.zeros(8)).sum() == 1
