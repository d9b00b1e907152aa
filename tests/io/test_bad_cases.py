"""Each way in which a case can be unusable: the message names file, field, what came, what was expected."""

import json

import numpy as np
import pytest

from coreg.errors import InputError
from coreg.io.case_file import load_case, read_case_file, write_case_file


def circle(radius_mm, count=24, centre=(0.0, 0.0)):
    angle = 2.0 * np.pi * np.arange(count) / count
    return np.column_stack([np.cos(angle), np.sin(angle)]) * radius_mm + np.array(centre)


@pytest.mark.parametrize(
    ("keys", "match"),
    [
        (
            {"pullback.frame_spacng_mm": "0.2"},
            r"unknown key pullback.frame_spacng_mm; did you mean pullback.frame_sp",
        ),
        ({"pullback.ostium": "[0, 0, 0]"}, r"unknown key pullback.ostium; did you mean ccta.ostium\?"),
        ({"paitent": '"P"'}, r"unknown key paitent; did you mean patient\?"),
        ({"ccta.xyzzy": "1"}, "unknown key ccta.xyzzy; known here are ccta.image, ccta.lumen"),
        ({"cctaa.lumen": '"x"'}, r"unknown key cctaa; did you mean ccta\?"),
        ({"id": '"../up"'}, "id: found '../up', expected 1 to 64 of the characters"),
        ({"id": '"a\\n"'}, r"id: found 'a\\n', expected 1 to 64"),
        ({"id": '"' + "a" * 65 + '"'}, "expected 1 to 64 of the characters"),
        ({"id": None}, "id: found nothing, expected the key id"),
        ({"id": "7"}, "id: found 7, expected string"),
        ({"ccta.lumen": '""'}, "ccta.lumen: found '', expected text that is not empty"),
        ({"ccta.lumen": '"a\\u0000b"'}, r"ccta.lumen: found .*, expected .* names of at most 255 bytes"),
        (
            {"ccta.lumen": '"' + "ü" * 200 + '"'},
            "ccta.lumen: found .*, expected .* names of at most 255 bytes",
        ),
        ({"ccta.lumen": '"~nobody-4711/a"'}, "ccta.lumen: found .*, expected a path in a home folder"),
        ({"ccta.ostium": "[1, 2]"}, "ccta.ostium"),
        ({"ccta.ostium": "[1, 2, nan]"}, r"ccta.ostium\[2\]: found nan, expected .*finite"),
        ({"ccta.ostium": '"here"'}, "ccta.ostium: found 'here'"),
        ({"pullback.modality": '"oct"'}, "pullback.modality: found 'oct', expected 'OCT' or 'IVUS'"),
        ({"pullback.view": '"distal"'}, "pullback.view: found 'distal', expected 'looking-distal' or"),
        ({"pullback.first_frame": "0"}, "pullback.first_frame: found 0, expected 'distal' or 'proximal'"),
        (
            {"pullback.frame_spacing_mm": "0"},
            "pullback.frame_spacing_mm: found 0, expected greater than or equal",
        ),
        ({"pullback.frame_spacing_mm": "nan"}, "pullback.frame_spacing_mm: found nan, expected"),
        (
            {"pullback.frame_spacing_mm": "20"},
            "pullback.frame_spacing_mm: found 20, expected less than or equal to 5",
        ),
        ({"pullback.frame_spacing_mm": '"0.2"'}, "pullback.frame_spacing_mm: found '0.2', expected number"),
        ({"pullback.frame_spacing_mm": "true"}, "pullback.frame_spacing_mm: found True"),
        ({"pullback.pixel_spacing_mm": "1.0"}, "pullback.pixel_spacing_mm: found 1.0, expected"),
        ({"pullback.exclude": '[[1, "a"]]'}, r"pullback.exclude\[0\]"),
        ({"pullback.exclude": "3"}, "pullback.exclude: found 3, expected a list in square brackets"),
        ({"pullback.catheter_px": "128"}, "pullback.catheter_px: found 128, expected a list in square"),
        ({"landmarks": '"a.csv"'}, "landmarks: found 'a.csv', expected a table"),
        ({"landmarks.file": "3"}, "landmarks.file: found 3"),
    ],
)
def test_a_wrong_key_or_value_is_named(case_folder, keys, match):
    path = case_folder.write(keys)
    with pytest.raises(InputError, match=match) as caught:
        read_case_file(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("id = ", "broken TOML"),
        ("", "an empty file"),
        (b"DICM\xff\xfe", r"found a byte that is not UTF-8 at offset 4, expected a case.toml .*coreg init"),
        ('id = "P"', r"ccta: found nothing, expected the table \[ccta\]"),
    ],
)
def test_a_broken_case_file_is_refused(case_folder, content, match):
    with pytest.raises(InputError, match=match):
        read_case_file(case_folder.text("case.toml", content))


