"""Images of a pullback through the command line: what is said of them, and what is refused."""

import re
import shutil
import tomllib

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom import uid

from coreg.io.case_file import load_pullback

FULL = {"modality": '"IVUS"', "pixel_spacing_mm": "0.05", "frame_spacing_mm": "0.1"}


class Run:
    """A case of the sample's CCTA with an image for a pullback, to spoil."""

    def __init__(self, folder, files):
        self.folder, self.files = folder, files
        self.keys = {"image": '"pullback.dcm"'}

    def dicom(self, frames=None, **tags):
        return self.files.pullback(self.folder / "pullback.dcm", frames, **tags)

    def pictures(self, frames=None):
        frames = self.files.frames() if frames is None else frames
        (self.folder / "run").mkdir()
        for i, each in enumerate(frames):
            Image.fromarray(each).save(self.folder / "run" / f"ZZNAME{i}.png")
        self.keys = {"image": '"run"', **FULL}

    def write(self):
        path = self.folder / "case.toml"
        before, after = path.read_text().split("[pullback]")[0], [f"{k} = {v}" for k, v in self.keys.items()]
        path.write_text("\n".join([before, "[pullback]", *after]) + "\n")
        return self.folder


@pytest.fixture
def run(sample, pullback_files, tmp_path):
    folder = shutil.copytree(sample, tmp_path / "case")
    return Run(folder, pullback_files)


def test_info_says_what_a_pullback_is_and_from_what(coreg, pullback_files, tmp_path):
    done = coreg("info", pullback_files.pullback(tmp_path / "pullback.dcm"))
    assert done.status == 0
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0].endswith("pullback images (a DICOM file of 12 frames)")
    assert lines[1:] == [
        "frames 12 of 96 x 96 pixels",
        "pixels 0.05 x 0.05 mm (SequenceOfUltrasoundRegions)",
        "length 0.2 mm, a frame every 0.02 mm (IVUSPullbackRate and FrameTime)",
        "modality IVUS (Modality)",
        "acquisition motorized (IVUSAcquisition)",
        "frame rate 25 per second (FrameTime)",
        "use as pullback.image of a case.toml",
    ]


def test_info_names_the_keys_for_what_is_missing(coreg, run):
    run.pictures()
    data = coreg("info", run.folder / "run", "--json").data
    assert data["role"] == "pullback.image"
    assert data["missing"] == [
        "pullback.pixel_spacing_mm",
        "pullback.frame_spacing_mm",
        "pullback.modality",
    ]
    assert (data["frames"], data["columns"], data["rows"]) == (12, 96, 96)


