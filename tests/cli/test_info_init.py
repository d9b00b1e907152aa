import shutil
import tomllib

import numpy as np
import pytest
import SimpleITK as sitk

from coreg.io.case_file import load_case


def test_info_of_a_case_shows_fields_and_files(coreg, sample):
    done = coreg("info", sample, "--json")
    assert done.status == 0
    assert done.data["usable"] is True
    assert done.data["case"]["id"] == load_case(sample).id
    assert done.data["pullback"]["frames"] == len(load_case(sample).pullback)
    assert done.data["files"]["ccta.lumen"]["components"] >= 1


def test_info_in_words_names_what_a_file_is_for(coreg, sample):
    out = coreg("info", sample / "contours.csv").out
    assert "pullback contours" in out
    assert "pullback.lumen of a case.toml" in out
    assert "normalised on reading" in out


def test_info_of_a_missing_file_is_status_3(coreg, tmp_path):
    done = coreg("info", tmp_path / "none.csv")
    assert done.status == 3
    assert "none.csv: found no such file" in done.err


def test_info_of_a_broken_case_says_why(coreg, sample, tmp_path):
    shutil.copytree(sample, tmp_path / "case")
    (tmp_path / "case" / "contours.csv").unlink()
    done = coreg("info", tmp_path / "case", "--json")
    assert done.status == 0
    assert done.data["usable"] is False
    assert "contours.csv" in done.data["error"]


def test_info_of_real_files(coreg, real_data):
    folder = real_data / "anomalous-rca"
    line = coreg("info", folder / "rca_centerline.vtp", "--json").data
    assert (line["role"], line["lines"]) == ("ccta.centerline", 4)
    surface = coreg("info", folder / "ccta_surface.stl", "--json").data
    assert (surface["role"], surface["triangles"], surface["open_edges_mm"]) == ("ccta.lumen", 30350, 0)
    contours = coreg("info", folder / "ivus_rest_diastole" / "diastolic_contours.csv", "--json").data
    assert contours["lumen"]["frames"] == 20
    assert contours["lumen"]["area_mm2"] == pytest.approx([4.9, 20.8], abs=0.1)


def files_of(sample):
    return sorted(each for each in sample.iterdir() if each.is_file() and each.name != "case.toml")


def test_init_finds_roles_by_content_and_makes_a_case_that_loads(coreg, sample, tmp_path):
    for file in files_of(sample):
        shutil.copy(
            file, tmp_path / file.name.replace(file.name.split(".")[0], f"x{len(file.name)}{file.name[0]}")
        )
    files = [each for each in tmp_path.iterdir() if each.is_file()]
    out = tmp_path / "case.toml"
    done = coreg("init", *files, "--out", out)
    assert done.status == 0, done.err
    text = out.read_text()
    assert "# REQUIRED" in text
    assert "frame_spacing_mm" in text
    with_spacing = text.replace("# frame_spacing_mm = 0.2", "frame_spacing_mm = 0.2")
    out.write_text(with_spacing)
    made, given = load_case(out), load_case(sample)
    assert made.pullback.frame.tolist() == given.pullback.frame.tolist()
    assert len(made.landmarks) == len(given.landmarks)
    assert made.lumen.values.sum() == given.lumen.values.sum()


def test_init_with_a_pullback_alone_says_that_it_can_be_segmented_so(coreg, sample, tmp_path):
    out = tmp_path / "case.toml"
    assert coreg("init", sample / "contours.csv", "--out", out).status == 0
    assert "`coreg segment pullback` does not need this table" in out.read_text()


def test_init_marks_everything_that_is_missing(coreg, tmp_path):
    out = tmp_path / "case.toml"
    done = coreg("init", "--out", out, "--json")
    assert done.status == 0
    missing = " ".join(done.data["missing"])
    for key in ("ccta.lumen", "ccta.ostium", "ccta.distal", "pullback.lumen", "pullback.frame_spacing_mm"):
        assert key in missing
    assert out.read_text().count("# REQUIRED") == 5
    tomllib.loads(out.read_text())


def test_init_with_an_image_asks_for_clicks_but_not_for_a_lumen(coreg, tmp_path):
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(0.0, 300.0, (20, 24, 28)).astype(np.int16))
    sitk.WriteImage(image, str(tmp_path / "scan.nii.gz"))
    done = coreg("init", tmp_path / "scan.nii.gz", "--out", tmp_path / "case.toml", "--json")
    assert done.status == 0, done.err
    missing = " ".join(done.data["missing"])
    assert "ccta.lumen" not in missing
    assert "ccta.ostium" in missing
    assert "--tree` lists far ends" in missing
    text = (tmp_path / "case.toml").read_text()
    assert "`coreg segment ccta` does not need this table" in text
    assert tomllib.loads(text)["ccta"] == {"image": "scan.nii.gz"}


def test_info_of_an_image_says_where_it_lies_in_the_patient(coreg, tmp_path):
    image = sitk.GetImageFromArray(np.random.default_rng(0).normal(0.0, 300.0, (21, 11, 31)).astype(np.int16))
    image.SetSpacing((0.5, 0.5, 1.0))
    image.SetOrigin((10.0, -20.0, 5.0))
    # Columns towards the patient's right: LPS x falls.
    image.SetDirection((-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    sitk.WriteImage(image, str(tmp_path / "scan.nrrd"))
    out = coreg("info", tmp_path / "scan.nrrd").out
    assert "[-5.0, -20.0, 5.0] to [10.0, -15.0, 25.0] mm" in out


def test_info_of_a_label_warns_that_all_its_values_count(coreg, tmp_path):
    values = np.zeros((20, 20, 20), np.uint8)
    values[5:15, 5:15, 5:15], values[8:12, 8:12, 8:12] = 1, 3
    sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / "label.nii.gz"))
    assert (
        "2 different ones, 1 to 3; all of them count as inside"
        in coreg("info", tmp_path / "label.nii.gz").out
    )


def test_init_never_overwrites_without_force(coreg, tmp_path):
    out = tmp_path / "case.toml"
    out.write_text("mine")
    assert coreg("init", "--out", out).status == 2
    assert out.read_text() == "mine"
    assert coreg("init", "--out", out, "--force").status == 0


def test_an_out_that_init_cannot_write_is_status_2(coreg, tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file" / "case.toml", tmp_path / ("a" * 300)):
        done = coreg("init", "--out", out)
        assert done.status == 2
        assert "expected a file that can be written" in " ".join(done.err.split())


def test_init_from_holorama_asks_for_the_catheter(coreg, real_data, tmp_path):
    folder = real_data / "anomalous-rca"
    files = [folder / "ccta_surface.stl", folder / "rca_centerline.vtp"]
    files += sorted((folder / "ivus_rest_diastole").glob("*.csv"))
    done = coreg("init", *files, "--out", tmp_path / "case.toml", "--json")
    assert done.status == 0
    assert set(done.data["roles"]) == {
        "ccta.lumen",
        "ccta.centerline",
        "pullback.lumen",
        "pullback.positions",
    }
    assert len(done.data["unused"]) == 2
    missing = " ".join(done.data["missing"])
    assert "pullback.catheter_mm" in missing
    assert "several lines" in missing
    assert "frame_spacing_mm" not in missing


def test_init_never_writes_over_an_input(coreg, sample, tmp_path):
    contours = tmp_path / "contours.csv"
    contours.write_bytes((sample / "contours.csv").read_bytes())
    done = coreg("init", contours, "--out", tmp_path / "." / "contours.csv", "--force")
    assert done.status == 2
    assert "is one of the inputs" in done.err
    assert contours.read_bytes() == (sample / "contours.csv").read_bytes()
