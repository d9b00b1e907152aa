import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from coreg.io.dicom_slabs import slab_steps


@pytest.fixture(scope="module")
def anatomy():
    """Structures of some millimetres that change slowly from slice to slice, in air; HU as floats."""
    texture = gaussian_filter(np.random.default_rng(3).normal(size=(60, 192, 192)), (4.0, 3.0, 3.0))
    j, i = np.mgrid[-1:1:192j, -1:1:192j]
    body = i**2 + j**2 / 0.7 < 0.95
    return np.where(body, 40.0 + 120.0 * texture / texture.std(), -1000.0)


def noisy(hu, noise_hu=20.0, seed=0):
    return np.rint(hu + np.random.default_rng(seed).normal(0.0, noise_hu, hu.shape)).astype(np.int16)


@pytest.mark.parametrize("noise_hu", [0.0, 20.0, 60.0])
def test_smooth_anatomy_has_no_steps_whatever_the_noise(anatomy, noise_hu):
    assert slab_steps(noisy(anatomy, noise_hu)) == ()


@pytest.mark.parametrize("noise_hu", [0.0, 20.0, 40.0])
@pytest.mark.parametrize("shift_px", [1, 2, 4])
def test_a_patient_who_moved_between_two_slabs_is_found(anatomy, shift_px, noise_hu):
    hu = anatomy.copy()
    hu[20:40] = np.roll(hu[20:40], shift_px, axis=2)
    assert slab_steps(noisy(hu, noise_hu)) == (19, 39)


def test_a_heart_that_moved_alone_is_found(anatomy):
    j, i = np.mgrid[-1:1:192j, -1:1:192j]
    heart = i**2 + j**2 < 0.3
    hu = anatomy.copy()
    hu[30:] = np.where(heart, np.roll(hu[30:], 3, axis=1), hu[30:])
    assert slab_steps(noisy(hu)) == (29,)


def test_banding_and_a_change_of_noise_are_no_steps(anatomy):
    banded = anatomy.copy()
    banded[30:][banded[30:] > -900.0] += 35.0
    assert slab_steps(noisy(banded)) == ()
    louder = np.concatenate([noisy(anatomy[:30], 15.0), noisy(anatomy[30:], 35.0, seed=1)])
    assert slab_steps(louder) == ()


@pytest.mark.parametrize("step", [0.8, 0.6, 1.0 / 3.0])
def test_slices_interpolated_from_others_have_no_steps(anatomy, step):
    hu = noisy(anatomy, 30.0).astype(float)
    at = np.arange(0.0, 58.9, step)
    low, part = at.astype(int), (at % 1.0)[:, None, None]
    assert slab_steps(np.rint(hu[low] * (1.0 - part) + hu[low + 1] * part).astype(np.int16)) == ()


def test_a_structure_that_begins_abruptly_is_no_step(anatomy):
    hu = anatomy.copy()
    hu[25:, 80:120, 80:110] = 900.0
    assert slab_steps(noisy(hu)) == ()


def test_too_few_pixels_to_judge_give_no_steps():
    assert slab_steps(np.zeros((40, 20, 20), np.int16)) == ()
