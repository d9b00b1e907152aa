"""Segmentation on the command line, of a small CCTA in which everything is where it was put.

The image is fat with two walled arteries from one aorta, air in front and muscle behind.
"""

import csv
import io
import json
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

SPACING_MM, NOISE_HU = 0.5, 15.0
BLOOD_HU, WALL_HU, FAT_HU, MUSCLE_HU, AIR_HU = 380, 60, -80, 100, -1000
LOW, HIGH = np.array([-24.0, -18.0, 0.0]), np.array([24.0, 16.0, 64.0])
RADIUS_MM, WALL_MM = 1.6, 0.7
OSTIUM, DISTAL, OTHER = [-7.0, 0.0, 52.0], [-12.5, 0.0, 8.0], [14.0, 0.0, 12.0]
SECTIONS = {
    "ccta_lumen.nii.gz",
    "ccta_vessel.nii.gz",
    "ccta_wall.nii.gz",
    "ccta_lumen.stl",
    "centerline.csv",
    "centerline.vtp",
    "ccta_sections.csv",
    "ccta_calcium.csv",
    "ccta_side_branches.csv",
    "ccta_branch_lines.csv",
    "segmentation.json",
}


def arc(sign, end_z):
    """Points from the aorta at (0, 0, 58) to one side and down, every 0.1 mm or so."""
    t = np.linspace(0.0, 1.0, 700)
    x = sign * (4.0 + 10.0 * np.sin(0.5 * np.pi * np.minimum(2.0 * t, 1.0)) - 1.5 * t)
    return np.column_stack([x, 2.0 * np.sin(3.0 * t), 55.0 - (55.0 - end_z) * t])


def scene(*, gap_mm=(0.0, 0.0)):
    """Draw the scene in HU; between two heights the first artery may be blocked by soft plaque."""
    axes = [np.arange(a, b, SPACING_MM) for a, b in zip(LOW, HIGH, strict=True)]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    world = np.stack([x, y, z], axis=-1)
    hu = np.where(y > 6.0, MUSCLE_HU, FAT_HU).astype(np.float32)
    hu[y < -14.0] = AIR_HU
    for points, radius in ((arc(-1, 4.0), RADIUS_MM), (arc(1, 8.0), 1.4)):
        distance, nearest = cKDTree(points).query(world, distance_upper_bound=radius + WALL_MM)
        height = np.append(points[:, 2], np.inf)[nearest]
        blocked = (points[0, 0] < 0.0) & (height > gap_mm[0]) & (height < gap_mm[1])
        hu[distance < radius + WALL_MM] = WALL_HU
        hu[(distance < radius) & ~blocked] = BLOOD_HU
    hu[np.linalg.norm(world - [0.0, 0.0, 58.0], axis=-1) < 8.0] = BLOOD_HU
    hu = gaussian_filter(hu, 0.45 / SPACING_MM)
    hu += np.random.default_rng(1).normal(0.0, NOISE_HU, hu.shape)
    image = sitk.GetImageFromArray(np.rint(hu).astype(np.int16))
    image.SetSpacing([SPACING_MM] * 3)
    image.SetOrigin(LOW.tolist())
    return image


def write_case(folder, *, ostium=OSTIUM, distal=DISTAL, more=()):
    clicks = [f"{name} = {value}" for name, value in (("ostium", ostium), ("distal", distal)) if value]
    lines = ['id = "P1"', "[ccta]", 'image = "ccta.nii.gz"', *clicks, *more]
    (folder / "case.toml").write_text("\n".join(lines) + "\n")
    return folder


