"""What ``coreg info`` says of the files that coreg and other tools write: circles of a known size."""

import json
import re

import numpy as np
import pytest

from coreg.io.contour_formats import write_contours

RADIUS_MM = np.array([1.5, 1.4, 1.2, 1.3, 1.6, 1.5])
AREAS = [np.pi * 1.2**2, np.pi * 1.6**2]
STEP_MM = 0.25


def circle(radius, centre=(0.0, 0.0), count=90):
    angle = 2.0 * np.pi * np.arange(count) / count
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]) + np.array(centre)


@pytest.fixture
def outputs(coreg, tmp_path):
    """Folder of a measured pullback of six frames, of which the last is excluded."""
    write_contours(tmp_path / "mine.csv", {"lumen": {i: circle(each) for i, each in enumerate(RADIUS_MM)}})
    lines = ['id = "P1"', "[pullback]", 'lumen = "mine.csv"', f"frame_spacing_mm = {STEP_MM}"]
    (tmp_path / "case.toml").write_text("\n".join([*lines, 'exclude = [[5, 5, "stent"]]']))
    done = coreg("segment", "pullback", tmp_path, "--out", tmp_path / "out")
    assert done.status == 0, done.err
    return tmp_path / "out"


def test_tables_of_a_segmented_pullback_are_named_with_their_main_numbers(told, outputs):
    quality = told(outputs / "frame_quality.csv")
    assert quality["kind"] == "quality of the frames of a segmented pullback"
    assert (quality["frames"], quality["marked"]) == (6, 1)
    assert quality["reasons"] == {"excluded: stent": 1}
    measures = told(outputs / "pullback_frames.csv")
    assert measures["kind"] == "measures of the frames of a segmented pullback"
    assert (measures["frames"], measures["marked"]) == (6, 1)
    assert measures["length_mm"] == pytest.approx(5 * STEP_MM)
    assert measures["lumen_area_mm2"] == pytest.approx(AREAS, rel=0.005)
    calcium = told(outputs / "pullback_calcium.csv")
    assert (calcium["kind"], calcium["arcs"]) == ("calcium of a segmented pullback", 0)
    branches = told(outputs / "pullback_side_branches.csv")
    assert (branches["kind"], branches["branches"], branches["role"]) == ("side branches (pullback)", 0, None)


def test_distances_by_angle_and_frame_are_not_taken_for_an_image(coreg, told, outputs):
    sections = told(outputs / "pullback_sections.nii.gz")
    assert sections["kind"] == "distances from the catheter by angle and frame (segmented pullback)"
    assert (sections["role"], sections["frames"], sections["outlined_frames"]) == (None, 6, 6)
    out = coreg("info", outputs / "pullback_sections.nii.gz").out
    assert "lumen, wall, state" in out
    assert f"{AREAS[0]:.2f} to {AREAS[1]:.2f} mm2" in out


def test_a_table_without_side_branches_can_be_given_back(coreg, outputs, tmp_path):
    case = tmp_path / "case.toml"
    case.write_text(case.read_text() + '\nside_branches = "out/pullback_side_branches.csv"\n')
    done = coreg("segment", "pullback", tmp_path, "--out", tmp_path / "again", "--json")
    assert (done.status, done.data["side_branches"]) == (0, 0)


def test_a_report_is_a_report(told, outputs):
    assert told(outputs / "report.html")["kind"] == "a report, to be looked at in a browser"


