"""A segmented pullback with a side branch, calcium and gating, written and read back."""

import csv
import dataclasses
import json

import numpy as np
import pytest
import SimpleITK as sitk
from skimage.measure import grid_points_in_poly

from coreg.contours import area_mm2
from coreg.errors import InputError
from coreg.io.contour_formats import contours_about_catheter, label_stack_contours, read_contours
from coreg.io.pullback_segmentation_files import read_pullback_segmentation, write_pullback_segmentation
from coreg.io.result_folder import replaced_folder
from coreg.io.volumes import read_label
from coreg.landmarks import SideBranch
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages
from coreg.pullback_vessel import BRIDGED, OPEN, CalciumArc, Gating, PullbackVessel

COUNT, ANGLES = 24, 180
PIXEL_MM = np.array([0.02, 0.025])
CATHETER_PX = np.array([140.3, 101.8])
BRANCH_FRAMES = range(8, 13)


def make_vessel(*, gated=True, eem=True):
    rng = np.random.default_rng(11)
    angle = 2.0 * np.pi * np.arange(ANGLES) / ANGLES
    wall = (
        1.4 + 0.2 * np.cos(2.0 * angle + np.arange(COUNT)[:, None] / 5.0) + 0.02 * rng.random((COUNT, ANGLES))
    )
    lumen, state = wall.copy(), np.zeros((COUNT, ANGLES), dtype=np.uint8)
    mouth = np.r_[170:180, 0:15]
    for frame in BRANCH_FRAMES:
        lumen[frame, mouth] += 0.8 * np.sin(np.linspace(0.0, np.pi, len(mouth)))
        state[frame, mouth] = OPEN
    state[:, 60:70] = BRIDGED
    return PullbackVessel(
        lumen_mm=lumen,
        wall_mm=wall,
        eem_mm=np.maximum(wall + 0.5, lumen) if eem else None,
        state=state,
        eem_seen=rng.random((COUNT, ANGLES)) > 0.3 if eem else None,
        quality=np.linspace(1.0, 0.4, COUNT),
        reason=("",) * (COUNT - 2) + ("residual blood, and more",) * 2,
        field_of_view_mm=4.0,
        side_branches=(
            SideBranch("B1", frame=10.0, first_frame=8, last_frame=12, angle_rad=0.04, probability=0.9),
        ),
        calcium=(CalciumArc("C1", 3, 7, np.deg2rad(250.0), np.deg2rad(90.0)),),
        gating=Gating(np.array([2, 9, 17]), 7.4, "diastole", 0.8, rng.normal(size=COUNT)) if gated else None,
        notes=("the heart beat was found in the images",),
    )


def make_pullback(first_frame="distal"):
    steps = np.arange(COUNT) if first_frame == "distal" else np.arange(COUNT)[::-1]
    return Pullback(np.arange(COUNT), 0.2 * steps, {})


def make_images():
    pixels = np.zeros((COUNT, 220, 280), dtype=np.uint8)
    return PullbackImages(
        pixels,
        PIXEL_MM,
        CATHETER_PX,
        "IVUS",
        4.0,
        sources={"pixel_spacing_mm": "the case"},
        notes=("text hidden",),
    )


@pytest.fixture
def write(tmp_path):
    def write(vessel=None, images=None, pullback=None):
        vessel = make_vessel() if vessel is None else vessel
        pullback = make_pullback() if pullback is None else pullback
        write_pullback_segmentation(
            tmp_path, vessel, pullback, images, case_id="P1", made={"version": "1", "seed": 0}
        )
        return tmp_path

    return write


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("eem", [True, False])
def test_a_segmented_pullback_survives_writing_and_reading(write, gated, eem):
    vessel = make_vessel(gated=gated, eem=eem)
    again = read_pullback_segmentation(write(vessel))
    for name in ("lumen_mm", "wall_mm", "eem_mm"):
        if getattr(vessel, name) is None:
            assert getattr(again, name) is None
        else:
            np.testing.assert_allclose(getattr(again, name), getattr(vessel, name), atol=0.6e-4)
    np.testing.assert_array_equal(again.state, vessel.state)
    if eem:
        np.testing.assert_array_equal(again.eem_seen, vessel.eem_seen)
    np.testing.assert_allclose(again.quality, vessel.quality, atol=1e-8)
    assert again.reason == vessel.reason
    assert again.notes == vessel.notes
    assert again.field_of_view_mm == vessel.field_of_view_mm
    assert (again.gating is None) is not gated
    if gated:
        np.testing.assert_array_equal(again.gating.frame, vessel.gating.frame)
        np.testing.assert_allclose(again.gating.signal, vessel.gating.signal, atol=1e-8)
        assert (again.gating.beat_frames, again.gating.phase, again.gating.probability) == (
            7.4,
            "diastole",
            0.8,
        )


