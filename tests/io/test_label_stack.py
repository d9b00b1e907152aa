import numpy as np
import pytest

from coreg.io.label_stack import write_label_stack
from coreg.io.volumes import read_volume


def frames(count, shape=(5, 7)):
    rng = np.random.default_rng(2)
    return [rng.integers(0, 2, shape, dtype=np.uint8) for _ in range(count)]


def test_a_stack_reads_back_as_it_was_written(tmp_path):
    given = frames(4)
    write_label_stack(tmp_path / "s.nii.gz", iter(given), shape=(4, 5, 7), spacing_mm=(0.2, 0.03, 0.02))
    volume = read_volume(tmp_path / "s.nii.gz")
    np.testing.assert_array_equal(volume.values, np.array(given))
    expected = np.zeros((4, 4))
    # World x along columns, y along rows, z along frames.
    expected[0, 2], expected[1, 1], expected[2, 0], expected[3, 3] = 0.02, 0.03, 0.2, 1.0
    np.testing.assert_allclose(volume.index_to_world, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (frames(3), "there must be 4 frames, got 3"),
        (frames(4, (5, 6)), r"frame 0 must be uint8 of shape \(5, 7\), got uint8 \(5, 6\)"),
        ([each.astype(bool) for each in frames(4)], "frame 0 must be uint8"),
    ],
)
def test_frames_that_do_not_fit_leave_no_file(tmp_path, given, match):
    with pytest.raises(ValueError, match=match):
        write_label_stack(tmp_path / "s.nii.gz", given, shape=(4, 5, 7), spacing_mm=(0.2, 0.03, 0.02))
    assert list(tmp_path.iterdir()) == []
