"""DICOM through the command line: what `info` and `init` say of it, and that no identity comes out."""

import tomllib

import pytest


def scan(ct_files, folder):
    """Write what a CCTA export holds: a scout, two reconstructions, a report, and a pullback."""
    scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    ct_files.series(
        folder / "1", number=1, skip=range(2, 40), change=lambda d, _: setattr(d, "ImageType", scout)
    )
    ct_files.series(folder / "2", number=5, NominalPercentageOfCardiacPhase=40.0)
    ct_files.series(folder / "2", number=6, ConvolutionKernel="B46f", skip=[11])
    ct_files.save(folder / "report", ct_files.dataset(8, "BasicTextSRStorage", Modality="SR"))
    pullback(ct_files, folder / "pullback")
    return folder


def pullback(ct_files, path):
    storage = "IntravascularOpticalCoherenceTomographyImageStorageForPresentation"
    return ct_files.save(path, ct_files.dataset(9, storage, Modality="IVOCT", NumberOfFrames=270))


def test_info_lists_the_series_of_a_folder_and_says_how_to_choose(coreg, ct_files, tmp_path):
    done = coreg("info", scan(ct_files, tmp_path / "dicom"))
    assert done.status == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0].endswith("dicom: CT (DICOM)")
    assert lines[1].startswith("series 1 2 slices of 64 x 64")
    assert lines[2] == "series 1, left out a scout (localizer)"
    assert "phase 40 %" in lines[3]
    assert lines[5].startswith("series 3, problem slices: found 1 missing slice")
    assert "choice set `ccta.series = N` in case.toml, N being one of 2, 3" in lines
    assert "besides 1 OCT pullback, 1 report" in lines
    assert lines[-2] == "pullbacks give the pullback's own file or folder to coreg info and to pullback.image"
    assert lines[-1] == "use as ccta.image of a case.toml"


def test_info_gives_the_series_as_json(coreg, ct_files, tmp_path):
    data = coreg("info", scan(ct_files, tmp_path / "dicom"), "--json").data
    assert data["role"] == "ccta.image"
    assert data["usable"] == [2, 3]
    assert [each["number"] for each in data["series"]] == [1, 2, 3]
    assert data["series"][1]["slice_spacing_mm"] == pytest.approx(1.0)
    assert data["series"][1]["phase_percent"] == 40.0
    assert data["series"][2]["kernel"] == "B46f"
    assert data["others"] == {"report": 1, "OCT pullback": 1}
    assert "files" not in data["series"][0]


def test_info_of_a_case_shows_the_series_that_it_chose(coreg, ct_files, tmp_path):
    scan(ct_files, tmp_path / "dicom")
    (tmp_path / "case.toml").write_text('id = "P1"\n[ccta]\nimage = "dicom"\nseries = 2\n')
    done = coreg("info", tmp_path)
    (line,) = (line for line in done.out.splitlines() if line.strip().startswith("ccta.image"))
    assert "phase 40 %" in line
    assert "series 3" not in line
    assert "choice" not in line


def test_info_of_one_slice_tells_of_its_series(coreg, ct_files, tmp_path):
    files = ct_files.series(tmp_path)
    data = coreg("info", files[3], "--json").data
    assert (data["kind"], data["role"], data["series"][0]["slices"]) == ("CT (DICOM)", "ccta.image", 40)


@pytest.mark.parametrize(
    ("modality", "storage", "patient", "match"),
    [
        ("MR", "MRImageStorage", "ZZID4711", "no CT slices (1 MR)"),
        (None, None, "ZZID4712", "more than one patient"),
        (None, None, None, "a folder without case.toml, registration.json, DICOM files or pictures"),
    ],
)
def test_info_of_a_folder_that_is_no_ccta_is_status_3(
    coreg, ct_files, tmp_path, modality, storage, patient, match
):
    if modality:
        ct_files.save(tmp_path / "other", ct_files.dataset(2, storage, Modality=modality))
    elif patient:
        ct_files.series(tmp_path)
        ct_files.save(tmp_path / "other", ct_files.dataset(2, "MRImageStorage", PatientID=patient))
    done = coreg("info", tmp_path)
    assert done.status == 3
    assert match in done.err
    assert str(tmp_path) in done.err


def test_init_takes_a_folder_as_the_image(coreg, ct_files, tmp_path):
    ct_files.series(tmp_path / "dicom")
    done = coreg("init", tmp_path / "dicom", "--out", tmp_path / "case.toml", "--json")
    assert done.status == 0
    assert tomllib.loads((tmp_path / "case.toml").read_text())["ccta"]["image"] == "dicom"
    assert not any("series" in each for each in done.data["missing"])


def test_init_asks_which_of_several_series(coreg, ct_files, tmp_path):
    scan(ct_files, tmp_path / "dicom")
    done = coreg("init", tmp_path / "dicom", "--out", tmp_path / "case.toml", "--json")
    assert (
        "ccta.series: which CT series the image is, one of 2, 3 as `coreg info` lists them"
        in done.data["missing"]
    )
    text = (tmp_path / "case.toml").read_text()
    assert "\n# series = 2\n" in text
    assert tomllib.loads(text.replace("# series = 2", "series = 2"))["ccta"]["series"] == 2


def test_init_takes_slices_given_one_by_one_as_one_image(coreg, ct_files, tmp_path):
    files = ct_files.series(tmp_path / "dicom")
    done = coreg("init", *files, "--out", tmp_path / "case.toml", "--json")
    assert list(done.data["roles"]) == ["ccta.image"]
    assert done.data["unused"] == [f"39 more DICOM files beside {files[0]}, which stands for its series"]


def test_no_identity_comes_out_of_any_command(coreg, ct_files, tmp_path):
    folder = scan(ct_files, tmp_path / "dicom")
    mixed = scan(ct_files, tmp_path / "mixed")
    ct_files.series(mixed / "3", number=7, PatientID="ZZID4712")
    cut = ct_files.series(tmp_path / "cut")
    cut[3].write_bytes(cut[3].read_bytes()[:700])
    case = tmp_path / "case.toml"
    for path in (folder, mixed, tmp_path / "cut", cut[3], cut[4], folder / "pullback", folder / "report"):
        for command in (["info", path], ["init", path, "--out", case, "--force"]):
            for option in ("--verbose", "--json"):
                done = coreg(*command, option)
                text = done.out + done.err + (case.read_text() if case.exists() else "")
                assert done.status in {0, 3}
                assert not [each for each in ct_files.identity if each in text]
