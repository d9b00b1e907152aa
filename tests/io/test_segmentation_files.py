"""A bent tube with a branch, calcium and a doubtful stretch, written and read back."""

import csv
import json

import numpy as np
import pytest
import SimpleITK as sitk

from coreg.ccta_vessel import CctaVessel
from coreg.centerline import Centerline, VesselTree
from coreg.errors import InputError
from coreg.io.centerlines import read_centerlines
from coreg.io.landmark_files import read_ccta_side_branches
from coreg.io.result_folder import replaced_folder
from coreg.io.segmentation_files import (
    VesselShapes,
    read_ccta_segmentation,
    read_ccta_tree,
    write_ccta_segmentation,
    write_ccta_tree,
)
from coreg.landmarks import SideBranch
from coreg.surface import Surface
from coreg.volume import Volume

COUNT, ANGLES = 61, 36
TETRAHEDRON = Surface(np.eye(4, 3), np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]]))


def bent_line(radius_mm=1.5):
    """A quarter of a circle of radius 20 mm about (20, 0, 0), from the origin along +z."""
    turn = np.linspace(0.0, 0.5 * np.pi, COUNT)
    points = np.column_stack([20.0 - 20.0 * np.cos(turn), 0.0 * turn, 20.0 * np.sin(turn)])
    return Centerline(points, np.full(COUNT, radius_mm))


@pytest.fixture
def vessel():
    rng = np.random.default_rng(5)
    lumen = 1.5 + 0.1 * rng.random((COUNT, ANGLES))
    calcium = np.zeros((COUNT, ANGLES))
    calcium[20:30, 2:8] = 0.6
    reason = tuple("calcium hides the lumen" if 20 <= i < 30 else "" for i in range(COUNT))
    branch = SideBranch("D1", np.array([1.5, 0.0, 10.0]), 10.2, 0.8, probability=0.9, direction=np.eye(3)[1])
    course = Centerline([[0.5, 0.0, 10.0], [1.5, 3.0, 10.0], [1.5, 6.0, 11.0]], np.array([0.9, 0.8, 0.7]))
    quality = np.where(np.array(reason) == "", 0.9, 0.2)
    return CctaVessel(
        bent_line(),
        lumen,
        lumen + 0.8,
        calcium,
        quality,
        reason,
        0.5 * quality,
        (branch,),
        (course,),
        {"ostium": 0.7, "distal": 1.2},
        ("the distal click was moved by 1.2 mm",),
    )


@pytest.fixture
def shapes():
    values = np.zeros((5, 6, 7), np.uint8)
    values[2, 3, 4] = 1
    matrix = np.array([[0, 0, 0.4, -3], [0, 0.4, 0, 2], [0.5, 0, 0, 9], [0, 0, 0, 1]])
    label = Volume(values, matrix)
    return VesselShapes(label, label, label, TETRAHEDRON)


@pytest.fixture
def folder(vessel, shapes, tmp_path):
    write_ccta_segmentation(tmp_path, vessel, shapes, case_id="P1", made={"coreg": "1"})
    return tmp_path


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_vessel_is_read_back_as_it_was(folder, vessel):
    again = read_ccta_segmentation(folder)
    np.testing.assert_allclose(again.centerline.points_mm, vessel.centerline.points_mm, atol=1e-8)
    np.testing.assert_allclose(again.centerline.radius_mm, vessel.centerline.radius_mm, atol=1e-8)
    for name in ("lumen_radius_mm", "wall_radius_mm", "calcium_mm", "quality", "wall_quality"):
        np.testing.assert_allclose(getattr(again, name), getattr(vessel, name), atol=5.1e-5)
    assert (again.reason, again.notes, again.moved_mm) == (vessel.reason, vessel.notes, vessel.moved_mm)
    np.testing.assert_allclose(again.branch_lines[0].points_mm, vessel.branch_lines[0].points_mm, atol=1e-8)


def test_the_section_table_has_a_row_for_every_ray(folder, vessel):
    rows = rows_of(folder / "ccta_sections.csv")
    assert len(rows) == COUNT * ANGLES
    assert {float(row["angle_deg"]) for row in rows} == set(range(0, 360, 10))
    at = rows[25 * ANGLES + 4]
    assert float(at["calcium_mm"]) == 0.6
    assert float(at["arc_length_mm"]) == pytest.approx(25 / 60 * 10.0 * np.pi, abs=1e-3)


def test_calcium_is_listed_by_deposit(folder):
    (row,) = rows_of(folder / "ccta_calcium.csv")
    assert float(row["start_mm"]) == pytest.approx(20 / 60 * 10.0 * np.pi, abs=1e-2)
    assert (float(row["angle_deg"]), float(row["extent_deg"])) == (45.0, 60.0)


