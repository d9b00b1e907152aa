import numpy as np
import pytest

from coreg.segmentation.bending import bending_bands


@pytest.mark.parametrize("count", [3, 4, 9])
def test_bands_are_those_of_the_matrix_of_second_differences(count):
    weight = np.random.default_rng(3).uniform(0.5, 2.0, count - 2)
    differences = np.diff(np.eye(count), n=2, axis=0)
    full = differences.T @ (weight[:, None] * differences)
    for offset, band in enumerate(bending_bands(weight)):
        assert np.allclose(band[: count - offset], np.diag(full, -offset))


def test_straight_sequences_cost_nothing():
    bands = bending_bands(np.ones((8, 2)))
    assert bands.shape == (3, 10, 2)
    # Rows of the symmetric matrix, applied to a straight line.
    line = 3.0 + 2.0 * np.arange(10.0)
    product = bands[0, :, 0] * line
    for offset in (1, 2):
        product[:-offset] += bands[offset, :-offset, 0] * line[offset:]
        product[offset:] += bands[offset, :-offset, 0] * line[:-offset]
    assert np.allclose(product, 0.0)
