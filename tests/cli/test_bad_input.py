"""Bad input through the command line: the exit status, one message, and nothing left behind."""

import csv
import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk

LABEL, LINE, CONTOURS, LANDMARKS = "ccta_lumen.nii.gz", "centerline.csv", "contours.csv", "landmarks.csv"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(600)
XYZ = ("x_mm", "y_mm", "z_mm")


class Sample:
    """A copy of the sample to spoil."""

    def __init__(self, folder):
        self.folder = folder

    def keys(self, **keys):
        """Set keys of case.toml to TOML text; None drops one."""
        path = self.folder / "case.toml"
        text = path.read_text()
        for key, value in keys.items():
            line = "" if value is None else f"{key} = {value}\n"
            text, count = re.subn(rf"^{key} = .*\n", lambda _, line=line: line, text, count=1, flags=re.M)
            assert count == 1
        path.write_text(text)

    def bytes(self, name, content):
        (self.folder / name).write_bytes(content)

    def text(self, name, content):
        self.bytes(name, content.encode())

    def label(self, change, name=LABEL):
        """Replace the voxels by ``change(voxels)``."""
        image = sitk.ReadImage(str(self.folder / LABEL))
        changed = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
        changed.CopyInformation(image)
        sitk.WriteImage(changed, str(self.folder / name))

    def spacing(self, *spacing_mm):
        """Put a spacing into the NIfTI header, as broken exporters do."""
        content = bytearray(gzip.decompress((self.folder / LABEL).read_bytes()))
        content[80:92] = np.array(spacing_mm, dtype="<f4").tobytes()
        self.bytes(LABEL, gzip.compress(bytes(content), compresslevel=1))

    def rows(self, name, change):
        """Replace each row of a table by ``change(row)``; None drops it."""
        with (self.folder / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        with (self.folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(row for row in map(change, map(dict, rows)) if row is not None)

    def scaled(self, name, factors, columns=XYZ):
        """Multiply columns of a table."""
        pairs = list(zip(columns, factors, strict=True))
        self.rows(name, lambda row: row | {key: float(row[key]) * factor for key, factor in pairs})

    def shifted(self, name, shift_mm):
        pairs = list(zip(XYZ, shift_mm, strict=True))
        self.rows(name, lambda row: row | {key: float(row[key]) + by for key, by in pairs})

    def positions(self, value):
        """Give positions by frame."""
        rows = "".join(f"{frame},{value(frame)}\n" for frame in range(200))
        self.text("positions.csv", f"frame,position_mm\n{rows}")
        self.keys(frame_spacing_mm='0.4\npositions = "positions.csv"')


def with_nan(voxels):
    """Take every hundredth voxel of the lumen for NaN."""
    values = voxels.astype(np.float32)
    values[tuple(np.argwhere(voxels > 0)[::100].T)] = np.nan
    return values


def cut_through(voxels):
    voxels[len(voxels) // 2 - 3 : len(voxels) // 2 + 3] = 0
    return voxels


def frames_below(count):
    return lambda row: row if int(row["frame"]) < count else None


def one_cell(column, value, *, line=5):
    """Change one cell of a table."""
    count = iter(range(2, 10**6))
    return lambda row: row | {column: value} if next(count) == line else row


UNUSABLE = {
    "missing label": (lambda s: (s.folder / LABEL).unlink(), LABEL, "ccta.lumen", "no such file"),
    "missing contours": (
        lambda s: (s.folder / CONTOURS).unlink(),
        CONTOURS,
        "pullback.lumen",
        "no such file",
    ),
    "missing centerline": (lambda s: (s.folder / LINE).unlink(), LINE, "ccta.centerline", "no such file"),
    "missing landmarks": (lambda s: (s.folder / LANDMARKS).unlink(), LANDMARKS, "landmarks.file", "no such"),
    "a PNG as NIfTI": (lambda s: s.bytes(LABEL, PNG), LABEL, "ccta.lumen", "expected a NIfTI image"),
    "a zipped PNG as NIfTI": (
        lambda s: s.bytes(LABEL, gzip.compress(PNG)),
        LABEL,
        "header",
        "no NIfTI header",
    ),
    "text as STL": (
        lambda s: (s.text("a.stl", "text"), s.keys(lumen='"a.stl"')),
        "a.stl",
        "ccta.lumen",
        "expected an STL file",
    ),
    "a folder as label": (lambda s: s.keys(lumen='"."'), "case", "ccta.lumen", "found a folder"),
    "binary contours": (lambda s: s.bytes(CONTOURS, PNG), CONTOURS, "pullback.lumen", "UTF-8"),
    "unknown key": (
        lambda s: s.keys(frame_spacing_mm="0.4\nframe_spacng_mm = 0.4"),
        "case.toml",
        "pullback.frame_spacng_mm",
        "did you mean pullback.frame_spacing_mm?",
    ),
    "id with a path": (lambda s: s.keys(id='"../x"'), "case.toml", "id", "found '../x', expected 1 to 64"),
    "patient with a path": (lambda s: s.keys(patient='"../x"'), "case.toml", "patient", "expected 1 to 64"),
    "empty label": (lambda s: s.label(lambda v: v * 0), LABEL, "voxels", "an empty label"),
    "label without outside": (lambda s: s.label(lambda v: v * 0 + 1), LABEL, "voxels", "no background"),
    "label with NaN": (lambda s: s.label(with_nan), LABEL, "voxels", "found nan at slice"),
    "NRRD label with NaN": (
        lambda s: (s.label(with_nan, "a.nrrd"), s.keys(lumen='"a.nrrd"')),
        "a.nrrd",
        "voxels",
        "found nan at slice",
    ),
    "label of zero spacing": (lambda s: s.spacing(0.3, 0.0, 0.3), LABEL, "spacing", "above 0"),
    "label of NaN spacing": (lambda s: s.spacing(0.3, np.nan, 0.3), LABEL, "spacing", "finite"),
    "label in metres": (lambda s: s.spacing(0.0004, 0.0004, 0.0004), LABEL, "spacing", "0.05 to 5.0 mm"),
    "label of huge voxels": (lambda s: s.spacing(40, 40, 40), LABEL, "spacing", "0.05 to 5.0 mm"),
    "label that is no lumen": (
        lambda s: (s.label(lambda v: 1 - v), s.spacing(1, 1, 1)),
        LABEL,
        "voxels",
        "expected the lumen of arteries",
    ),
    "label cut off": (
        lambda s: s.bytes(LABEL, (s.folder / LABEL).read_bytes()[:3000]),
        LABEL,
        "ccta.lumen",
        "cut off",
    ),
    "label cut off before zipping": (
        lambda s: s.bytes(LABEL, gzip.compress(gzip.decompress((s.folder / LABEL).read_bytes())[:99999])),
        LABEL,
        "length",
        "is it cut off?",
    ),
    "another patient's centerline": (
        lambda s: s.shifted(LINE, (100, 0, 0)),
        LINE,
        "ccta.centerline",
        "another patient's?",
    ),
    "centerline beside the lumen": (
        lambda s: s.shifted(LINE, (6, 0, 0)),
        "case.toml",
        "ccta.centerline",
        "lies in a vessel of ccta.lumen, expected most of it",
    ),
    "centerline in RAS": (
        lambda s: s.scaled(LINE, (-1, -1, 1)),
        LINE,
        "ccta.centerline",
        "one of the two is in RAS",
    ),
    "centerline in metres": (
        lambda s: s.scaled(LINE, (0.001, 0.001, 0.001)),
        LINE,
        "ccta.centerline",
        "expected a line in the lumen, in LPS mm",
    ),
    "centerline with NaN": (
        lambda s: s.rows(LINE, one_cell("y_mm", "nan")),
        LINE,
        "line 5, column y_mm",
        "nan",
    ),
    "centerline with a point far off": (
        lambda s: s.rows(LINE, one_cell("x_mm", "5000")),
        LINE,
        "centerline, point",
        "at most 2000 mm",
    ),
    "centerline with an absurd number": (
        lambda s: s.rows(LINE, one_cell("x_mm", "1e300")),
        LINE,
        "centerline, point 3",
        "[1e+300, ",
    ),
    "clicks in RAS": (
        lambda s: s.keys(centerline=None, ostium="[-30.93, 144.22, 1792.87]"),
        "case.toml",
        "ccta.ostium",
        "is this one in RAS?",
    ),
    "a click beside the lumen": (
        lambda s: s.keys(centerline=None, ostium="[40.0, -144.22, 1792.87]"),
        "case.toml",
        "ccta.ostium",
        "mm from the lumen label, expected at most 5 mm",
    ),
    "a click with NaN": (lambda s: s.keys(distal="[nan, 0, 0]"), "case.toml", "ccta.distal[0]", "finite"),
    "one point clicked twice": (
        lambda s: s.keys(distal="[30.93, -144.22, 1792.87]"),
        "case.toml",
        "ccta.ostium and ccta.distal",
        "found two points 0.0 mm apart",
    ),
    "lumen in two parts": (
        lambda s: (s.label(cut_through), s.keys(centerline=None)),
        "case.toml",
        "ccta.lumen",
        "does not connect ccta.ostium and ccta.distal",
    ),
    "contours with NaN": (
        lambda s: s.rows(CONTOURS, one_cell("x_mm", "nan")),
        CONTOURS,
        "line 5, column x_mm",
        "expected a finite number",
    ),
    "contours with a point far off": (
        lambda s: s.rows(CONTOURS, one_cell("x_mm", "99999")),
        "case.toml",
        "pullback.lumen",
        "in frame 0 (from 0), expected at most 30 mm",
    ),
    "contours with an absurd number": (
        lambda s: s.rows(CONTOURS, one_cell("x_mm", "1e300")),
        CONTOURS,
        "frame 0 (from 0)",
        "found a coordinate of 1e+300",
    ),
    "contours in pixels": (
        lambda s: s.scaled(CONTOURS, (100, 100), ("x_mm", "y_mm")),
        "case.toml",
        "pullback.lumen (contours.csv)",
        "expected 0.3 to 6.0 mm; are the units",
    ),
    "contours that leave the catheter out": (
        lambda s: s.rows(CONTOURS, lambda row: row | {"x_mm": float(row["x_mm"]) + 5}),
        "case.toml",
        "pullback.lumen (contours.csv)",
        "expected contours around it",
    ),
    "a contour of two points": (
        lambda s: s.rows(CONTOURS, lambda row: row if row["frame"] != "7" or int(row["point"]) < 2 else None),
        CONTOURS,
        "frame 7 (from 0)",
        "expected a closed outline",
    ),
    "a frame twice": (
        lambda s: s.rows(CONTOURS, lambda row: row | {"frame": "0"} if row["frame"] == "1" else row),
        CONTOURS,
        "column point",
        "expected each point of frame 0, lumen, once",
    ),
    "one frame": (
        lambda s: s.rows(CONTOURS, frames_below(1)),
        "case.toml",
        "pullback.lumen",
        "found 1 frame",
    ),
    "no contour": (
        lambda s: s.text(CONTOURS, "frame,kind,point,x_mm,y_mm\n"),
        CONTOURS,
        "pullback.lumen",
        "a header without rows",
    ),
    "no lumen contour": (
        lambda s: s.rows(CONTOURS, lambda row: row | {"kind": "eem"}),
        "case.toml",
        "pullback.lumen (contours.csv)",
        "no lumen contour at all",
    ),
    "an empty contour file": (lambda s: s.text(CONTOURS, ""), CONTOURS, "pullback.lumen", "an empty file"),
    "zero frame spacing": (
        lambda s: s.keys(frame_spacing_mm="0"),
        "case.toml",
        "pullback.frame_spacing_mm",
        "found 0, expected greater than",
    ),
    "negative frame spacing": (
        lambda s: s.keys(frame_spacing_mm="-0.4"),
        "case.toml",
        "pullback.frame_spacing_mm",
        "found -0.4, expected greater than",
    ),
    "frame spacing in micrometres": (
        lambda s: s.keys(frame_spacing_mm="400"),
        "case.toml",
        "pullback.frame_spacing_mm",
        "found 400, expected less than",
    ),
    "a pullback longer than an arm": (
        lambda s: s.rows(CONTOURS, lambda row: row | {"frame": "999999999"} if row["frame"] == "9" else row),
        "case.toml",
        "pullback.frame_spacing_mm",
        "expected a pullback of at most 400 mm",
    ),
    "equal positions": (
        lambda s: s.positions(lambda frame: 3.0),
        "case.toml",
        "pullback.positions (positions.csv)",
        "200 equal positions",
    ),
    "positions with NaN": (
        lambda s: s.positions(lambda frame: "nan"),
        "positions.csv",
        "column position_mm",
        "expected a finite number",
    ),
    "positions in micrometres": (
        lambda s: s.positions(lambda frame: 400 * frame),
        "case.toml",
        "pullback.positions (positions.csv)",
        "steps of 400 mm",
    ),
    "landmarks with NaN": (
        lambda s: s.rows(LANDMARKS, one_cell("x_mm", "nan", line=3)),
        LANDMARKS,
        "line 3, column x_mm",
        "found 'nan'",
    ),
    "landmarks with an absurd number": (
        lambda s: s.rows(LANDMARKS, one_cell("x_mm", "1e300", line=3)),
        LANDMARKS,
        "line 3, column x_mm",
        "found '1e300', expected mm",
    ),
    "a case that is not TOML": (lambda s: s.text("case.toml", "{}"), "case.toml", "TOML", "broken TOML"),
    "a binary case": (
        lambda s: s.bytes("case.toml", PNG),
        "case.toml",
        "UTF-8",
        "expected a case.toml (UTF-8 text)",
    ),
    "an empty case": (lambda s: s.text("case.toml", ""), "case.toml", "case.toml", "an empty file"),
    "a huge case": (
        lambda s: s.bytes("case.toml", b"a" * 50_000_000),
        "case.toml",
        "TOML",
        "expected a case.toml",
    ),
}

# The inputs are fine, but there is nothing to place.
NOT_REGISTERED = {
    "four frames": (lambda s: s.rows(CONTOURS, frames_below(4)), "pullback: 4 frames have a contour"),
    "a stretch too short": (lambda s: s.keys(frame_spacing_mm="0.01"), "registration needs 3 mm"),
    "a pullback far longer than the vessel": (
        lambda s: s.keys(frame_spacing_mm="2.2"),
        "global start: no placement puts 50% of the pullback",
    ),
    "a vessel cut to a stub": (
        lambda s: s.rows(LINE, lambda row: row if float(row["arc_length_mm"]) < 10 else None),
        "global start: no placement puts 50% of the pullback",
    ),
}


@pytest.fixture
def spoiled(sample, tmp_path):
    shutil.copytree(sample, tmp_path / "case", ignore=shutil.ignore_patterns("truth"))
    return Sample(tmp_path / "case")


def everything_in(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture
def refused(coreg, spoiled, tmp_path):
    """Register and expect a status; returns the message once all that always holds is checked."""

    def run(status, *options, out=tmp_path / "out"):
        before = everything_in(tmp_path)
        done = coreg("register", spoiled.folder, "--out", out, *options, "-q")
        assert done.status == status, done.err
        assert "Traceback" not in done.err
        assert "bug" not in done.err
        assert done.out == ""
        after = everything_in(tmp_path)
        assert {p: t for p, t in after.items() if p.is_file()} == {
            p: t for p, t in before.items() if p.is_file()
        }
        assert set(after) == set(before)
        return done.err

    return run


@pytest.mark.parametrize("kind", UNUSABLE)
def test_an_input_that_cannot_be_used_is_status_3(spoiled, refused, kind):
    spoil, file, field, words = UNUSABLE[kind]
    spoil(spoiled)
    message = refused(3)
    assert message.startswith("coreg: ")
    assert message.count("\n") == 1
    for part in (file, field, words):
        assert part in message


def write_surface_of_label(spoiled, faces):
    from coreg.io.surfaces import write_surface
    from coreg.io.volumes import read_label
    from coreg.signed_distance import label_surface
    from coreg.surface import Surface

    surface = label_surface(read_label(spoiled.folder / LABEL))
    write_surface(spoiled.folder / "a.stl", Surface(surface.points_mm, faces(surface.faces.copy())))
    spoiled.keys(lumen='"a.stl"')


def test_a_surface_whose_faces_disagree_is_status_3(spoiled, refused):
    def half_turned(faces):
        faces[::2] = faces[::2, ::-1]
        return faces

    write_surface_of_label(spoiled, half_turned)
    message = refused(3)
    for part in ("ccta.lumen", "a.stl", "faces", "neighbours that face opposite ways"):
        assert part in message


def test_a_surface_inside_out_is_turned_on_reading(spoiled):
    from coreg.io.case_file import load_case

    write_surface_of_label(spoiled, lambda faces: faces[:, ::-1])
    a, b, c = load_case(spoiled.folder).lumen.points_mm[load_case(spoiled.folder).lumen.faces.T]
    # A sixth of the triple products' sum is the volume inside, by Gauss.
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() > 0.0


@pytest.mark.parametrize("kind", NOT_REGISTERED)
def test_what_cannot_be_registered_is_status_4(spoiled, refused, kind):
    spoil, words = NOT_REGISTERED[kind]
    spoil(spoiled)
    assert words in refused(4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--method", "nonsense"), "'nonsense' is not one of 'nonrigid', 'rigid', 'dtw', 'dp', 'bspline'"),
        (("--device", "nonsense"), "nonsense"),
        (("--seed", "-1"), "--seed"),
        (("--threads", "0"), "--threads"),
        (("--lock-landmarks", ""), "--lock-landmarks: found '', expected ids of landmarks, or all"),
        (("--lock-landmarks", "all", "--method", "dp"), "--lock-landmarks needs --method nonrigid"),
    ],
)
def test_wrong_options_are_status_2(refused, options, words):
    assert words in refused(2, *options)


def test_an_out_that_holds_something_else_is_status_2(refused, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    message = refused(2, out=tmp_path / "other")
    assert "--out: found other content (thesis.txt)" in message
    assert "--force" in message


def test_an_out_that_holds_another_case_is_status_2(refused, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "registration.json").write_text(json.dumps({"schema_version": 1, "case_id": "P2"}))
    assert "--out: found a result of case P2" in refused(2, out=tmp_path / "other")


def test_an_out_that_is_a_file_is_status_2(refused, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "--out: found a file, expected a folder" in refused(2, out=tmp_path / "file")
    assert "--out" in refused(2, out=tmp_path / "file" / "below")


def test_an_out_around_the_inputs_is_status_2_even_with_force(refused, spoiled, tmp_path):
    for out in (spoiled.folder, tmp_path, spoiled.folder / "x" / ".." / ".."):
        assert "--out" in refused(2, "--force", out=out)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_out_that_cannot_be_written_is_status_2(refused, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    assert "--out: found Permission denied" in refused(2, out=tmp_path / "locked" / "out")


def test_an_out_where_no_folder_can_be_is_status_2(refused, tmp_path):
    assert "--out" in refused(2, out=tmp_path / ("a" * 300))


@pytest.mark.slow
def test_a_run_that_a_scheduler_ends_leaves_nothing(spoiled, tmp_path):
    before = set(tmp_path.rglob("*"))
    with started(spoiled, tmp_path / "new" / "out") as run:
        wait_for(run, "coarse paths")
        run.send_signal(signal.SIGTERM)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 143
    assert "Traceback" not in err
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_a_full_disk_is_said_and_leaves_nothing(spoiled, tmp_path):
    import resource

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    before = set(tmp_path.rglob("*"))
    with started(spoiled, tmp_path / "new" / "out", preexec_fn=small_files) as run:
        _, err = run.communicate(timeout=100)
    assert run.returncode == 3
    assert "--out: found File too large, expected room for the result" in err
    assert set(tmp_path.rglob("*")) == before


def started(spoiled, out, **options):
    command = [sys.executable, "-c", "from coreg.cli.main import main; main()"]
    command += ["register", str(spoiled.folder), "--out", str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)


def wait_for(run, stage):
    """Read progress until a stage has begun."""
    for line in run.stderr:
        if stage in line:
            break
    time.sleep(0.1)


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param("CCTA: centerline and lumen", marks=pytest.mark.slow),
        "coarse paths",
        pytest.param("report: registration", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_is_status_130_and_leaves_nothing(spoiled, tmp_path, stage):
    out = tmp_path / "new" / "out"
    before = set(tmp_path.rglob("*"))
    with started(spoiled, out) as run:
        wait_for(run, stage)
        run.send_signal(signal.SIGINT)
        said, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert said == ""
    assert set(tmp_path.rglob("*")) == before
