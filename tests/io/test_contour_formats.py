import numpy as np
import pytest

from coreg.contours import area_mm2, centroid_mm
from coreg.errors import InputError
from coreg.io.contour_formats import (
    contours_about_catheter,
    label_stack_contours,
    read_contours,
    write_contours,
)
from coreg.volume import Volume


def circle(radius_mm, count=24, centre=(0.0, 0.0)):
    angle = 2.0 * np.pi * np.arange(count) / count
    return np.column_stack([np.cos(angle), np.sin(angle)]) * radius_mm + np.array(centre)


def stack_of(*masks):
    return Volume(np.array(masks, dtype=np.uint8), np.eye(4))


def disk(radius_px, centre=(40.0, 30.0), shape=(70, 80)):
    row, column = np.mgrid[: shape[0], : shape[1]]
    return (column - centre[0]) ** 2 + (row - centre[1]) ** 2 <= radius_px**2


def outlines(*masks, catheter=(40.0, 30.0), spacing=(1.0, 1.0)):
    return label_stack_contours(
        stack_of(*masks), catheter_px=np.array(catheter), pixel_spacing_mm=np.array(spacing)
    )


@pytest.mark.parametrize("mark", ["\t", ",", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_holorama_counts_frames_from_one_and_flips_y(tmp_path, mark, end):
    rows = [
        (3, 4.5, 5.0, 7.0),
        (3, 5.0, 4.5, 7.0),
        (3, 4.5, 4.0, 7.0),
        (1, 5, 5, 0),
        (1, 6, 5, 0),
        (1, 5, 6, 0),
    ]
    (tmp_path / "c.csv").write_bytes((end.join(mark.join(map(str, row)) for row in rows) + end).encode())
    file = read_contours(tmp_path / "c.csv")
    assert not file.about_catheter
    assert file.z_mm == {0: 0.0, 2: 7.0}
    lumen = contours_about_catheter(file.contours["lumen"], np.array([4.5, 4.5]))
    assert sorted(lumen) == [0, 2]
    # Above the catheter in HolOrama's y is at smaller rows of the image.
    np.testing.assert_allclose(lumen[2], [[0.0, -0.5], [0.5, 0.0], [0.0, 0.5]])


def test_contours_csv_survives_and_points_come_in_their_order(tmp_path):
    kinds = {"lumen": {4: circle(1.0), 2: circle(2.0)}, "eem": {4: circle(3.0)}}
    write_contours(tmp_path / "c.csv", kinds)
    header, *rows = (tmp_path / "c.csv").read_text().splitlines()
    assert header == "frame,kind,point,x_mm,y_mm"
    (tmp_path / "shuffled.csv").write_text("\n".join([header, *sorted(rows, key=lambda row: row[::-1])]))
    for name in ("c.csv", "shuffled.csv"):
        file = read_contours(tmp_path / name)
        assert file.about_catheter
        assert {kind: sorted(each) for kind, each in file.contours.items()} == {"lumen": [2, 4], "eem": [4]}
        np.testing.assert_allclose(file.contours["lumen"][2], circle(2.0), atol=1e-9)


HEADER = "frame,kind,point,x_mm,y_mm\n"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (" \n", "no contour at all"),
        (HEADER, "a header without rows"),
        (
            HEADER + "0,lumen,0,1,1\n0,lumen,1,2,1\n",
            r"frame 0 \(from 0\): found a contour needs three distinct",
        ),
        (HEADER + "0,lumen,0,1,1\n0,lumen,0,2,1\n0,lumen,1,2,2\n", "line 3, column point: found '0'"),
        (HEADER + "0,lumne,0,1,1\n", "column kind: found 'lumne', expected lumen or eem"),
        (HEADER + "1.5,lumen,0,1,1\n", "column frame: found '1.5'"),
        (HEADER + "0,lumen,0,,1\n", "column x_mm: found an empty cell"),
        (HEADER + "0,lumen,0,1,1\n0,lumen,1,2,2\n0,lumen,2,3,3\n", "must enclose an area"),
        ("frame;x\n1;2\n", "column kind"),
        ("0\t1\t1\t0\n", "expected a whole number from 1"),
        ("1.5\t1\t1\t0\n", "expected a whole number from 1"),
        ("1\tnan\t1\t0\n", "contour point 1: found .*expected finite"),
        ("1\t1\t1\t0\n1\tx\t1\t0\n", r"line 2: found '1\\tx\\t1\\t0'"),
        ("1\t1\t1\t0\n1\t2\n", "line 2: found 2 numbers, expected 4 numbers"),
        ("1\t1\n2\t2\n", "found 2 columns"),
        ("1\t1\t1\t0\n1\t2\t1\t0\n", r"frame 0 \(from 0\): found a contour needs three"),
        ("1\t1,5\t1,5\t0\n", "line 1: found"),
    ],
)
def test_broken_contours_are_refused(tmp_path, content, match):
    (tmp_path / "c.csv").write_text(content)
    with pytest.raises(InputError, match=match):
        read_contours(tmp_path / "c.csv")


def test_outline_of_a_label_has_the_area_and_the_place_of_its_pixels():
    mask = disk(12.0, centre=(46.0, 27.0))
    (contour,) = outlines(mask, spacing=(0.05, 0.1)).values()
    # The half level cuts each step of the staircase at its corner: about half a percent at 12 pixels.
    assert area_mm2(contour) == pytest.approx(mask.sum() * 0.05 * 0.1, rel=0.02)
    np.testing.assert_allclose(centroid_mm(contour), [6.0 * 0.05, -3.0 * 0.1], atol=1e-3)


def test_a_label_at_the_image_edge_is_closed_there():
    contour = outlines(disk(12.0, centre=(2.0, 30.0)))[0]
    assert contour[:, 0].min() == pytest.approx(-40.5)


def test_of_several_pieces_the_one_around_the_catheter_counts():
    small, large = disk(5.0), disk(10.0, centre=(60.0, 55.0))
    contour = outlines(small | large)[0]
    np.testing.assert_allclose(centroid_mm(contour), [0.0, 0.0], atol=0.05)


def test_else_the_nearest_piece_counts_but_no_speck():
    near, far, speck = disk(6.0, (52.0, 30.0)), disk(9.0, (20.0, 55.0)), disk(0.5, (43.0, 30.0))
    contour = outlines(near | far | speck)[0]
    np.testing.assert_allclose(centroid_mm(contour), [12.0, 0.0], atol=0.05)


def test_a_hole_around_the_catheter_does_not_hide_the_lumen():
    contour = outlines(disk(15.0) & ~disk(4.0))[0]
    assert np.sqrt(area_mm2(contour) / np.pi) == pytest.approx(15.0, rel=0.02)


def test_frames_without_label_have_no_contour():
    nothing = np.zeros((70, 80), dtype=bool)
    assert sorted(outlines(nothing, disk(8.0), nothing, disk(9.0))) == [1, 3]
