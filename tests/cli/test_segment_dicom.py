"""Segmentation and registration of a DICOM folder: what is refused, and that no identity comes out."""

import base64
import csv
import gzip
import json
import re

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from coreg.io.contour_formats import write_contours

SPACING_MM, ORIGIN = (0.6, 0.5, 0.5), (-16.0, -15.0, 0.0)
OSTIUM, DISTAL = [-2.0, 0.0, 32.0], [2.0, 0.0, 4.0]
FILE_NAME = "ZZFILENAME"
PULLBACK = """
[pullback]
lumen = "contours.csv"
modality = "OCT"
catheter_type = "rotating"
acquisition = "motorized"
frame_spacing_mm = 0.4
"""


def axis_mm():
    """Points of the artery's axis from the aorta at the top downwards."""
    z = np.linspace(38.0, 1.0, 400)
    return np.column_stack([3.0 * np.cos(0.1 * z), 2.0 * np.sin(0.08 * z), z])


def radius_mm(z):
    return 1.5 + 0.012 * z - 0.35 * np.exp(-(((z - 16.0) / 2.5) ** 2))


def small_ccta():
    """HU, (slices, rows, columns): an artery of changing width in fat, its aorta, muscle and air."""
    shape = (70, 60, 64)
    k, j, i = np.meshgrid(*map(np.arange, shape), indexing="ij")
    world = np.stack([i, j, k], axis=-1) * SPACING_MM[::-1] + ORIGIN
    hu = np.where(world[..., 1] > 9.0, 100.0, -80.0)
    hu[world[..., 1] < -12.0] = -1000.0
    points = axis_mm()
    distance, nearest = cKDTree(points).query(world)
    wide = radius_mm(points[nearest, 2])
    hu[distance < wide + 0.7] = 60.0
    hu[distance < wide] = 380.0
    hu[np.linalg.norm(world - [points[0, 0], points[0, 1], 42.0], axis=-1) < 7.5] = 380.0
    hu = gaussian_filter(hu, 0.45 / np.array(SPACING_MM))
    return np.rint(hu + np.random.default_rng(2).normal(0.0, 12.0, shape)).astype(np.int16)


def write_case(folder, image="dicom", more=""):
    folder.mkdir(parents=True, exist_ok=True)
    text = f'id = "P1"\n[ccta]\nimage = "{image}"\nostium = {OSTIUM}\ndistal = {DISTAL}\n{more}'
    (folder / "case.toml").write_text(text)
    return folder


def write_pullback(path):
    """Contours of a catheter beside the axis of the same artery, the most distal frame first."""
    angle = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    circle = np.column_stack([np.cos(angle), np.sin(angle)])
    heights = np.arange(6.0, 30.0, 0.4)
    lumen = {n: radius_mm(z) * circle + [0.4 * np.cos(0.3 * z), 0.2] for n, z in enumerate(heights)}
    write_contours(path, {"lumen": lumen})


@pytest.fixture
def scan(ct_files, tmp_path):
    """Write a case whose artery is found, as DICOM files named after the patient."""
    folder = write_case(tmp_path / "case", more=PULLBACK)
    write_pullback(folder / "contours.csv")
    ct_files.series(
        folder / "dicom", small_ccta(), spacing=SPACING_MM, origin=ORIGIN, prefix=FILE_NAME, RescaleType="HU"
    )
    return folder


def tags(slices, **values):
    def change(made, i):
        if i in slices:
            for keyword, value in values.items():
                setattr(made, keyword, value)

    return change


def tilted(made, i):
    x, y, z = made.ImagePositionPatient
    made.ImagePositionPatient = [x, y + 0.2 * i, z]


def without_rescale(made, _):
    del made.RescaleSlope


def no_ct(files, folder):
    files.save(folder / "1", files.dataset(1, "MRImageStorage", Modality="MR"))
    files.save(folder / "2", files.dataset(2, "BasicTextSRStorage", Modality="SR"))


def spoiled(change=None, **options):
    return lambda files, folder: files.series(folder, change=change, **options)


def two_series(files, folder):
    files.series(folder, number=1)
    files.series(folder, number=2, ConvolutionKernel="B46f")


BAD = {
    "no ct": (no_ct, "no CT slices (1 MR, 1 report)", "export the CT series"),
    "mixed patients": (
        spoiled(tags([5], PatientID="ZZID4712")),
        "found more than one patient",
        "expected",
    ),
    "missing slices": (
        spoiled(skip=(11, 12)),
        "found 2 missing slices, the first after z = 910.00 mm",
        "expected a slice every",
    ),
    "tilt": (spoiled(tilted), "gantry tilt: found slices stacked 11.3 degrees off", "straighten"),
    "tilt in the header": (
        spoiled(GantryDetectorTilt=-15.0),
        "GantryDetectorTilt: found -15.0 degrees",
        "straighten",
    ),
    "no rescale": (
        spoiled(without_rescale),
        "40 of 40 slices without RescaleSlope and RescaleIntercept",
        "expected",
    ),
    "no hu": (
        spoiled(RescaleIntercept=0),
        "pixels: found values from 24 to 1724",
        "expected CT numbers in HU",
    ),
    "two series": (two_series, "found 2 CT series", "set `ccta.series = N` in case.toml"),
}


