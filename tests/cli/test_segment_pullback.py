"""Segmentation of a pullback on the command line: rings of tissue about a lumen of known size.

OCT frames: a black lumen about the catheter, and a wall that is brightest at its border and fades. The radius
falls in the middle of the run.
"""

import csv
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from coreg.io.contour_formats import write_contours

COUNT, SIZE, PIXEL_MM, STEP_MM = 24, 160, 0.04, 0.2
PULLBACK_FILES = {
    "pullback_lumen.nii.gz",
    "pullback_sections.nii.gz",
    "contours.csv",
    "holorama_lumen.csv",
    "pullback_side_branches.csv",
    "pullback_calcium.csv",
    "frame_quality.csv",
    "pullback_frames.csv",
    "pullback_segmentation.json",
}


def radius_mm(frame):
    return 1.6 - 0.4 * np.exp(-0.5 * ((frame - 12) / 6.0) ** 2)


def oct_frame(frame, rng):
    """One frame; its lumen is a circle whose centre lies 0.3 mm to the right of the catheter."""
    at = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL_MM
    x, y = np.meshgrid(at, at)
    depth = np.hypot(x - 0.3, y) - radius_mm(frame)
    tissue = np.where(depth > 0.0, 190.0 * np.exp(-depth / 0.9), 6.0)
    distance = np.hypot(x, y)
    tissue[np.abs(distance - 0.35) < 0.04] = 120.0
    noisy = tissue * rng.gamma(6.0, 1.0 / 6.0, tissue.shape)
    noisy[distance > (SIZE / 2 - 1) * PIXEL_MM] = 0.0
    return np.clip(noisy, 0.0, 255.0).astype(np.uint8)


def write_stack(path, frames, pixel_mm=PIXEL_MM):
    image = sitk.GetImageFromArray(np.asarray(frames))
    image.SetSpacing([pixel_mm, pixel_mm, STEP_MM])
    sitk.WriteImage(image, str(path))


def write_case(folder, **keys):
    keys = {"image": '"pullback.nii.gz"', "modality": '"OCT"', "frame_spacing_mm": STEP_MM} | keys
    lines = [f"{key} = {value}" for key, value in keys.items() if value is not None]
    (folder / "case.toml").write_text("\n".join(['id = "P1"', "[pullback]", *lines]) + "\n")
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
def pixels():
    rng = np.random.default_rng(1)
    return np.stack([oct_frame(i, rng) for i in range(COUNT)])


@pytest.fixture
def case(pixels, tmp_path):
    (tmp_path / "case").mkdir()
    write_stack(tmp_path / "case" / "pullback.nii.gz", pixels)
    return write_case(tmp_path / "case")