def said_by(*arguments):
    """Run a command for a fixture that many tests look at; returns what it printed on both outputs."""
    from coreg.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["coreg", *map(str, arguments)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = argv
    assert not stop.value.code
    return out.getvalue(), err.getvalue()


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("healthy")
    sitk.WriteImage(scene(), str(folder / "ccta.nii.gz"))
    return write_case(folder)


@pytest.fixture(scope="module")
def run(healthy, tmp_path_factory):
    """Result folder, and what was printed."""
    out = tmp_path_factory.mktemp("run") / "result"
    return out, *said_by("segment", "ccta", healthy, "--out", out)


@pytest.fixture(scope="module")
def result(run):
    return run[0]


@pytest.fixture
def copied(healthy, tmp_path):
    (tmp_path / "case").mkdir()
    shutil.copy(healthy / "ccta.nii.gz", tmp_path / "case" / "ccta.nii.gz")
    return write_case(tmp_path / "case")


@pytest.fixture
def refused(coreg, tmp_path):
    """Segment and expect a status; returns the message once all that always holds is checked."""

    def run(folder, *options, status=3):
        out = tmp_path / "out"
        done = coreg("segment", "ccta", folder, "--out", out, "-q", *options)
        assert done.status == status, done.err
        assert done.err.count("\n") == 1
        assert "Traceback" not in done.err
        assert "bug" not in done.err
        assert not out.exists()
        return done.err

    return run


def test_the_files_of_the_contract_are_written(result):
    assert {each.name for each in result.iterdir()} == SECTIONS | {"report.html"}


def test_the_line_and_the_lumen_are_those_that_were_drawn(result):
    rows = rows_of(result / "centerline.csv")
    found = np.array([[float(row[f"{axis}_mm"]) for axis in "xyz"] for row in rows])
    distance, _ = cKDTree(arc(-1, 4.0)).query(found[2:])
    # The voxels are half a millimetre.
    assert distance.mean() < 0.25
    radius = np.array([float(row["radius_mm"]) for row in rows])
    assert np.median(radius) == pytest.approx(RADIUS_MM, abs=0.15)
    label = sitk.GetArrayFromImage(sitk.ReadImage(str(result / "ccta_vessel.nii.gz")))
    length = float(rows[-1]["arc_length_mm"])
    assert label.sum() * SPACING_MM**3 == pytest.approx(np.pi * RADIUS_MM**2 * length, rel=0.2)


def test_labels_lie_on_the_grid_of_the_image(result, healthy):
    image = sitk.ReadImage(str(healthy / "ccta.nii.gz"))
    for name in ("ccta_lumen", "ccta_vessel", "ccta_wall"):
        label = sitk.ReadImage(str(result / f"{name}.nii.gz"))
        assert label.GetSize() == image.GetSize()
        np.testing.assert_allclose(label.GetOrigin(), image.GetOrigin(), atol=1e-5)
        assert set(np.unique(sitk.GetArrayFromImage(label))) == {0, 1}


def test_the_page_and_the_json_say_what_for_and_how_made(result, healthy):
    from coreg.io.results import sha256_of

    html = (result / "report.html").read_text()
    assert "research use only" in html
    assert html.count("<img") == 5
    content = json.loads((result / "segmentation.json").read_text())
    assert content["case_id"] == "P1"
    assert content["provenance"]["inputs_sha256"]["ccta.nii.gz"] == sha256_of(healthy / "ccta.nii.gz")
    assert str(healthy) not in (result / "segmentation.json").read_text()


def test_the_result_is_told_in_words(run):
    folder, out, err = run
    assert "made from      the CCTA image" in out
    assert "mean radius" in out
    assert "moved by" in out
    assert str(folder / "report.html") in out
    assert "research use only" in out
    assert "CCTA: centerline" in err


def test_info_describes_case_and_result(coreg, healthy, result):
    assert coreg("info", result, "--json").data["length_mm"] == pytest.approx(50.0, abs=5.0)
    data = coreg("info", healthy, "--json").data
    assert data["usable"] is True
    assert "pullback" not in data["case"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ccta_sections.csv", "rays of a segmented CCTA"),
        ("ccta_calcium.csv", "calcium of a segmented CCTA"),
        ("centerline.csv", "centerline"),
    ],
)
def test_info_knows_the_tables_that_were_written(coreg, result, name, kind):
    assert coreg("info", result / name, "--json").data["kind"] == kind


def test_info_tells_courses_of_side_branches_from_their_mouths(coreg, tmp_path):
    header, first = "id,x_mm,y_mm,z_mm,arc_length_mm,radius_mm", "B1,1,2,3,0,0.8"
    (tmp_path / "courses.csv").write_text("\n".join([header, first, "B1,1,2,4,1,0.8"]) + "\n")
    (tmp_path / "mouths.csv").write_text("\n".join([header, first, "B2,1,2,9,6,0.8"]) + "\n")
    courses = coreg("info", tmp_path / "courses.csv", "--json").data
    assert (courses["kind"], courses["role"], courses["rows"]) == ("courses of side branches (CCTA)", None, 2)
    assert coreg("info", tmp_path / "mouths.csv", "--json").data["role"] == "ccta.side_branches"


