import numpy as np
import pytest

from coreg.surface import Surface

TETRAHEDRON = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]])


def test_a_surface_keeps_copies_that_are_read_only():
    points = TETRAHEDRON.copy()
    surface = Surface(points, FACES.astype(np.int32))
    points[0] = 5.0
    assert surface.points_mm[0, 0] == 0.0
    assert surface.faces.dtype == np.int64
    for array in (surface.points_mm, surface.faces):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


@pytest.mark.parametrize(
    ("points", "faces", "message"),
    [
        (np.zeros((4, 2)), FACES, r"points_mm must have shape \(V, 3\), got \(4, 2\)"),
        (np.zeros((0, 3)), FACES, r"points_mm must have shape \(V, 3\), got \(0, 3\)"),
        (np.where(np.eye(4, 3) > 0, np.nan, TETRAHEDRON), FACES, r"points_mm\[0\] is not finite"),
        (TETRAHEDRON, np.zeros((2, 4), int), r"faces must have shape \(F, 3\) with F >= 1, got \(2, 4\)"),
        (TETRAHEDRON, np.zeros((0, 3), int), r"F >= 1, got \(0, 3\)"),
        (TETRAHEDRON, FACES + 1, "faces refer to vertices 1 to 4 of 4"),
        (TETRAHEDRON, FACES - 1, "faces refer to vertices -1 to 2 of 4"),
    ],
)
def test_unusable_meshes_are_named(points, faces, message):
    with pytest.raises(ValueError, match=message):
        Surface(points, faces)
