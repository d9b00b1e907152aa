import numpy as np
import pytest

from coreg.pullback_images import PullbackImages
from coreg.segmentation.polar import polar_frames


def images(pixels, *, catheter=(60.0, 50.0), spacing=(0.05, 0.05), **more):
    return PullbackImages(pixels, np.array(spacing), np.array(catheter), "OCT", 2.4, **more)


def test_the_edge_of_a_disc_about_the_catheter_lies_at_its_radius_on_every_ray():
    rows, columns = np.mgrid[:120, :120]
    # Pixels are twice as wide as they are high.
    radius = np.hypot(0.05 * (columns - 60.0), 0.025 * (rows - 50.0))
    disc = np.where(radius > 1.1, 200, 10).astype(np.uint8)
    polar = polar_frames(images(disc[None], spacing=(0.05, 0.025)))
    inside = (polar.values[0] < 105).sum(axis=1) * polar.step_mm
    half = polar.values[0].shape[1] * polar.step_mm
    shown = np.abs(np.sin(2.0 * np.pi * np.arange(256) / 256)) * half < 0.025 * 50.0
    assert np.abs(inside[shown] - 1.1).max() < 0.06


def test_angles_grow_from_column_to_row():
    picture = np.zeros((1, 120, 120), np.uint8)
    picture[0, 70:, :] = 255
    values = polar_frames(images(picture)).values[0]
    assert values[64, -5] == 255
    assert values[192, -5] == 0


def test_what_is_hidden_is_filled_from_the_neighbouring_rays():
    picture = np.full((2, 120, 120), 80, np.uint8)
    mark = np.zeros((120, 120), bool)
    mark[48:53, 75:90] = True
    picture[1][mark] = 255
    polar = polar_frames(images(picture, marks={1: mark}))
    assert polar.values[1].max() == 255
    cleaned = polar.cleaned(1)[:, : int(2.0 / polar.step_mm)]
    assert np.abs(cleaned - 80.0).max() <= 1.0


def test_outside_of_the_picture_everything_is_black_and_hidden():
    polar = polar_frames(images(np.full((1, 120, 120), 90, np.uint8), catheter=(10.0, 60.0)))
    left = polar.values[0, 128]
    assert left[int(1.0 / polar.step_mm) :].max() == 0
    assert polar.hidden[128, int(1.0 / polar.step_mm) :].all()


def test_images_must_be_eight_bit():
    with pytest.raises(ValueError, match="pixels must be uint8"):
        images(np.zeros((1, 4, 4)))