def test_side_branches_and_calcium_survive(write):
    vessel, folder = make_vessel(), write()
    again = read_pullback_segmentation(folder)
    (branch,) = again.side_branches
    assert (branch.id, branch.frame, branch.first_frame, branch.last_frame) == ("B1", 10.0, 8.0, 12.0)
    assert branch.angle_rad == pytest.approx(0.04)
    assert branch.probability == 0.9
    (arc,) = again.calcium
    assert (arc.id, arc.first_frame, arc.last_frame) == ("C1", 3, 7)
    # Angles of files are in (-180, 180].
    assert arc.angle_rad == pytest.approx(vessel.calcium[0].angle_rad - 2.0 * np.pi)
    assert arc.extent_rad == pytest.approx(vessel.calcium[0].extent_rad)
    assert rows(folder / "pullback_calcium.csv") == [
        {"id": "C1", "first_frame": "3", "last_frame": "7", "angle_deg": "-110", "extent_deg": "90"}
    ]


def test_a_vessel_without_branches_and_calcium_survives(write):
    plain = dataclasses.replace(make_vessel(), side_branches=(), calcium=())
    again = read_pullback_segmentation(write(plain))
    assert (again.side_branches, again.calcium) == ((), ())


def test_labels_have_the_images_grid_and_hold_the_pixels_whose_centres_are_inside(write):
    vessel, folder = make_vessel(), write(images=make_images())
    for name, table in (("lumen", vessel.lumen_mm), ("eem", vessel.eem_mm)):
        image = sitk.ReadImage(str(folder / f"pullback_{name}.nii.gz"))
        assert image.GetPixelID() == sitk.sitkUInt8
        assert image.GetSize() == (280, 220, COUNT)
        np.testing.assert_allclose(image.GetSpacing(), (*PIXEL_MM, 0.2), rtol=1e-6)
        assert image.GetOrigin() == (0.0, 0.0, 0.0)
        np.testing.assert_allclose(image.GetDirection(), np.eye(3).ravel(), atol=1e-7)
        labels = sitk.GetArrayFromImage(image)
        assert set(np.unique(labels)) == {0, 1}
        for frame, outline in enumerate(vessel.outline_mm(table)):
            polygon = (outline / PIXEL_MM + CATHETER_PX)[:, ::-1]
            expected = grid_points_in_poly((220, 280), polygon)
            np.testing.assert_array_equal(labels[frame] > 0, expected)


def test_labels_are_as_large_as_their_outlines_and_read_as_a_lumen(write):
    vessel, folder = make_vessel(), write(images=make_images())
    label = read_label(folder / "pullback_lumen.nii.gz")
    contours = label_stack_contours(label, catheter_px=CATHETER_PX, pixel_spacing_mm=PIXEL_MM)
    for frame, outline in enumerate(vessel.outline_mm(vessel.lumen_mm)):
        pixels = label.values[frame].sum() * PIXEL_MM.prod()
        # A tenth of a pixel all round, and half as much again for the corners that the half level cuts.
        assert pixels == pytest.approx(area_mm2(outline), rel=0.004)
        assert area_mm2(contours[frame]) == pytest.approx(area_mm2(outline), rel=0.006)