@pytest.mark.parametrize("command", [("segment", "ccta"), ("register",)], ids=["segment", "register"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_dicom_is_status_3_with_advice_and_leaves_nothing(coreg, ct_files, tmp_path, kind, command):
    spoil, found, advice = BAD[kind]
    folder = write_case(tmp_path / "case", more=PULLBACK)
    write_pullback(folder / "contours.csv")
    spoil(ct_files, folder / "dicom")
    done = coreg(*command, folder, "--out", tmp_path / "new" / "out")
    assert done.status == 3, done.err
    for part in ("ccta.image", str(folder / "dicom"), found, advice):
        assert part in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert not (tmp_path / "new").exists()
    assert not [each for each in ct_files.identity if each in done.err]


def texts_in(folder):
    """All that a reader could find in the files of a result: packed and embedded content too."""
    for path in folder.rglob("*"):
        yield path, path.name.encode()
        if path.is_file():
            content = path.read_bytes()
            yield path, content
            if path.suffix == ".gz":
                yield path, gzip.decompress(content)
            for packed in re.findall(rb"base64,([A-Za-z0-9+/=]+)", content):
                yield path, base64.b64decode(packed)


@pytest.mark.parametrize("image", ["dicom", f"dicom/{FILE_NAME}1-037-1"], ids=["folder", "slice"])
def test_no_identity_comes_out_of_segment(coreg, ct_files, scan, tmp_path, image):
    write_case(scan, image)
    outputs = b""
    for option in ("-v", "--json"):
        done = coreg("segment", "ccta", scan, "--out", tmp_path / "out", option)
        assert done.status == 0, done.err
        outputs += (done.out + done.err).encode()
    assert_hidden(ct_files, tmp_path / "out", outputs)


def assert_hidden(ct_files, out, said):
    secrets = [each.encode() for each in (*ct_files.identity, FILE_NAME)]
    seen = [(out, said), *texts_in(out)]
    assert len(seen) > 20
    assert [(path, secret) for path, text in seen for secret in secrets if secret in text] == []


@pytest.mark.slow
def test_no_identity_comes_out_of_register(coreg, ct_files, scan, tmp_path):
    outputs = b""
    for option in ("-v", "--json"):
        done = coreg("register", scan, "--out", tmp_path / "out", option)
        assert done.status == 0, done.err
        outputs += (done.out + done.err).encode()
    assert json.loads(done.out)["segmentation"]["length_mm"] > 20.0
    assert (tmp_path / "out" / "segmentation" / "ccta_lumen.nii.gz").is_file()
    assert_hidden(ct_files, tmp_path / "out", outputs)


IMAGES = """
[pullback]
image = "ZZFILENAME.dcm"
pixel_spacing_mm = 0.06
"""
HEIGHTS_MM = np.arange(6.0, 30.0, 0.4)


def drawn(heights, wall, *, size=96, pixel_mm=0.06, blood=6.0, seed=4):
    """Frames of the artery at heights, the catheter beside its axis; `wall(i, depth, x, y)` paints tissue."""
    rng = np.random.default_rng(seed)
    y, x = (np.indices((size, size)) - 0.5 * (size - 1)) * pixel_mm
    frames = np.empty((len(heights), size, size), np.uint8)
    for i, (frame, z) in enumerate(zip(frames, heights, strict=True)):
        depth = np.hypot(x - 0.4 * np.cos(0.3 * z), y - 0.2) - radius_mm(z)
        grey = np.where(depth > 0.0, wall(i, depth, x, y), blood) * rng.gamma(8.0, 1.0 / 8.0, x.shape)
        grey[np.hypot(x, y) > 0.5 * size * pixel_mm - 0.1] = 0.0
        frame[:] = np.clip(grey, 0.0, 255.0)
    return frames


@pytest.mark.slow
def test_images_of_both_are_segmented_and_no_identity_comes_out(coreg, ct_files, pullback_files, tmp_path):
    more = IMAGES + 'modality = "OCT"\nframe_spacing_mm = 0.4\n'
    folder, out = write_case(tmp_path / "case", more=more), tmp_path / "out"
    options = {"spacing": SPACING_MM, "origin": ORIGIN, "prefix": FILE_NAME, "RescaleType": "HU"}
    ct_files.series(folder / "dicom", small_ccta(), NominalPercentageOfCardiacPhase=40.0, **options)
    frames = drawn(HEIGHTS_MM, lambda _, depth, *__: 190.0 * np.exp(-depth / 0.9))
    pullback_files.pullback(folder / f"{FILE_NAME}.dcm", frames)
    done = coreg("register", folder, "--out", out, "--json", "-v")
    assert done.status == 0, done.err
    assert "pullback: lumen" in done.err
    assert "CCTA: lumen and wall" in done.err
    assert done.data["segmentation"]["length_mm"] > 20.0
    area = np.pi * radius_mm(HEIGHTS_MM) ** 2
    assert done.data["pullback_segmentation"]["lumen_area_mm2"] == pytest.approx(area.mean(), rel=0.08)
    names = {each.name for each in (out / "segmentation").iterdir()}
    assert {"segmentation.json", "pullback_segmentation.json", "ccta_lumen.nii.gz", "contours.csv"} <= names
    content = json.loads((out / "registration.json").read_text())
    made = content["provenance"]
    # A lumen that a program outlined is believed less than a reader's.
    assert content["settings"]["surface"]["radius_mm"] == pytest.approx(0.4)
    assert made["ccta_phase_percent"] == 40.0
    assert made["ccta_lumen"] == "segmented from the image"
    assert made["pullback_lumen"] == "segmented from the images"
    assert set(made["inputs_sha256"]) == {
        "case.toml",
        "ccta.image (all its DICOM files)",
        "pullback.image",
    }
    of_ccta = json.loads((out / "segmentation" / "segmentation.json").read_text())
    assert of_ccta["provenance"]["ccta_phase_percent"] == 40.0
    told = coreg("info", out / "segmentation", "--json").data
    assert told["kind"].startswith("a segmented CCTA and pullback")
    assert told["ccta"]["length_mm"] == pytest.approx(done.data["segmentation"]["length_mm"])
    assert told["pullback"]["frames"] == len(HEIGHTS_MM)
    page = (out / "report.html").read_text()
    assert page.index('id="confidence"') < page.index('id="frames"') < page.index('id="straightened"')
    assert_hidden(pullback_files, out, (done.out + done.err).encode())


@pytest.mark.slow
def test_ivus_through_the_heartbeat_takes_part_with_a_frame_per_beat(
    coreg, ct_files, pullback_files, tmp_path
):
    count, beat = 260, 26.0
    more = IMAGES + 'modality = "IVUS"\nframe_spacing_mm = 0.06\nframe_rate_hz = 30.0\n'
    folder, out = write_case(tmp_path / "case", more=more), tmp_path / "out"
    options = {"spacing": SPACING_MM, "origin": ORIGIN, "prefix": FILE_NAME, "RescaleType": "HU"}
    ct_files.series(folder / "dicom", small_ccta(), NominalPercentageOfCardiacPhase=40.0, **options)
    echo = gaussian_filter(np.random.default_rng(5).standard_normal((160, 110, 110)), (3.0, 1.5, 1.5))
    echo = 120.0 + 40.0 * echo / echo.std()

    phase = (np.arange(count) / beat) % 1.0
    swing = 2.0 * np.sin(np.pi * np.minimum(phase / 0.4, 1.0)) ** 2
    heights = 7.0 + 0.06 * np.arange(count) + swing

    def tissue(i, _, x, y):
        place = np.broadcast_to(2.0 * heights[i], x.shape)
        across = [each / 0.06 + 54.5 + 2.5 * swing[i] for each in (y, x)]
        return map_coordinates(echo, [place, *across], order=1)

    frames = drawn(heights, tissue, blood=25.0)
    pullback_files.pullback(folder / f"{FILE_NAME}.dcm", frames)
    done = coreg("register", folder, "--out", out, "--phase", "diastole", "--json")
    assert done.status == 0, done.err
    gating = done.data["pullback_segmentation"]["gating"]
    assert gating["beat_frames"] == pytest.approx(beat, rel=0.06)
    with (out / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    others = [row for row in rows if int(row["frame"]) not in gating["frames"]]
    assert len(others) == count - len(gating["frames"])
    assert {row["reliable"] for row in others} == {"0"}
    assert any("not in the gated phase" in row["reason"] for row in others)
    made = json.loads((out / "registration.json").read_text())["provenance"]
    assert made["pullback_phase"] == "diastole"
    assert made["pullback_phase_probability"] == gating["probability"]
    assert any("The CCTA shows systole (40 %" in note for note in done.data["pullback_segmentation"]["notes"])
    page = (out / "report.html").read_text()
    assert "Pullback: heartbeat" in page
    assert "The CCTA shows systole" in page


def test_an_image_that_is_a_loop_of_links_is_status_3(coreg, tmp_path):
    folder = write_case(tmp_path / "case")
    (folder / "dicom").symlink_to(folder / "dicom")
    done = coreg("segment", "ccta", folder, "--out", tmp_path / "out")
    assert done.status == 3, done.err
    assert "ccta.image: found no such file or folder" in done.err