@pytest.fixture(scope="module")
def run(pixels, tmp_path_factory):
    """The case, the result folder, and what was printed."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "case").mkdir()
    write_stack(folder / "case" / "pullback.nii.gz", pixels)
    case, out = write_case(folder / "case"), folder / "result"
    return case, out, *said_by("segment", "pullback", case, "--out", out)


@pytest.fixture
def refused(coreg, tmp_path):
    """Segment and expect a status; returns the message once all that always holds is checked."""

    def run(folder, *options, status=3):
        out = tmp_path / "out"
        done = coreg("segment", "pullback", folder, "--out", out, "-q", *options)
        assert done.status == status, done.err
        assert "Traceback" not in done.err
        assert "bug" not in done.err
        assert not out.exists()
        return done.err

    return run


def test_the_files_of_the_contract_are_written(run):
    _, out, _, err = run
    assert {each.name for each in out.iterdir()} == PULLBACK_FILES | {"report.html"}
    assert "pullback: lumen" in err


def test_the_lumen_is_the_one_that_was_drawn(run):
    _, out, _, _ = run
    area = np.pi * radius_mm(np.arange(COUNT)) ** 2
    label = sitk.ReadImage(str(out / "pullback_lumen.nii.gz"))
    assert label.GetSize() == (SIZE, SIZE, COUNT)
    voxels = sitk.GetArrayFromImage(label).sum(axis=(1, 2)) * PIXEL_MM**2
    # A pixel is 0.04 mm, the radius at least 1.2 mm.
    np.testing.assert_allclose(voxels, area, rtol=0.08)


def test_it_is_told_in_words_with_the_origin_of_each_fact(run):
    _, out, said, _ = run
    words = " ".join(said.split())
    assert "made from the images" in words
    assert "frames 24 over 4.6 mm" in words
    assert "pixel_spacing_mm from the file (its spacing)" in words
    assert "position_mm from the case (frame_spacing_mm)" in words
    assert "modality from the case" in words
    assert "research use only" in words
    page = (out / "report.html").read_text()
    assert "research use only" in page
    assert "the file (its spacing)" in page


def test_the_hash_of_the_images_is_kept(run):
    from coreg.io.results import sha256_of

    case, out, _, _ = run
    text = (out / "pullback_segmentation.json").read_text()
    hashes = json.loads(text)["provenance"]["inputs_sha256"]
    assert hashes["pullback.nii.gz"] == sha256_of(case / "pullback.nii.gz")
    assert str(case) not in text


def test_info_describes_the_result(coreg, run):
    _, out, _, _ = run
    for path in (out, out / "pullback_segmentation.json"):
        data = coreg("info", path, "--json").data
        assert data["kind"].startswith("a segmented pullback")
        assert data["frames"] == COUNT
        area = np.pi * radius_mm(np.arange(COUNT)) ** 2
        assert data["lumen_area_mm2"] == pytest.approx(area.mean(), rel=0.08)


@pytest.mark.parametrize("kind", ["pictures", "dicom"])
def test_names_of_files_of_images_are_not_kept(coreg, pullback_files, pixels, tmp_path, kind):
    folder, out = tmp_path / "case", tmp_path / "out"
    (folder / "ZZNAME").mkdir(parents=True)
    frames = pixels[:8]
    if kind == "pictures":
        for i, each in enumerate(frames):
            Image.fromarray(each).save(folder / "ZZNAME" / f"ZZSURNAME{i}.png")
        write_case(folder, image='"ZZNAME"', pixel_spacing_mm=PIXEL_MM)
    else:
        pullback_files.pullback(folder / "ZZNAME.dcm", frames)
        write_case(folder, image='"ZZNAME.dcm"', pixel_spacing_mm=PIXEL_MM)
    done = coreg("segment", "pullback", folder, "--out", out)
    assert done.status == 0, done.err
    content = (out / "pullback_segmentation.json").read_text()
    key = "pullback.image" + " (all its frames)" * (kind == "pictures")
    assert set(json.loads(content)["provenance"]["inputs_sha256"]) == {"case.toml", key}
    text = content + done.out + done.err + (out / "report.html").read_text()
    for each in ("ZZNAME", "ZZSURNAME", *pullback_files.identity):
        assert each not in text


def test_contours_of_the_case_are_measured_instead_of_its_images(coreg, run, case, tmp_path):
    _, first, _, _ = run
    write_case(case, lumen=f'"{first / "contours.csv"}"')
    out = tmp_path / "out"
    done = coreg("segment", "pullback", case, "--out", out, "--json")
    assert done.status == 0, done.err
    assert done.data["from_contours"] is True
    assert done.data["frames"] == COUNT
    area = np.pi * radius_mm(np.arange(COUNT)) ** 2
    assert done.data["lumen_area_mm2"] == pytest.approx(area.mean(), rel=0.05)
    assert done.data["smallest_area_mm2"] == pytest.approx(area.min(), rel=0.08)
    # The area hardly changes from frame 9 to 15.
    assert abs(done.data["smallest_frame"] - 12) <= 3
    assert done.data["sources"]["pixel_spacing_mm"] == "the file (its spacing)"
    assert "from the contours of the case" in (out / "report.html").read_text()
    labels = [sitk.ReadImage(str(each / "pullback_lumen.nii.gz")) for each in (first, out)]
    sums = [float(sitk.GetArrayFromImage(each).sum()) for each in labels]
    assert sums[1] == pytest.approx(sums[0], rel=1e-3)


def drawn_circle():
    """A circle of 1.5 mm whose middle lies 0.4 mm to the right of the catheter."""
    angle = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
    return np.column_stack([1.5 * np.cos(angle) + 0.4, 1.5 * np.sin(angle)])


def labelled_frames(folder):
    label = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "pullback_lumen.nii.gz")))
    return np.flatnonzero(label.any(axis=(1, 2))).tolist()


def frames_in(path):
    return sorted({int(row["frame"]) for row in rows_of(path)})


def test_frames_that_nobody_outlined_are_not_in_the_result(coreg, tmp_path):
    drawn = [0, 1, 2, 5, 6]
    write_contours(tmp_path / "mine.csv", {"lumen": dict.fromkeys(drawn, drawn_circle())})
    write_case(tmp_path, image=None, lumen='"mine.csv"')
    out = tmp_path / "out"
    done = coreg("segment", "pullback", tmp_path, "--out", out, "--json")
    assert done.status == 0, done.err
    assert (done.data["frames"], done.data["marked"]) == (5, [])
    assert done.data["lumen_area_mm2"] == pytest.approx(np.pi * 1.5**2, rel=0.005)
    for name in ("frame_quality.csv", "pullback_frames.csv", "contours.csv"):
        assert frames_in(out / name) == drawn
    assert labelled_frames(out) == drawn
    # The label has a place for each frame of the run, 0.2 mm apart.
    assert sitk.ReadImage(str(out / "pullback_lumen.nii.gz")).GetSpacing()[2] == pytest.approx(STEP_MM)
    positions = [float(row["position_mm"]) for row in rows_of(out / "pullback_frames.csv")]
    assert positions == pytest.approx([STEP_MM * frame for frame in drawn])
    info = coreg("info", out, "--json").data
    assert (info["frames"], info["marked_share"]) == (5, 0.0)


def test_sparse_contours_keep_their_positions_wherever_these_lead(coreg, real_data, tmp_path):
    folder = real_data / "anomalous-rca"
    out = tmp_path / "out"
    done = coreg("segment", "pullback", folder, "--out", out, "--json")
    assert done.status == 0, done.err
    assert (done.data["frames"], done.data["frames_measured"], done.data["marked"]) == (20, 20, [])
    found = {int(row["frame"]): float(row["position_mm"]) for row in rows_of(out / "pullback_frames.csv")}
    expert = rows_of(folder / "ivus_rest_diastole" / "positions_expert.csv")
    given = {int(row["frame"]): float(row["position_mm"]) for row in expert}
    assert found == pytest.approx({frame: mm - min(given.values()) for frame, mm in given.items()})
    assert frames_in(out / "contours.csv") == labelled_frames(out) == sorted(given)


def test_images_have_all_frames_but_only_those_outlined_have_a_lumen(coreg, case, tmp_path):
    drawn = [3, 4, 9, 20]
    write_contours(case / "mine.csv", {"lumen": dict.fromkeys(drawn, drawn_circle())})
    write_case(case, lumen='"mine.csv"')
    out = tmp_path / "out"
    done = coreg("segment", "pullback", case, "--out", out, "--json")
    assert done.status == 0, done.err
    assert (done.data["frames"], done.data["frames_measured"]) == (COUNT, 4)
    assert "4 of 24 frames have a contour; nothing is made up for the others" in done.data["notes"]
    assert frames_in(out / "contours.csv") == labelled_frames(out) == drawn
    table = rows_of(out / "pullback_frames.csv")
    assert [i for i, row in enumerate(table) if row["lumen_area_mm2"]] == drawn
    assert {row["reason"] for i, row in enumerate(table) if i not in drawn} == {"no contour in this frame"}
    # Given back, nothing that was left out counts as drawn, and what was drawn is not doubted.
    write_case(case, lumen=f'"{out / "contours.csv"}"')
    again = coreg("segment", "pullback", case, "--out", tmp_path / "again", "--json")
    assert again.data["marked"] == done.data["marked"]


def test_marks_beside_our_own_contours_come_back_with_them(coreg, tmp_path):
    write_contours(tmp_path / "mine.csv", {"lumen": dict.fromkeys(range(12), drawn_circle())})
    write_case(tmp_path, image=None, lumen='"mine.csv"')
    first = tmp_path / "first"
    assert coreg("segment", "pullback", tmp_path, "--out", first).status == 0
    marks = (first / "frame_quality.csv").read_text()
    marks = marks.replace("\n3,1,\n", "\n3,0.2,residual blood\n").replace("\n4,1,\n", "\n4,0.7,\n")
    (first / "frame_quality.csv").write_text(marks)
    for name in ("contours.csv", "pullback_lumen.nii.gz"):
        write_case(tmp_path, image=None, lumen=f'"first/{name}"')
        out = tmp_path / f"out-{name}"
        done = coreg("segment", "pullback", tmp_path, "--out", out, "--json")
        assert done.status == 0, done.err
        assert done.data["marked"] == [{"first_frame": 3, "last_frame": 3, "reason": "residual blood"}]
        quality = [row["quality"] for row in rows_of(out / "frame_quality.csv")]
        assert (quality[3], quality[4]) == ("0.2", "0.7")
        assert f"1 of 12 contours are marked in the frame_quality.csv beside {name}" in done.data["notes"]
        made = json.loads((out / "pullback_segmentation.json").read_text())["provenance"]
        assert "first/frame_quality.csv" in made["inputs_sha256"]


def test_contours_of_another_name_are_believed(coreg, tmp_path):
    write_contours(tmp_path / "mended.csv", {"lumen": dict.fromkeys(range(12), drawn_circle())})
    (tmp_path / "frame_quality.csv").write_text("frame,quality,reason\n3,0.2,residual blood\n")
    write_case(tmp_path, image=None, lumen='"mended.csv"')
    assert coreg("segment", "pullback", tmp_path, "--out", tmp_path / "out", "--json").data["marked"] == []


def test_marks_that_cannot_be_read_are_named(refused, tmp_path):
    write_contours(tmp_path / "contours.csv", {"lumen": dict.fromkeys(range(12), drawn_circle())})
    write_case(tmp_path, image=None, lumen='"contours.csv"')
    (tmp_path / "frame_quality.csv").write_text("frame,quality,reason\n3,20,residual blood\n")
    assert "frame_quality.csv: line 2, column quality: found '20', expected 0 to 1" in refused(tmp_path)


def test_contours_that_were_given_are_not_said_to_have_closed_mouths(coreg, run, case, tmp_path):
    _, first, _, _ = run
    assert "mouths of branches closed" in (first / "report.html").read_text()
    write_case(case, lumen=f'"{first / "contours.csv"}"')
    assert coreg("segment", "pullback", case, "--out", tmp_path / "out").status == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "mouths of branches closed" not in page
    assert "as drawn" in page


def test_frames_that_the_case_excludes_have_no_say(coreg, tmp_path):
    angle = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
    circle = np.column_stack([1.5 * np.cos(angle) + 0.4, 1.5 * np.sin(angle)])
    write_contours(tmp_path / "mine.csv", {"lumen": {0: circle, 1: circle, 2: 0.5 * circle}})
    write_case(tmp_path, image=None, lumen='"mine.csv"', exclude='[[2, 2, "stent"]]')
    done = coreg("segment", "pullback", tmp_path, "--out", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    assert done.data["marked"] == [{"first_frame": 2, "last_frame": 2, "reason": "excluded: stent"}]
    assert done.data["smallest_area_mm2"] == pytest.approx(np.pi * 1.5**2, rel=0.005)
    table = rows_of(tmp_path / "out" / "pullback_frames.csv")
    assert [row["quality"] for row in table] == ["1", "1", "0"]
    assert float(table[2]["lumen_area_mm2"]) == pytest.approx(0.25 * np.pi * 1.5**2, rel=0.005)
    assert [float(row["position_mm"]) for row in table] == pytest.approx([0.0, 0.2, 0.4])


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"modality": None}, "pullback.modality"),
        ({"image": '"none.nii.gz"'}, "no such file"),
        ({"catheter_px": "[500, 20]"}, "pullback.catheter_px"),
        ({"image": None}, "pullback.lumen: found no lumen"),
    ],
)
def test_what_cannot_be_used_is_named(refused, case, keys, words):
    assert words in refused(write_case(case, **keys))


def test_black_images_are_refused(refused, case):
    write_stack(case / "pullback.nii.gz", np.zeros((COUNT, SIZE, SIZE), np.uint8))
    assert "found black images only" in refused(case)


def test_a_case_without_pullback_is_refused(refused, tmp_path):
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "case.toml").write_text('id = "P1"\n[ccta]\nimage = "ccta.nii.gz"\n')
    assert "expected the table [pullback]" in refused(tmp_path / "case")


def beating(count, beat_frames, size=64):
    """IVUS of a lumen in tissue that moves along and across in the first third of each beat, and back."""
    rng = np.random.default_rng(3)
    echo = gaussian_filter(rng.standard_normal((80, size + 24, size + 24)), (4.0, 1.5, 1.5))
    echo = 110.0 + 45.0 * echo / echo.std()
    y, x = np.indices((size, size)) - 0.5 * (size - 1)
    distance = np.hypot(x, y)
    frames = np.empty((count, size, size), np.uint8)
    for i in range(count):
        phase = (i / beat_frames) % 1.0
        swing = np.sin(np.pi * min(phase / 0.4, 1.0)) ** 2
        place = np.broadcast_to(20.0 + 12.0 * swing + 0.05 * i, x.shape)
        moved = [place, y + 0.5 * size + 11.5 + 3.0 * swing, x + 0.5 * size + 11.5]
        frame = map_coordinates(echo, moved, order=1) * rng.gamma(9.0, 1.0 / 9.0, x.shape)
        frame[distance < 16.0] *= 0.15
        frame[(distance < 5.0) | (distance > 0.5 * size - 1.0)] = 0.0
        frames[i] = np.clip(frame, 0.0, 255.0)
    return frames


def test_ivus_through_the_heartbeat_is_gated_unless_told_otherwise(coreg, tmp_path):
    write_stack(tmp_path / "pullback.nii.gz", beating(260, 26.0), pixel_mm=0.09)
    # Its contours are given: to outline 260 frames would take much longer than to gate them.
    angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    circle = 16.0 * 0.09 * np.column_stack([np.cos(angle), np.sin(angle)])
    write_contours(tmp_path / "mine.csv", {"lumen": dict.fromkeys(range(260), circle)})
    keys = {
        "modality": '"IVUS"',
        "acquisition": '"motorized"',
        "frame_rate_hz": 30.0,
        "lumen": '"mine.csv"',
        "frame_spacing_mm": 0.02,
    }
    write_case(tmp_path, **keys)
    done = coreg("segment", "pullback", tmp_path, "--out", tmp_path / "out", "--json")
    assert done.status == 0, done.err
    gating = done.data["gating"]
    assert gating["beat_frames"] == pytest.approx(26.0, rel=0.05)
    assert gating["beats_per_min"] == pytest.approx(60.0 * 30.0 / 26.0, rel=0.05)
    assert any("Gated by the images" in note for note in done.data["notes"])
    gated = [int(row["frame"]) for row in rows_of(tmp_path / "out" / "gating.csv") if row["gated"] == "1"]
    assert gated == gating["frames"]
    # One frame of each beat, all at the same place of it.
    phases = np.exp(2j * np.pi * np.array(gated) / 26.0)
    assert abs(phases.mean()) > 0.9
    assert "Pullback: heartbeat" in (tmp_path / "out" / "report.html").read_text()
    done = coreg("segment", "pullback", tmp_path, "--out", tmp_path / "all", "--phase", "none", "--json")
    assert done.data["gating"] is None
    assert not (tmp_path / "all" / "gating.csv").exists()


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({}, "an OCT pullback is over in a few beats"),
        ({"modality": '"IVUS"', "acquisition": '"gated"'}, "the pullback is gated already"),
        (
            {"image": None, "modality": None, "lumen": '"contours.csv"'},
            "the contours of the case are taken as they are",
        ),
    ],
    ids=["OCT", "gated", "contours"],
)
def test_a_phase_that_changes_nothing_is_said(coreg, case, tmp_path, keys, reason):
    turn = np.linspace(0.0, 2.0 * np.pi, 60, endpoint=False)
    circle = 1.5 * np.column_stack([np.cos(turn), np.sin(turn)])
    write_contours(case / "contours.csv", {"lumen": dict.fromkeys(range(COUNT), circle)})
    write_case(case, **keys)
    said = f"--phase systole has no effect: {reason}."
    done = coreg("segment", "pullback", case, "--out", tmp_path / "out", "--phase", "systole", "--json")
    assert said in done.data["notes"]
    done = coreg("segment", "pullback", case, "--out", tmp_path / "out", "--force", "--json")
    assert not any("--phase" in note for note in done.data["notes"])


def test_an_unknown_phase_is_wrong_usage(refused, case):
    assert "--phase" in refused(case, "--phase", "inspiration", status=2)


def test_a_case_without_ccta_cannot_be_registered(coreg, case, tmp_path):
    done = coreg("register", case, "--out", tmp_path / "out")
    assert done.status == 3
    assert "expected the table [ccta]" in done.err


def test_a_folder_with_other_content_is_left_alone(coreg, case, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    done = coreg("segment", "pullback", case, "--out", tmp_path / "out")
    assert done.status == 2
    assert "other content (thesis.txt)" in done.err
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"