def test_a_missing_case_file_is_named(tmp_path):
    for path in (tmp_path, tmp_path / "case.toml"):
        with pytest.raises(InputError, match=r"case.toml: found no such file"):
            read_case_file(path)


def test_a_bad_case_is_not_written(tmp_path):
    with pytest.raises(InputError, match=r"unknown key pullback.vew"):
        write_case_file(tmp_path / "case.toml", {"id": "P", "ccta": {}, "pullback": {"vew": "x"}})
    assert not list(tmp_path.iterdir())


LINE = {
    "type": "Curve",
    "coordinateSystem": "LPS",
    "controlPoints": [{"position": [0, 0, z]} for z in (0, 9)],
}
TWO_LINES = json.dumps({"markups": [LINE, LINE]})


@pytest.mark.parametrize(
    ("keys", "files", "match"),
    [
        ({"ccta.lumen": '"gone.nii.gz"'}, {}, r"ccta.lumen: .*gone.nii.gz: found no such file"),
        ({"ccta.lumen": '"."'}, {}, "ccta.lumen: .*found a folder"),
        ({"ccta.lumen": '"x.png"'}, {"x.png": "x"}, "ccta.lumen: .*ending in '.png'"),
        (
            {"ccta.lumen": None, "ccta.image": '"lumen.nii.gz"'},
            {},
            "ccta.image: .*lumen.nii.gz: voxels: found .* HU",
        ),
        ({"ccta.lumen": None}, {}, "ccta.lumen: found no lumen"),
        ({"ccta.image": '"gone.dcm"'}, {}, "gone.dcm: ccta.image: found no such file or folder"),
        (
            {"ccta.centerline": None},
            {},
            "ccta.ostium and ccta.distal: found nothing, .* there is no centerline",
        ),
        ({"ccta.centerline": None, "ccta.ostium": "[0,0,0]"}, {}, "ccta.distal: found nothing"),
        ({"ccta.centerline": '"l.mrk.json"'}, {"l.mrk.json": TWO_LINES}, "the centerline has 2 lines"),
        ({"ccta.ostium": "[0, 0, 900]"}, {}, "ccta.ostium: found .*, 880 mm outside the lumen's box"),
        ({"pullback.lumen": '"gone.csv"'}, {}, "pullback.lumen: .*gone.csv: found no such file"),
        (
            {"pullback.lumen": None, "pullback.image": '"line.csv"'},
            {},
            "pullback.image: .*found a file ending in '.csv', expected a DICOM file, a folder of frames",
        ),
        (
            {"pullback.lumen": None},
            {},
            "pullback.lumen: found no lumen, expected pullback.lumen, .* or pullback.image",
        ),
        (
            {"pullback.frame_spacing_mm": None},
            {},
            "pullback.frame_spacing_mm: found nothing, expected the distance",
        ),
        ({"pullback.catheter_mm": "[4.5, 4.5]"}, {}, "contours.csv is already counted from the catheter"),
        ({"pullback.exclude": '[[4, 2, "x"]]'}, {}, r"pullback.exclude\[0\]: found \[4, 2, 'x'\]"),
        ({"pullback.exclude": '[[40, 50, "x"]]'}, {}, "found frames 40 to 50, expected .* which has 0 to 9"),
        ({"pullback.exclude": '[[0, 50, "x"]]'}, {}, "pullback.exclude: found every frame with a contour"),
        ({"landmarks.file": '"gone.csv"'}, {}, "landmarks.file: .*gone.csv: found no such file"),
        ({"pullback.eem": '"lumen.nii.gz"'}, {}, "pullback.eem: found the label stack"),
    ],
)
def test_a_case_that_cannot_be_used_is_refused(case_folder, keys, files, match):
    for name, content in files.items():
        case_folder.text(name, content)
    case_folder.write(keys)
    with pytest.raises(InputError, match=match):
        load_case(case_folder.path)


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([(k, 1.0) for k in range(10)], "found 10 equal positions, expected positions that differ"),
        ([(k, 100.0 * k) for k in range(10)], r"positions.csv\): found steps of 100 mm over 900 mm"),
        ([(k, 1e-5 * k) for k in range(10)], "found steps of 1e-05 mm"),
        ([(k, 0.2 * k) for k in range(8)], "no position of frame 8 .*, nor of 1 more"),
        ([(k, "nan") for k in range(10)], "column position_mm: found 'nan', expected a finite number"),
        ([(k, "") for k in range(10)], "column position_mm: found an empty cell"),
        ([(k // 2, k) for k in range(20)], "column frame: found '0', expected each frame once"),
    ],
)
def test_absurd_positions_are_refused(case_folder, rows, match):
    case_folder.text("positions.csv", "\n".join(["frame,position_mm", *(f"{a},{b}" for a, b in rows)]))
    case_folder.write({"pullback.positions": '"positions.csv"'})
    with pytest.raises(InputError, match=match):
        load_case(case_folder.path)


@pytest.mark.parametrize(
    ("contours", "match"),
    [
        ({0: circle(1.5)}, "found 1 frame, expected a pullback of at least 2 frames"),
        (
            {0: circle(150.0), 1: circle(150.0)},
            "median lumen radius of 14.* expected 0.3 to 6.0 mm; are the units",
        ),
        ({0: circle(0.01), 1: circle(0.01)}, "median lumen radius of 0.0"),
        (
            {0: circle(1.5, centre=(20, 0)), 1: circle(1.5, centre=(20, 0))},
            "pullback.catheter_mm: found a catheter 18.5 mm from the nearest contour",
        ),
    ],
)
def test_contours_that_are_no_coronary_lumen_are_refused(case_folder, contours, match):
    case_folder.contours(contours)
    case_folder.write()
    with pytest.raises(InputError, match=match):
        load_case(case_folder.path)


def test_no_lumen_contour_at_all_is_said(case_folder):
    case_folder.contours({0: circle(2.0), 1: circle(2.0)}, kind="eem")
    case_folder.write()
    with pytest.raises(InputError, match=r"pullback.lumen .*found no lumen contour at all"):
        load_case(case_folder.path)


def test_holorama_contours_need_the_catheter(case_folder):
    case_folder.text("h.csv", "\n".join(f"{f}\t{x}\t{y}\t0" for f in (1, 2) for x, y in circle(1.5)))
    case_folder.write({"pullback.lumen": '"h.csv"'})
    with pytest.raises(
        InputError, match=r"pullback.catheter_mm: found nothing, expected the catheter's x and y"
    ):
        load_case(case_folder.path)


@pytest.mark.parametrize(
    ("keys", "stack", "match"),
    [
        ({}, {"spacing": (1.0, 1.0, 1.0)}, r"pullback.pixel_spacing_mm: found \[1.0, 1.0\] mm"),
        (
            {"pullback.pixel_spacing_mm": "0.05"},
            {"spacing": (1.0, 1.0, 1.0)},
            "frame_spacing_mm: found a third spacing",
        ),
        ({}, {"spacing": (0.05, 0.05, 12.0)}, "frame_spacing_mm: found a third spacing of 12"),
        ({}, {"shape": (1, 80, 90)}, "found 1 frame"),
        (
            {"pullback.catheter_px": "[200, 10]"},
            {},
            r"pullback.catheter_px: found \[200.0, 10.0\], .*90 columns",
        ),
        ({"pullback.catheter_mm": "[2, 2]"}, {}, "pullback.catheter_mm: .* expected catheter_px"),
        (
            {"pullback.eem": '"lumen.nii.gz"'},
            {},
            r"pullback.eem: found size \(41, 20, 20\), expected .*\(6, 80, 90\)",
        ),
        (
            {"landmarks.file": '"l.csv"'},
            {},
            "landmark D1, frame: found 6, expected a frame of the pullback, 0 to 5",
        ),
    ],
)
def test_a_label_stack_that_cannot_be_used_is_refused(case_folder, keys, stack, match):
    case_folder.stack(**stack)
    case_folder.text("l.csv", "id,frame,angle_deg,x_mm,y_mm,z_mm\nD1,6,90,0,0,1\n")
    case_folder.write({"pullback.lumen": '"stack.nii.gz"', "pullback.frame_spacing_mm": None, **keys})
    with pytest.raises(InputError, match=match):
        load_case(case_folder.path)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (
            [(500, 0, 0), (500, 0, 9)],
            r"line.csv: ccta.centerline: found no point within the lumen's box.*another patient",
        ),
        ([(0, 0, -90), (0, 0, -80)], "another patient"),
        ([(0, 0, 0)], "found 1 distinct point"),
        ([(0, "nan", 0), (0, 0, 1)], "column y_mm: found 'nan'"),
    ],
)
def test_a_centerline_elsewhere_is_refused(case_folder, line, match):
    case_folder.text("line.csv", "\n".join(["x_mm,y_mm,z_mm", *(",".join(map(str, p)) for p in line)]))
    case_folder.write()
    with pytest.raises(InputError, match=match):
        load_case(case_folder.path)