def test_side_branches_keep_their_direction(folder):
    (branch,) = read_ccta_side_branches(folder / "ccta_side_branches.csv")
    assert (branch.id, branch.probability) == ("D1", 0.9)
    np.testing.assert_array_equal(branch.direction, [0.0, 1.0, 0.0])


def test_the_centerline_serves_a_case_as_csv_and_as_vtp(folder, vessel):
    pytest.importorskip("vtkmodules")
    for name in ("centerline.csv", "centerline.vtp"):
        (line,) = read_centerlines(folder / name).lines
        # VTK keeps double precision; nine decimals are written as text.
        np.testing.assert_allclose(line.points_mm, vessel.centerline.points_mm, atol=1e-8)
        np.testing.assert_allclose(line.radius_mm, 1.5, atol=1e-8)


def test_labels_lie_on_their_grid(folder, shapes):
    for name in ("ccta_lumen", "ccta_vessel", "ccta_wall"):
        image = sitk.ReadImage(str(folder / f"{name}.nii.gz"))
        assert image.GetPixelIDTypeAsString() == "8-bit unsigned integer"
        point = image.TransformIndexToPhysicalPoint((4, 3, 2))
        np.testing.assert_allclose(point, shapes.lumen.to_world(np.array([2.0, 3.0, 4.0])), atol=1e-5)
        assert image[4, 3, 2] == 1


def test_the_json_says_whose_it_is_what_for_and_how_made(folder):
    content = json.loads((folder / "segmentation.json").read_text())
    assert content["case_id"] == "P1"
    assert content["use"] == "for research use only"
    assert content["moved_mm"] == {"ostium": 0.7, "distal": 1.2}
    assert content["marked_share"] == pytest.approx(10 / COUNT)
    assert content["length_mm"] == pytest.approx(10.0 * np.pi, abs=0.01)
    assert content["provenance"] == {"coreg": "1"}


def test_a_vessel_without_branches_is_read_back(vessel, shapes, tmp_path):
    line = vessel.centerline
    plain = CctaVessel(
        line,
        vessel.lumen_radius_mm,
        vessel.wall_radius_mm,
        0.0 * vessel.calcium_mm,
        vessel.quality,
        vessel.reason,
        vessel.wall_quality,
    )
    write_ccta_segmentation(tmp_path, plain, shapes, case_id="P1", made={})
    again = read_ccta_segmentation(tmp_path)
    assert again.side_branches == again.branch_lines == ()
    assert not rows_of(tmp_path / "ccta_calcium.csv")


def test_files_that_do_not_belong_together_are_refused(folder):
    path = folder / "ccta_sections.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-5]))
    with pytest.raises(InputError, match=f"ccta_sections.csv: found {COUNT * ANGLES - 5} rows, expected"):
        read_ccta_segmentation(folder)


def test_another_schema_is_refused(folder):
    path = folder / "segmentation.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 7'))
    with pytest.raises(InputError, match="schema_version: found 7, expected 1"):
        read_ccta_segmentation(folder)


def test_a_segmentation_of_the_same_case_is_replaced_and_of_another_refused(folder):
    with pytest.raises(InputError, match="a result of case P1"), replaced_folder(folder, "P2"):
        pass
    with replaced_folder(folder, "P1"):
        pass
    assert not list(folder.iterdir())


def test_a_tree_keeps_its_lines(tmp_path):
    tree = VesselTree((bent_line(1.5), Centerline([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]], np.array([1.0, 0.5]))))
    write_ccta_tree(tmp_path, tree, case_id="P1", made={})
    for lines in (read_ccta_tree(tmp_path / "tree.csv").lines, read_centerlines(tmp_path / "tree.vtp").lines):
        assert len(lines) == 2
        np.testing.assert_allclose(lines[1].points_mm, [[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]], atol=1e-8)
        np.testing.assert_allclose(lines[1].radius_mm, [1.0, 0.5], atol=1e-8)


def test_hashes_of_dicom_folders_do_not_depend_on_names(tmp_path):
    from coreg.io.results import sha256_of_folder

    for folder, names in (("a", ("1.dcm", "2.dcm")), ("b", ("Doe^Jane", "x"))):
        (tmp_path / folder).mkdir()
        for i, name in enumerate(names):
            (tmp_path / folder / name).write_bytes(
                bytes(128) + b"DICM" + bytes([1 - i if folder == "b" else i])
            )
    (tmp_path / "b" / "notes.txt").write_text("not DICOM")
    first, second = (sha256_of_folder(tmp_path / each) for each in "ab")
    assert first == second
    (tmp_path / "b" / "x").write_bytes(bytes(128) + b"DICM" + b"changed")
    assert sha256_of_folder(tmp_path / "b") != first