def test_info_tells_a_grey_stack_from_a_label_stack(coreg, pullback_files, tmp_path):
    grey = pullback_files.frames()
    for name, values, kind, role in (
        ("grey", grey, "pullback images", "pullback.image"),
        ("label", (grey > 60).astype(np.uint8), "label stack", "pullback.lumen"),
        ("labels", np.minimum(grey // 30, 3).astype(np.uint8), "label stack", "pullback.lumen"),
    ):
        stack = sitk.GetImageFromArray(values)
        stack.SetSpacing((0.05, 0.05, 0.1))
        sitk.WriteImage(stack, str(tmp_path / f"{name}.nii.gz"))
        data = coreg("info", tmp_path / f"{name}.nii.gz", "--json").data
        assert data["kind"].startswith(kind)
        assert data["role"] == role


def test_a_name_too_long_for_any_file_is_status_3(coreg, tmp_path):
    for command in (
        ["info"],
        ["init", "--out", tmp_path / "case.toml"],
        ["segment", "pullback", "--out", tmp_path / "out"],
        ["validate"],
    ):
        done = coreg(*command, tmp_path / ("a" * 300))
        assert done.status == 3
        assert "found File name too long" in done.err


def test_info_of_a_case_of_images_alone_says_it_can_be_segmented(coreg, pullback_files, tmp_path):
    pullback_files.pullback(tmp_path / "pullback.dcm")
    (tmp_path / "case.toml").write_text('id = "P1"\n[pullback]\nimage = "pullback.dcm"\n')
    done = coreg("info", tmp_path)
    assert done.status == 0
    words = " ".join(done.out.split())
    assert "coreg segment pullback yes" in words
    assert "coreg register no: it needs the table [ccta] too" in words
    data = coreg("info", tmp_path, "--json").data
    assert data["pullback"]["sources"]["modality"] == "the file (Modality)"
    assert data["pullback"]["frames_with_lumen"] == 0


def test_info_of_a_whole_case_says_that_the_pullback_is_segmented_first(coreg, run):
    run.dicom()
    done = coreg("info", run.write())
    assert "yes; the pullback's lumen will be segmented first" in done.out


def test_init_of_a_dicom_pullback_needs_nothing_for_it(coreg, pullback_files, tmp_path):
    file = pullback_files.pullback(tmp_path / "pullback.dcm")
    done = coreg("init", file, "--out", tmp_path / "case.toml", "--json")
    assert not [each for each in done.data["missing"] if each.startswith("pullback")]
    text = (tmp_path / "case.toml").read_text()
    assert tomllib.loads(text)["pullback"] == {"image": "pullback.dcm"}
    assert "# frame_spacing_mm = 0.02   # as the images say (IVUSPullbackRate and FrameTime)" in text
    assert load_pullback(tmp_path).pullback.frame_spacing_mm == pytest.approx(0.02)


def test_init_of_pictures_asks_for_what_they_do_not_say(coreg, run):
    run.pictures()
    done = coreg("init", run.folder / "run", "--out", run.folder / "case.toml", "--force", "--json")
    asked = [each.split(":")[0] for each in done.data["missing"] if each.startswith("pullback")]
    assert asked == ["pullback.pixel_spacing_mm", "pullback.frame_spacing_mm", "pullback.modality"]
    text = (run.folder / "case.toml").read_text()
    for key, value in FULL.items():
        text = re.sub(rf"# {key} = .*", f"{key} = {value}", text)
    (run.folder / "case.toml").write_text(text)
    assert load_pullback(run.folder).pullback.modality == "IVUS"


def without_scale(run):
    run.dicom(SequenceOfUltrasoundRegions=None)


def capture(run):
    run.dicom(storage="MultiFrameTrueColorSecondaryCaptureImageStorage", Modality="OT", IVUSAcquisition=None)


def no_frames(run):
    made = run.files.made(run.files.frames())
    made.NumberOfFrames = 0
    run.files.save(run.folder / "pullback.dcm", made)


def countless_frames(run):
    made = run.files.made(run.files.frames())
    made.NumberOfFrames = 100_000_000
    run.files.save(run.folder / "pullback.dcm", made)


def cut_off(run):
    path = run.dicom()
    path.write_bytes(path.read_bytes()[:-50_000])


def cut_off_compressed(run):
    made = run.files.made(run.files.frames())
    made.compress(uid.RLELossless)
    path = run.files.save(run.folder / "pullback.dcm", made)
    path.write_bytes(path.read_bytes()[:-50_000])


def ct_series(run):
    run.files.series(run.folder / "pullback.dcm")


def catheter_outside(run):
    run.dicom()
    run.keys["catheter_px"] = "[500.0, 40.0]"


def contours_of_another(run):
    run.dicom()
    run.keys["lumen"] = '"contours.csv"'


def still(run):
    run.dicom(IVUSPullbackRate=0.0)


def constant_positions(run):
    run.dicom()
    rows = "".join(f"{frame},3.0\n" for frame in range(12))
    (run.folder / "constant.csv").write_text(f"frame,position_mm\n{rows}")
    run.keys["positions"] = '"constant.csv"'


def reversed_positions(run):
    lines = np.full((6, 128, 100), 40, np.uint8)
    falling = [
        {"IntravascularFrameContent": {"IntravascularLongitudinalDistance": 3.0 - 0.2 * i}} for i in range(6)
    ]
    run.files.polar(run.folder / "pullback.dcm", lines, per_frame=falling, IVUSAcquisition="MEASURED")


def empty_folder(run):
    (run.folder / "run").mkdir()
    run.keys = {"image": '"run"', **FULL}


def mixed_sizes(run):
    frames = list(run.files.frames())
    run.pictures([*frames, frames[0][:80]])


def one_frame(run):
    run.dicom(run.files.frames(count=1))


def huge_frames(run):
    made = run.files.made(run.files.frames(count=2))
    made.Rows = made.Columns = 60_000
    run.files.save(run.folder / "pullback.dcm", made)


def palette_of_colours(run):
    made = run.files.made(np.repeat(run.files.frames()[..., None], 3, axis=3))
    made.PhotometricInterpretation = "PALETTE COLOR"
    for colour in ("Red", "Green", "Blue"):
        setattr(made, f"{colour}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(made, f"{colour}PaletteColorLookupTableData", np.arange(256, dtype="<u2").tobytes())
    run.files.save(run.folder / "pullback.dcm", made)


def region_elsewhere(run):
    run.dicom(SequenceOfUltrasoundRegions=[run.files.region(box=(500, 500, 900, 900))])


def no_kind_of_value(run):
    path = run.dicom()
    modality = b"\x08\x00\x60\x00"
    path.write_bytes(path.read_bytes().replace(modality + b"CS", modality + b"C{", 1))


BAD = {
    "no spacing": (without_scale, "pullback.pixel_spacing_mm: found nothing", "the size of a pixel in mm"),
    "no modality": (capture, "pullback.modality: found nothing", "expected 'OCT' or 'IVUS'"),
    "zero frames": (no_frames, "NumberOfFrames: found no frames", "at least 2 frames"),
    "countless frames": (countless_frames, "found 100000000 frames of 96 x 96", "at most 8,000,000,000"),
    "cut off": (cut_off, "found pixels that cannot be decoded", "expected whole frames"),
    "cut off compressed": (
        cut_off_compressed,
        "found pixels that cannot be decoded",
        "expected whole frames",
    ),
    "a CT series": (ct_series, "found no pullback (DICOM: 40 CT)", "a CCTA goes to ccta.image"),
    "catheter outside": (catheter_outside, "pullback.catheter_px: found column 500, row 40", "0 to 95"),
    "no motion": (still, "IVUSPullbackRate of 0 mm/s", "pullback.frame_spacing_mm"),
    "constant positions": (constant_positions, "12 equal positions", "expected positions that differ"),
    "reversed positions": (reversed_positions, "pullback.first_frame: found nothing", "'distal' if the cath"),
    "an empty folder": (empty_folder, "pullback.image", "found a folder without frames"),
    "mixed sizes": (mixed_sizes, "found a frame of 96 x 80 pixels", "expected frames of one size"),
    "huge frames": (huge_frames, "found frames of 60000 x 60000 pixels", "at most 8192 pixels along a side"),
    "a palette of colours": (
        palette_of_colours,
        "frame 0 (from 0): found 96 x 96 x 3 x 3 values, unlike the header's 96 x 96",
        "export the pullback again",
    ),
    "a region elsewhere": (
        region_elsewhere,
        "found a region of the picture outside of the frames (SequenceOfUltrasoundRegions)",
        "expected one within 96 x 96 pixels",
    ),
    "no kind of value": (no_kind_of_value, "DICOM: 1 damaged or cut off", "expected frames of IVUS or OCT"),
    "one frame": (one_frame, "pullback.image: found 1 frame", "a pullback of at least 2 frames"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_images_are_status_3_with_advice_and_leave_nothing(coreg, run, kind):
    spoil, found, advice = BAD[kind]
    spoil(run)
    done = coreg("register", run.write(), "--out", run.folder.parent / "new" / "out")
    assert done.status == 3, done.err
    assert found in done.err
    assert advice in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert not (run.folder.parent / "new").exists()
    assert not [each for each in (*run.files.identity, "ZZNAME") if each in done.err]


def test_contours_of_another_pullback_are_status_3_where_the_image_is_read(coreg, run):
    contours_of_another(run)
    (run.folder / "case.toml").write_text(
        'id = "P1"\n[pullback]\nimage = "pullback.dcm"\nlumen = "contours.csv"\n'
    )
    done = coreg("segment", "pullback", run.folder, "--out", run.folder.parent / "out")
    assert done.status == 3, done.err
    assert "are these another pullback's contours?" in done.err
    assert not (run.folder.parent / "out").exists()


def exports(run):
    """Every kind of DICOM that a pullback may come as, and broken ones, all full of identity."""
    run.dicom(CineRate=30, PatientOrientation="ZZORIENTATION")
    yield run.folder / "pullback.dcm"
    yield run.files.single_frames(run.folder / "export", prefix="ZZNAME")
    yield run.files.polar(run.folder / "polar.dcm", np.full((6, 128, 100), 40, np.uint8))
    yield run.files.pullback(run.folder / "bare.dcm", Modality="OT", SequenceOfUltrasoundRegions=None)
    cut = run.files.pullback(run.folder / "cut.dcm")
    cut.write_bytes(cut.read_bytes()[:900])
    yield cut


def test_no_identity_comes_out_of_images(coreg, run):
    secrets = [*run.files.identity, "ZZORIENTATION", "ZZNAME"]
    for path in exports(run):
        run.keys = {"image": f'"{path.name}"'}
        for command in (
            ["info", path],
            ["info", run.write()],
            ["init", path, "--out", run.folder / "new.toml", "--force"],
        ):
            for option in ("--verbose", "--json"):
                done = coreg(*command, option)
                written = run.folder / "new.toml"
                text = done.out + done.err + (written.read_text() if written.exists() else "")
                assert done.status in {0, 3}
                assert not [each for each in secrets if each in text]