def test_a_missing_click_is_said_before_the_image_is_read(refused, copied):
    (copied / "ccta.nii.gz").write_bytes(b"not an image")
    message = refused(write_case(copied, distal=None))
    assert "ccta.distal: found nothing" in message
    assert "--tree` needs the mouth only" in message


def test_the_line_serves_as_clicks(coreg, copied, result, tmp_path):
    shutil.copy(result / "centerline.csv", copied / "line.csv")
    write_case(copied, ostium=None, distal=None, more=('centerline = "line.csv"',))
    done = coreg("segment", "ccta", copied, "--out", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    assert set(done.data["moved_mm"]) == {"ostium", "distal"}
    assert max(done.data["moved_mm"].values()) < 1.0
    assert done.data["length_mm"] == pytest.approx(50.0, abs=5.0)
    assert done.data["from_label"] is False


def test_a_lumen_label_is_measured_instead_of_the_image(coreg, copied, result, tmp_path):
    shutil.copy(result / "ccta_lumen.nii.gz", copied / "mine.nii.gz")
    write_case(copied, more=('lumen = "mine.nii.gz"',))
    done = coreg("segment", "ccta", copied, "--out", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    assert done.data["from_label"] is True
    assert done.data["mean_radius_mm"] == pytest.approx(RADIUS_MM, abs=0.2)
    assert "from the lumen label" in (tmp_path / "out" / "report.html").read_text()
    # A lumen label shows neither wall nor calcium.
    unknown = {"ccta_wall.nii.gz", "ccta_calcium.csv"}
    assert {each.name for each in (tmp_path / "out").iterdir()} == SECTIONS - unknown | {"report.html"}
    assert coreg("info", tmp_path / "out", "--json").data["lumen_mm3"] > 0.0


def test_a_surface_cannot_be_measured(refused, copied, result):
    shutil.copy(result / "ccta_lumen.stl", copied / "mine.stl")
    message = refused(write_case(copied, more=('lumen = "mine.stl"',)))
    assert "ccta.lumen: found a surface, expected a label image" in message


def test_a_tree_needs_no_distal_click_and_has_both_arteries(coreg, copied, tmp_path):
    write_case(copied, distal=None)
    done = coreg("segment", "ccta", copied, "--tree", "--out", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    ends = np.array([line["distal"] for line in done.data["lines"]])
    assert np.linalg.norm(ends - arc(-1, 4.0)[-1], axis=1).min() < 4.0
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        "tree.csv",
        "tree.vtp",
        "segmentation.json",
        "report.html",
    }
    assert coreg("info", tmp_path / "out" / "tree.csv", "--json").data["kind"] == "lines of a coronary tree"
    info = coreg("info", tmp_path / "out", "--json").data
    assert info["lines"] == len(ends)


def test_the_words_of_a_tree_can_be_copied_into_a_case(coreg, copied, tmp_path):
    done = coreg("segment", "ccta", copied, "--tree", "--out", tmp_path / "out")
    assert "distal =" in done.out
    assert "ccta.distal" in done.out


def test_a_result_of_the_same_case_is_replaced_and_nothing_else(coreg, copied, result, tmp_path):
    shutil.copytree(result, tmp_path / "same")
    (tmp_path / "same" / "old.txt").write_text("from before")
    # Lines are found faster than a vessel is measured; the folder is the same matter.
    assert coreg("segment", "ccta", copied, "--tree", "--out", tmp_path / "same").status == 0
    assert not (tmp_path / "same" / "old.txt").exists()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    done = coreg("segment", "ccta", copied, "--tree", "--out", tmp_path / "other")
    assert done.status == 2
    assert "other content (thesis.txt)" in done.err
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("command", ["ccta", "pullback"])
def test_both_commands_have_help_with_an_example(coreg, command):
    done = coreg("segment", command, "--help")
    assert done.status == 0
    assert f"Example: coreg segment {command}" in done.out
    assert "research use only" in " ".join(done.out.split())
    for option in ("--out", "--force", "--seed", "--threads", "--json", "--verbose", "--quiet"):
        assert option in done.out


def test_a_case_without_pullback_cannot_be_registered(coreg, copied, tmp_path):
    done = coreg("register", copied, "--out", tmp_path / "out")
    assert done.status == 3
    assert "pullback: found nothing, expected the table [pullback]" in done.err


@pytest.mark.parametrize(
    ("clicks", "words"),
    [
        ({"ostium": [-7.0, -16.0, 40.0]}, ("ccta.ostium", "air")),
        ({"ostium": [-4.0, 13.0, 30.0]}, ("ccta.ostium",)),
        ({"distal": [-4.0, 13.0, 30.0]}, ("ccta.distal",)),
        ({"distal": [12.5, 0.0, 208.0]}, ("ccta.distal", "outside the image")),
        ({"ostium": [23.5, 17.0, 52.0]}, ("ccta.ostium", "outside the image", "is this one in RAS?")),
        ({"distal": None}, ("ccta.distal: found nothing", "there is no centerline")),
        ({"distal": [-7.0, 0.0, 51.0]}, ("ccta.ostium and ccta.distal: found two points 1.0 mm apart",)),
    ],
    ids=["air", "muscle", "muscle-distal", "outside", "RAS", "missing", "together"],
)
def test_a_click_that_cannot_be_used_is_named(refused, copied, clicks, words):
    message = refused(write_case(copied, **clicks))
    assert "case.toml" in message
    for each in words:
        assert each in message


def test_a_distal_click_in_another_artery_is_refused(refused, copied):
    message = refused(write_case(copied, distal=OTHER))
    assert "ccta.ostium and ccta.distal lie in different arteries" in message


def test_an_occluded_vessel_is_refused_with_the_place(refused, copied):
    sitk.WriteImage(scene(gap_mm=(26.0, 34.0)), str(copied / "ccta.nii.gz"))
    message = refused(copied)
    assert "ccta.distal: no contrast between" in message
    assert "give a distal point before it" in message


def test_a_folder_without_ct_is_said(refused, tmp_path):
    folder = tmp_path / "case"
    (folder / "dicom").mkdir(parents=True)
    (folder / "dicom" / "notes.txt").write_text("no CT here")
    write_case(folder)
    text = (folder / "case.toml").read_text().replace("ccta.nii.gz", "dicom")
    (folder / "case.toml").write_text(text)
    message = refused(folder)
    assert "ccta.image" in message
    assert "dicom" in message


def test_a_label_as_image_is_said(refused, copied, result):
    shutil.copy(result / "ccta_lumen.nii.gz", copied / "ccta.nii.gz")
    assert "a label image?" in refused(write_case(copied))


def test_a_tree_without_image_is_said(refused, copied, result):
    shutil.copy(result / "ccta_lumen.nii.gz", copied / "mine.nii.gz")
    write_case(copied, more=('lumen = "mine.nii.gz"',))
    text = (copied / "case.toml").read_text().replace('image = "ccta.nii.gz"\n', "")
    (copied / "case.toml").write_text(text)
    assert "ccta.image: found nothing, expected an image" in refused(copied, "--tree")


@pytest.mark.slow
def test_register_segments_a_case_without_lumen_and_shows_it(coreg, tmp_path):
    from coreg.io.results import read_frames, read_registration
    from coreg.io.segmentation_files import read_ccta_segmentation
    from coreg.validation import frame_errors

    assert coreg("phantom", "--seed", 7, "--images", "--contours", "--out", tmp_path / "patients").status == 0
    case, out = tmp_path / "patients" / "phantom-7", tmp_path / "out"
    done = coreg("register", case, "--out", out, "--json")
    assert done.status == 0, done.err
    assert "CCTA: lumen and wall" in done.err
    assert {each.name for each in (out / "segmentation").iterdir()} == SECTIONS
    vessel = read_ccta_segmentation(out / "segmentation")
    assert done.data["segmentation"]["length_mm"] == pytest.approx(np.ptp(vessel.centerline.arc_length_mm))
    provenance = read_registration(out).provenance
    assert provenance["ccta_lumen"] == "segmented from the image"
    assert "ccta.nii.gz" in provenance["inputs_sha256"]
    html = (out / "report.html").read_text()
    assert html.index('id="confidence"') < html.index('id="path"') < html.index('id="hypotheses"')
    errors = frame_errors(read_frames(out / "frames.csv"), read_frames(case / "truth" / "frames.csv"))
    # What the contract calls a right placement.
    assert np.abs(errors.error_mm[errors.reliable]).mean() < 1.5
    assert np.abs(errors.error_deg[errors.reliable]).mean() < 20.0
