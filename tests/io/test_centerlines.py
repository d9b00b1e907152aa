import json

import numpy as np
import pytest

from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.io.centerlines import RADIUS_ARRAY, read_centerlines, write_centerline_csv


def markups(**changes):
    curve = {
        "type": "Curve",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "controlPoints": [{"position": [float(i), 2.0, 3.0]} for i in range(4)],
        **changes,
    }
    return json.dumps({"markups": [{"type": "Fiducial"}, curve]})


def test_a_csv_line_survives(tmp_path):
    points = np.array([[1.0, 2, 3], [1.25, 2, 4], [1.5, 2.5, 5.125]])
    line = Centerline(points, np.array([1.5, 1.25, 1.0]), ostium_mm=1.0)
    write_centerline_csv(tmp_path / "l.csv", line)
    (read,) = read_centerlines(tmp_path / "l.csv").lines
    np.testing.assert_allclose(read.points_mm, points, atol=1e-9)
    np.testing.assert_allclose(read.radius_mm, line.radius_mm, atol=1e-9)


def test_repeated_points_are_merged(tmp_path):
    (tmp_path / "l.csv").write_text("x_mm,y_mm,z_mm\n0,0,0\n0,0,0\n0,0,1\n0,0,1\n0,0,2\n")
    (read,) = read_centerlines(tmp_path / "l.csv").lines
    np.testing.assert_array_equal(read.points_mm[:, 2], [0.0, 1.0, 2.0])
    assert read.radius_mm is None


@pytest.mark.parametrize(("space", "sign"), [("LPS", 1.0), ("RAS", -1.0), (0, -1.0), (1, 1.0)])
def test_slicers_curves_come_in_the_system_that_they_state(tmp_path, space, sign):
    radius = [{"name": "Radius", "controlPointValues": [4.0, 3.0, 2.0, 1.0]}]
    (tmp_path / "c.mrk.json").write_text(markups(coordinateSystem=space, measurements=radius))
    (read,) = read_centerlines(tmp_path / "c.mrk.json").lines
    np.testing.assert_allclose(read.points_mm[3], [sign * 3.0, sign * 2.0, 3.0])
    np.testing.assert_allclose(read.radius_mm, [4.0, 3.0, 2.0, 1.0])


def test_vtp_lines_come_with_their_radius(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    data = pyvista.PolyData()
    data.points = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, 2], [1, 0, 2]])
    data.lines = np.array([3, 0, 1, 2, 3, 0, 1, 3])
    data.point_data[RADIUS_ARRAY] = np.array([2.0, 1.5, 1.0, 0.5])
    data.save(tmp_path / "l.vtp")
    first, second = read_centerlines(tmp_path / "l.vtp").lines
    np.testing.assert_allclose(first.radius_mm, [2.0, 1.5, 1.0])
    np.testing.assert_allclose(second.points_mm[-1], [1.0, 0.0, 2.0])
    np.testing.assert_allclose(second.radius_mm, [2.0, 1.5, 0.5])


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("l.csv", "x_mm,y_mm,z_mm\n0,0,0\n", "found 1 distinct point, expected at least two"),
        ("l.csv", "x_mm,y_mm,z_mm\n0,0,0\n0,0,0\n", "1 distinct point"),
        ("l.csv", "x_mm,y_mm,z_mm\n0,0,0\n0,nan,1\n", "column y_mm: found 'nan'"),
        ("l.csv", "x,y,z\n0,0,0\n0,0,1\n", "column x_mm"),
        ("c.mrk.json", "{", "broken JSON"),
        ("c.mrk.json", "[]", "markups: found none"),
        ("c.mrk.json", '{"markups": [{"type": "Fiducial"}]}', "at least one of type 'Curve'"),
        (
            "c.mrk.json",
            markups(coordinateSystem=None),
            "coordinateSystem: found None, expected 'LPS' or 'RAS'",
        ),
        ("c.mrk.json", markups(coordinateUnits="cm"), "coordinateUnits: found 'cm'"),
        ("c.mrk.json", markups(controlPoints=[{"position": [1, 2]}]), r"controlPoints\[0\].position"),
        ("c.mrk.json", markups(controlPoints=[{"position": [1, 2, 3]}]), "1 distinct point"),
        ("c.mrk.json", markups(controlPoints=[]), "0 distinct points"),
        ("c.mrk.json", markups().replace("2.0", "NaN"), "point 0: found .*nan"),
        ("l.vtp", "<VTKFile>", "expected a VTK XML"),
        ("l.txt", "0 0 0", "ending in '.txt'"),
    ],
)
def test_a_broken_centerline_is_refused(tmp_path, capfd, name, content, match):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=match):
        read_centerlines(tmp_path / name)
    assert capfd.readouterr() == ("", "")


def test_a_vtp_surface_is_no_centerline(tmp_path):
    pyvista = pytest.importorskip("pyvista")
    pyvista.Sphere().save(tmp_path / "s.vtp")
    with pytest.raises(InputError, match="lines: found none"):
        read_centerlines(tmp_path / "s.vtp")
