from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

from coreg.phantom.curve import curve_through
from coreg.phantom.lumen import Lumen
from coreg.phantom.scanner import SLICES_AT_ONCE, Scan, SlabStep, VesselMotion, moving_part, scanned
from coreg.volume import Volume

SPACING_MM = np.array([0.5, 0.4, 0.4])
STILL = Scan(psf_mm=0.36, psf_z_mm=0.44, noise_hu=0.0, noise_correlation_mm=0.34, motion=None, slabs=())
NOISY = replace(STILL, noise_hu=25.0)


@pytest.fixture(scope="module")
def noise():
    return scanned(3, np.zeros((70, 90, 80), dtype=np.float32), SPACING_MM, NOISY).astype(float)


def correlation(a, b):
    return float((a * b).mean() / (a.std() * b.std()))


def test_noise_has_the_stated_standard_deviation(noise):
    assert noise.std() == pytest.approx(25.0, rel=0.02)
    assert noise.mean() == pytest.approx(0.0, abs=0.5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_noise_is_as_grainy_as_stated(noise, axis):
    low, high = (np.take(noise, part, axis=axis) for part in (np.arange(50), np.arange(1, 51)))
    # White noise after a Gaussian of s: exp(-(d / 2 s)^2); rounding the kernel to voxels costs a little.
    expected = np.exp(-((SPACING_MM[axis] / (2.0 * 0.34)) ** 2))
    assert correlation(low, high) == pytest.approx(expected, abs=0.03)


def test_noise_has_no_seam_where_the_work_was_cut(noise):
    seam = correlation(noise[SLICES_AT_ONCE - 1], noise[SLICES_AT_ONCE])
    inside = np.mean([correlation(noise[i], noise[i + 1]) for i in range(5, 25)])
    assert seam == pytest.approx(inside, abs=0.06)


@pytest.mark.parametrize(("axis", "psf_mm"), [(0, 0.44), (1, 0.36), (2, 0.36)])
def test_an_edge_is_blurred_by_the_stated_width(axis, psf_mm):
    shape = np.full(3, 30)
    shape[axis] = 2 * SLICES_AT_ONCE
    step = 1000.0 * (np.arange(shape[axis]) >= SLICES_AT_ONCE)
    tissue = np.moveaxis(np.broadcast_to(step, (30, 30, shape[axis])), -1, axis).astype(np.float32)
    profile = scanned(3, tissue, SPACING_MM, STILL).astype(float)
    line = np.diff(np.moveaxis(profile, axis, -1)[15, 15])
    x = SPACING_MM[axis] * np.arange(len(line))
    mean = (line * x).sum() / line.sum()
    assert line.sum() == pytest.approx(1000.0, abs=2.0)
    assert np.sqrt((line * (x - mean) ** 2).sum() / line.sum()) == pytest.approx(psf_mm, rel=0.03)


def test_slabs_move_as_a_whole_and_only_from_their_first_slice_on():
    tissue = np.zeros((80, 40, 40), dtype=np.float32)
    tissue[:, 20, 20] = 20000.0
    slabs = (SlabStep(0, (-0.6, 0.2)), SlabStep(35, (0.9, 0.0)), SlabStep(60, (0.0, -1.5)))
    image = scanned(3, tissue, SPACING_MM, replace(STILL, slabs=slabs)).astype(float)
    index = np.arange(40.0) - 20.0
    total = image.sum(axis=(1, 2))
    x = 0.4 * (image.sum(axis=1) @ index) / total
    y = 0.4 * (image.sum(axis=2) @ index) / total
    for first, last, (dx, dy) in (
        (0, 35, slabs[0].shift_mm),
        (35, 60, slabs[1].shift_mm),
        (60, 80, slabs[2].shift_mm),
    ):
        assert x[first:last] == pytest.approx(dx, abs=0.02)
        assert y[first:last] == pytest.approx(dy, abs=0.02)


def test_a_step_between_slabs_is_found_by_correlation_as_it_is_recorded():
    texture = np.random.default_rng(3).standard_normal((44, 96, 96))
    tissue = 2000.0 * gaussian_filter(texture, (1.0, 1.5, 1.5), mode="wrap").astype(np.float32)
    slabs = (SlabStep(0, (0.0, 0.0)), SlabStep(20, (1.2, -0.8)))
    window = np.outer(np.hanning(80), np.hanning(80))
    a, b = (
        window * scanned(3, tissue, SPACING_MM, each).astype(float)[:, 8:-8, 8:-8]
        for each in (STILL, replace(STILL, slabs=slabs))
    )
    found = [
        phase_cross_correlation(after, before, upsample_factor=20, normalization=None)[0]
        for before, after in zip(a, b, strict=True)
    ]
    assert np.mean(found[:20], axis=0) == pytest.approx([0.0, 0.0], abs=0.01)
    # What enters at the edge pulls the peak by a fraction of a pixel.
    assert np.mean(found[20:], axis=0) == pytest.approx([-0.8 / 0.4, 1.2 / 0.4], abs=0.15)


def test_motion_widens_the_artery_along_its_direction_and_leaves_it_in_place():
    axis, _ = curve_through(np.column_stack([np.zeros(500), np.zeros(500), 0.1 * np.arange(500)]))
    lumen = Lumen(axis, np.full((200, 72), 1.5), 0.2, ())
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = SPACING_MM[::-1]
    matrix[:, 3] = [-16.0, -16.0, 0.0, 1.0]
    x = -16.0 + 0.4 * np.arange(81)
    tube = np.broadcast_to(np.hypot(x[:, None], x) < 1.5, (100, 81, 81))
    hu = np.where(tube, 400.0, 0.0).astype(np.float32)
    grid = Volume(hu, matrix)
    motion = VesselMotion(15.0, 35.0, (0.6, 0.8, 0.0), 2.0)
    box, moved = moving_part(hu, grid, lumen, motion)
    after = hu.copy()
    after[box] = moved
    along = 0.6 * x + 0.8 * x[:, None]
    across = 0.8 * x - 0.6 * x[:, None]

    def spread(image, place):
        mean = (image * place).sum() / image.sum()
        return mean, (image * (place - mean) ** 2).sum() / image.sum()

    middle, end = after[50], after[4]
    # Five places from -1 to 1 mm: their variance is that of the movement; shifting by fractions of a
    # voxel adds less than a tenth of a square mm.
    places = np.var(np.linspace(-1.0, 1.0, 5))
    assert spread(middle, along)[0] == pytest.approx(0.0, abs=0.02)
    assert spread(middle, along)[1] - spread(hu[50], along)[1] == pytest.approx(places, abs=0.1)
    assert spread(middle, across)[1] == pytest.approx(spread(hu[50], across)[1], abs=0.1)
    np.testing.assert_array_equal(end, hu[4])