def test_without_images_labels_have_pixels_of_a_twentieth_of_a_millimetre_about_the_catheter(write):
    folder = write()
    label = read_label(folder / "pullback_lumen.nii.gz")
    assert label.values.shape == (COUNT, 161, 161)
    np.testing.assert_allclose(label.spacing_mm, (0.2, 0.05, 0.05), rtol=1e-6)
    again = label_stack_contours(label, catheter_px=np.full(2, 80.0), pixel_spacing_mm=np.full(2, 0.05))
    outline = make_vessel().outline_mm(make_vessel().lumen_mm)[10]
    assert area_mm2(again[10]) == pytest.approx(area_mm2(outline), rel=0.01)


def test_contours_have_the_areas_of_the_vessel_and_its_mouths(write):
    vessel, folder = make_vessel(), write()
    contours = read_contours(folder / "contours.csv").contours
    assert {kind: sorted(each) for kind, each in contours.items()} == {
        "lumen": list(range(COUNT)),
        "eem": list(range(COUNT)),
        "branch": list(BRANCH_FRAMES),
    }
    for frame in range(COUNT):
        expected = area_mm2(vessel.outline_mm(vessel.lumen_mm)[frame])
        assert area_mm2(contours["lumen"][frame]) == pytest.approx(expected, rel=0.002)
    for frame in BRANCH_FRAMES:
        # Between the mouth's first and last ray the lumen's area beyond the wall is the mouth's.
        beyond = expected_beyond(vessel, frame)
        assert area_mm2(contours["branch"][frame]) == pytest.approx(beyond, rel=0.002)


def expected_beyond(vessel, frame):
    lumen, wall = (area_mm2(vessel.outline_mm(each)[frame]) for each in (vessel.lumen_mm, vessel.wall_mm))
    return lumen - wall


def test_holoramas_tables_hold_the_gated_frames_from_one_and_y_upwards(write):
    vessel, folder = make_vessel(), write(images=make_images())
    summary = json.loads((folder / "pullback_segmentation.json").read_text())
    for kind, table in (("lumen", vessel.lumen_mm), ("eem", vessel.eem_mm)):
        file = read_contours(folder / f"holorama_{kind}.csv")
        assert sorted(file.contours["lumen"]) == [2, 9, 17]
        # From the first gated frame on: 7 and 15 steps of 0.2 mm.
        assert file.z_mm == pytest.approx({2: 0.0, 9: 1.4, 17: 3.0})
        again = contours_about_catheter(file.contours["lumen"], np.array(summary["holorama_catheter_mm"]))
        for frame, points in again.items():
            np.testing.assert_allclose(points, vessel.outline_mm(table)[frame], atol=1e-12)
    # Rows of 0.025 mm count from the top, HolOrama's y from the bottom.
    expected = [(CATHETER_PX[0] + 0.5) * 0.02, (220 - CATHETER_PX[1] - 0.5) * 0.025]
    assert summary["holorama_catheter_mm"] == pytest.approx(expected)


def test_without_gating_holoramas_tables_hold_the_frames_that_are_to_be_trusted(write):
    file = read_contours(write(make_vessel(gated=False, eem=False)) / "holorama_lumen.csv")
    assert sorted(file.contours["lumen"]) == list(range(COUNT - 2))


def test_tables_and_summary_say_what_the_contract_says(write):
    folder = write(images=make_images())
    assert rows(folder / "pullback_side_branches.csv")[0] == {
        "id": "B1",
        "frame": "10",
        "angle_deg": "2.291831181",
        "first_frame": "8",
        "last_frame": "12",
        "probability": "0.9",
    }
    quality = rows(folder / "frame_quality.csv")
    assert [row["frame"] for row in quality] == [str(i) for i in range(COUNT)]
    assert quality[-1] == {"frame": "23", "quality": "0.4", "reason": "residual blood, and more"}
    gating = rows(folder / "gating.csv")
    assert [row["frame"] for row in gating if row["gated"] == "1"] == ["2", "9", "17"]
    summary = json.loads((folder / "pullback_segmentation.json").read_text())
    assert summary["case_id"] == "P1"
    assert summary["use"] == "for research use only"
    assert summary["provenance"] == {"version": "1", "seed": 0}
    assert summary["frames"] == COUNT
    assert summary["marked_share"] == pytest.approx(2 / COUNT)
    assert summary["gating"] == {"frames": 3, "beat_frames": 7.4, "phase": "diastole", "probability": 0.8}
    assert summary["sources"] == {"pixel_spacing_mm": "the case"}
    assert summary["image_notes"] == ["text hidden"]