def test_a_centerline_in_ras_is_recognised(case_folder):
    import SimpleITK as sitk

    image = sitk.ReadImage(str(case_folder.path / "lumen.nii.gz"))
    image.SetOrigin((60.0, -80.0, 0.0))
    sitk.WriteImage(image, str(case_folder.path / "lumen.nii.gz"))
    case_folder.text("line.csv", "x_mm,y_mm,z_mm\n-65,75,0\n-65,75,20\n")
    case_folder.write()
    with pytest.raises(InputError, match="with x and y negated it would: one of the two is in RAS"):
        load_case(case_folder.path)


def test_an_absurd_voxel_is_refused(case_folder):
    import SimpleITK as sitk

    image = sitk.ReadImage(str(case_folder.path / "lumen.nii.gz"))
    image.SetSpacing((0.0005, 0.0005, 0.0005))
    sitk.WriteImage(image, str(case_folder.path / "lumen.nii.gz"))
    case_folder.write()
    with pytest.raises(InputError, match=r"lumen.nii.gz: spacing: found .* mm, expected 0.05 to 5.0 mm"):
        load_case(case_folder.path)


def test_an_open_surface_is_refused(case_folder):
    pyvista = pytest.importorskip("pyvista")
    pyvista.Cylinder(radius=3.0, height=10.0, capping=False).triangulate().save(case_folder.path / "open.stl")
    case_folder.write({"ccta.lumen": '"open.stl"'})
    with pytest.raises(InputError, match=r"open edges, .* expected a closed surface; cap its ends first"):
        load_case(case_folder.path)