@pytest.mark.parametrize(
    ("text", "kind", "number"),
    [
        ("id,first_frame,last_frame,angle_deg,extent_deg\nC1,3,7,10,95\n", "calcium", ("arcs", 1)),
        ("frame,signal,gated\n0,0.1,0\n1,0.2,1\n2,0.3,1\n", "heartbeat", ("gated", 2)),
        ("fact,value\nnoise_hu,12\nseed,7\n", "facts of a synthetic patient", ("rows", 2)),
        (
            "kind,first_mm,last_mm,angle_deg,thickness_mm,area_share\nsoft,1,2,0,1,0.4\nsoft,5,7,0,1,0.4\n",
            "plaque of a synthetic patient",
            ("plaques", {"soft": 2}),
        ),
        ("case_id,case,patient,vessel\nP1,P1,,\nP2,P2,,\n", "a list of cases (manifest)", ("cases", 2)),
        (
            "id,kind,frame_expected,frame_found,error_frames,error_mm,error_deg\nB1,branch,3,4,1,0.2,-5\n",
            "errors of a registration at landmarks",
            ("landmarks", 1),
        ),
    ],
)
def test_other_tables_of_coreg_are_named(told, tmp_path, text, kind, number):
    (tmp_path / "table.csv").write_text(text)
    data = told(tmp_path / "table.csv")
    assert data["kind"].startswith(kind)
    assert data[number[0]] == number[1]
    assert data["role"] is None


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.csv", "length,width\n1,2\n", "found a table of unknown kind (columns length, width)"),
        ("x.json", '{"a": 1, "b": 2}', "found JSON of unknown kind (keys a, b)"),
        ("x.json", '{"markups": []}', "expected its name to end in .mrk.json"),
        ("x.json", '{"schema_version": 1, "case_id": "P1"}', "found a result of coreg under another name"),
        ("x.json", "[", "found broken JSON"),
        ("x.xml", "<html></html>", "x.xml"),
        ("x.docx", "text", "found a file of unknown kind, ending in '.docx'"),
    ],
)
def test_what_is_unknown_is_said_to_be_unknown(coreg, tmp_path, name, text, words):
    (tmp_path / name).write_text(text)
    done = coreg("info", tmp_path / name)
    assert done.status == 3
    assert words in done.err


def test_outer_walls_are_told_from_lumens_by_their_name(told, tmp_path):
    import SimpleITK as sitk

    label = np.zeros((12, 12, 12), np.uint8)
    label[3:9, 3:9, 3:9] = 1
    for name, role in (("ccta_wall.nii.gz", "ccta.wall"), ("ccta_lumen.nii.gz", "ccta.lumen")):
        sitk.WriteImage(sitk.GetImageFromArray(label), str(tmp_path / name))
        assert told(tmp_path / name)["role"] == role
    assert "outer wall" in told(tmp_path / "ccta_wall.nii.gz")["kind"]


def holorama(phases, pixel_mm=0.02, radius_px=75.0):
    x, y = (circle(radius_px, (200.0, 190.0)) + 0.5).T.tolist()
    lumen = {"contours": [[x, y]], "measurements": {"area": np.pi * (radius_px * pixel_mm) ** 2}}
    return json.dumps({str(i): {"phase": each, "lumen": lumen} for i, each in enumerate(phases)})


def test_contours_in_json_are_shown_with_what_they_say_of_the_images_and_need(coreg, told, tmp_path):
    (tmp_path / "drawn.json").write_text(holorama("D-SD--"))
    data = told(tmp_path / "drawn.json")
    assert (data["kind"], data["role"]) == ("pullback contours", "pullback.lumen")
    assert (data["lumen"]["frames"], data["images"]["frames"]) == (6, 6)
    assert data["lumen"]["area_mm2"] == pytest.approx([np.pi * 1.5**2] * 2, rel=0.005)
    assert data["images"]["pixel_spacing_mm"] == pytest.approx([0.02, 0.02], rel=0.001)
    assert data["needs"] == ["pullback.catheter_px", "pullback.frame_spacing_mm"]
    out = coreg("info", tmp_path / "drawn.json").out
    assert "2 in diastole, 1 in systole" in out
    assert "HolOrama or AIVUS JSON" in out


def test_init_uses_json_as_contours_and_asks_for_what_it_does_not_say(coreg, tmp_path):
    (tmp_path / "drawn.json").write_text(holorama("D-SD--"))
    out = tmp_path / "case.toml"
    done = coreg("init", tmp_path / "drawn.json", "--out", out, "--json")
    assert done.status == 0, done.err
    assert set(done.data["roles"]) == {"pullback.lumen"}
    asked = [each.split(":")[0] for each in done.data["missing"] if each.startswith("pullback")]
    assert asked == ["pullback.catheter_px", "pullback.frame_spacing_mm"]
    text = out.read_text()
    text = text.replace("# catheter_px = [255.5, 255.5]", "catheter_px = [200.0, 190.0]")
    text = text.replace("# frame_spacing_mm = 0.2\n", "frame_spacing_mm = 0.2\n")
    out.write_text(text)
    # What init asked for is all that it takes, and what it left as a comment is what is used.
    info = coreg("info", out, "--json").data
    assert info["commands"] == {"segment pullback": True, "register": False}
    assert (info["usable"], info["pullback"]["frames_with_lumen"]) == (True, 6)
    pixel_mm = float(re.search("# pixel_spacing_mm = (\\S+) ", text)[1])
    assert pixel_mm == pytest.approx(0.02, rel=0.001)
    assert "takes only the 2 frames in diastole" in text