def test_the_same_vessel_always_makes_the_same_files(tmp_path):
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_pullback_segmentation(
            tmp_path / name, make_vessel(), make_pullback(), make_images(), case_id="P1", made={}
        )
        files = sorted((tmp_path / name).iterdir())
        contents.append({each.name: each.read_bytes() for each in files})
    assert contents[0] == contents[1]


def test_a_pullback_that_began_proximally_keeps_its_frames(write):
    folder = write(pullback=make_pullback("proximal"))
    assert read_contours(folder / "holorama_lumen.csv").z_mm == pytest.approx({2: 0.0, 9: -1.4, 17: -3.0})


@pytest.mark.parametrize(
    ("positions", "spacing_mm"), [([0.0] * 20 + [1.0, 2.0, 3.0, 4.6], 0.2), ([0.0] * COUNT, 1.0)]
)
def test_frames_that_share_a_place_still_have_a_thickness_in_labels(write, positions, spacing_mm):
    pullback = Pullback(np.arange(COUNT), np.array(positions), {})
    label = read_label(write(pullback=pullback) / "pullback_lumen.nii.gz")
    assert label.spacing_mm[0] == pytest.approx(spacing_mm)


def test_frames_of_another_pullback_are_refused(write):
    with pytest.raises(ValueError, match="a vessel of 24 frames needs frames 0 to 23, got 2 in the pullback"):
        write(pullback=Pullback(np.arange(2), np.arange(2.0), {}))


def test_the_folder_belongs_to_its_case(write, tmp_path):
    folder = write()
    with replaced_folder(folder, "P1") as new:
        (new / "pullback_segmentation.json").write_text("{}")
    assert [each.name for each in folder.iterdir()] == ["pullback_segmentation.json"]


def spoil_json(**changes):
    def spoil(folder):
        path = folder / "pullback_segmentation.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


def drop(name):
    return lambda folder: (folder / name).unlink()


def without_last_line(name):
    def spoil(folder):
        lines = (folder / name).read_text().splitlines()
        (folder / name).write_text("\n".join(lines[:-1]))

    return spoil


def other_labels(folder):
    (folder / "pullback_sections.nii.gz").write_bytes((folder / "pullback_lumen.nii.gz").read_bytes())


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (drop("pullback_segmentation.json"), "no such file"),
        (drop("pullback_sections.nii.gz"), "no such file"),
        (drop("frame_quality.csv"), "no such file"),
        (drop("pullback_side_branches.csv"), "no such file"),
        (drop("pullback_calcium.csv"), "no such file"),
        (drop("gating.csv"), "no such file"),
        (spoil_json(schema_version=2), "schema_version: found 2, expected 1"),
        (spoil_json(tables=["lumen_mm"]), "tables: found lumen_mm, expected the first three"),
        (spoil_json(tables=["lumen_mm", "wall_mm", "state"]), "size: found 5 tables, expected 3"),
        (spoil_json(gating={"phase": "x", "beat_frames": 7, "probability": 1}), "gating.phase: found 'x'"),
        (spoil_json(field_of_view_mm="x"), "field_of_view_mm: found 'x'"),
        (without_last_line("frame_quality.csv"), "found 23 rows from frame 0 to 22, expected frames 0 to 23"),
        (without_last_line("gating.csv"), "found 23 rows from frame 0 to 22, expected frames 0 to 23"),
        (other_labels, "size: found 24 tables, expected 5"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(write, spoil, match):
    folder = write()
    spoil(folder)
    with pytest.raises(InputError, match=match):
        read_pullback_segmentation(folder)