def test_init_does_not_ask_for_what_images_beside_the_contours_say(coreg, pullback_files, tmp_path):
    pullback_files.pullback(tmp_path / "pullback.dcm")
    (tmp_path / "drawn.json").write_text(holorama("------"))
    files = [tmp_path / "pullback.dcm", tmp_path / "drawn.json"]
    done = coreg("init", *files, "--out", tmp_path / "case.toml", "--json")
    assert set(done.data["roles"]) == {"pullback.lumen", "pullback.image"}
    assert not [each for each in done.data["missing"] if each.startswith("pullback")]


def test_reference_points_are_named_and_refused_as_contours(coreg, told, tmp_path):
    (tmp_path / "points.csv").write_text("12\t3.5\t3.6\t0.8\n40\t4.1\t3.9\t2.6\n")
    data = told(tmp_path / "points.csv")
    # HolOrama counts from 1.
    assert (data["kind"], data["frames"], data["role"]) == ("reference points of HolOrama", [11, 39], None)
    lines = ['id = "P1"', "[pullback]", 'lumen = "points.csv"', "catheter_mm = [4.5, 4.5]"]
    (tmp_path / "case.toml").write_text("\n".join([*lines, "frame_spacing_mm = 0.2"]))
    done = coreg("segment", "pullback", tmp_path, "--out", tmp_path / "out")
    assert done.status == 3
    assert "found one point a frame, in 2 frames, expected outlines" in done.err


def test_info_of_real_files_of_holorama(told, real_data):
    folder = real_data / "ivus-contours"
    drawn = told(folder / "anonymized_contours_ho_0_1_0.json")
    assert (drawn["lumen"]["frames"], drawn["eem"]["frames"], drawn["images"]["frames"]) == (439, 72, 439)
    assert drawn["images"]["pixel_spacing_mm"][0] == pytest.approx(0.017557, rel=2e-4)
    assert told(folder / "diastolic_reference_points.csv")["kind"] == "reference points of HolOrama"
    report = told(folder / "anonymized_report.txt")
    assert (report["kind"], report["frames"]) == ("measurements of HolOrama", 439)
    ostium = told(real_data / "anomalous-rca" / "ivus_rest_diastole" / "diastolic_reference_points.csv")
    assert ostium["frames"] == [384]


CCTA_WITHOUT_KEYS = '\n[ccta]\n# lumen = "ccta_lumen.nii.gz"\n'


@pytest.mark.parametrize("more", ["", CCTA_WITHOUT_KEYS])
def test_a_case_without_ccta_is_said_to_be_good_for_the_segmentation_alone(coreg, tmp_path, more):
    from PIL import Image

    (tmp_path / "frames").mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        pixels = rng.integers(1, 200, (120, 120), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "frames" / f"{i}.png")
    lines = ['id = "P1"', "[pullback]", 'image = "frames"', 'modality = "OCT"']
    lines += ["pixel_spacing_mm = 0.05", "frame_spacing_mm = 0.2"]
    (tmp_path / "case.toml").write_text("\n".join(lines) + more)
    out = coreg("info", tmp_path).out
    words = " ".join(out.split())
    assert "coreg segment pullback yes" in words
    assert "coreg register no: it needs the table [ccta] too" in words
    # The pictures do not say it, but the case does.
    assert "missing" not in out
    data = coreg("info", tmp_path, "--json").data
    assert data["commands"] == {"segment pullback": True, "register": False}
    assert data["usable"] is True
    assert data["files"]["pullback.image"]["missing"] == []
    done = coreg("register", tmp_path, "--out", tmp_path / "out")
    assert done.status == 3
    assert "expected the table [ccta]" in done.err


def test_a_case_whose_ccta_is_broken_can_still_be_segmented(coreg, sample, tmp_path):
    import shutil

    case = shutil.copytree(sample, tmp_path / "case")
    (case / "ccta_lumen.nii.gz").write_text("no image")
    data = coreg("info", case, "--json").data
    assert data["commands"] == {"segment pullback": True, "segment ccta": False, "register": False}
    assert (data["usable"], "ccta_lumen.nii.gz" in data["error"]) == (False, True)
