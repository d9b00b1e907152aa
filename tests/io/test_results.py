import csv
import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from coreg.catheter_path import VirtualCatheterPath
from coreg.centerline import Centerline
from coreg.errors import InputError
from coreg.io.frames_csv import FRAME_COLUMNS
from coreg.io.results import (
    read_frames,
    read_left_out,
    read_registration,
    write_frames,
    write_registration,
    write_validation,
)
from coreg.result import Hypothesis, Registration

CONTRACT = (
    "frame,position_mm,arc_length_mm,x_mm,y_mm,z_mm,col_x,col_y,col_z,row_x,row_y,row_z,"
    "rotation_deg,arc_length_sd_mm,rotation_sd_deg,reliable,reason"
)


def random_path(seed, count=12, unposed=2):
    """Poses anywhere, frames out of order along the vessel, the first ones beyond it."""
    generator = np.random.default_rng(seed)
    turns = Rotation.random(count, rng=generator).as_matrix()
    position = np.sort(generator.uniform(0.0, 60.0, count))[::-1]
    origin = generator.uniform(-1e3, 2e3, (count, 3))
    arc, rotation = generator.uniform(-20.0, 80.0, count), generator.uniform(-math.pi, math.pi, count)
    column, row = turns[:, :, 0].copy(), turns[:, :, 1].copy()
    for array in (origin, column, row, arc, rotation):
        array[:unposed] = np.nan
    reasons = ["beyond the CCTA's vessel, proximally"] * unposed + ["", 'a "quoted", reason'] * count
    return VirtualCatheterPath(
        generator.permutation(count) + 5,
        position,
        arc,
        rotation,
        origin,
        column,
        row,
        np.arange(count) > 4,
        tuple(reasons[:count]),
        np.where(np.arange(count) < unposed, np.nan, generator.uniform(0.1, 1.0, count)),
        np.where(np.arange(count) < unposed, np.nan, generator.uniform(0.02, 0.2, count)),
    )


def registration(**changes):
    points = np.column_stack([np.linspace(0, 1 / 3, 9), np.zeros(9), np.linspace(0, 70, 9)])
    path = random_path(1)
    fields = {
        "path": path,
        "rigid_path": random_path(2),
        "centerline": Centerline(points, np.linspace(2.0, 1.0, 9), ostium_mm=1.0 / 3.0),
        "verdict": "review",
        "reasons": ("round frames carry no rotation", "ü"),
        "radius_scale": 0.1 + 0.2,
        "margin": math.inf,
        "hypotheses": (
            Hypothesis(12.5, -170.0, 1.01, 0.3),
            Hypothesis(20.0, 10.0, 0.97, math.nan, mirrored=True),
        ),
        "costs": {"rigid": 0.5, "fine": math.nan},
        "residual_mm": np.append(np.full(len(path) - 1, 1.0 / 7.0), np.nan),
        "settings": {"seed": 0, "levels": [1, 2.5], "device": "cpu"},
        "provenance": {"case_id": "P1", "inputs": {"case.toml": "ab"}},
    }
    return Registration(**{**fields, **changes})


def assert_same(a, b):
    """Compare dataclasses, arrays and plain values to the last bit; NaN equals NaN."""
    if dataclasses.is_dataclass(a):
        assert type(a) is type(b)
        for each in dataclasses.fields(a):
            assert_same(getattr(a, each.name), getattr(b, each.name))
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (np.ndarray, float)):
        np.testing.assert_array_equal(a, b, strict=isinstance(a, np.ndarray))
    else:
        assert a == b


def test_a_result_from_before_there_were_spreads_has_none(tmp_path):
    write_registration(tmp_path, registration(), case_id="P1")
    file = tmp_path / "registration.json"
    content = json.loads(file.read_text())
    for path in ("path", "rigid_path"):
        del content[path]["arc_length_sd_mm"], content[path]["rotation_sd_rad"]
    file.write_text(json.dumps(content))
    path = read_registration(tmp_path).path
    assert np.isnan(path.arc_length_sd_mm).all()
    assert path.rotation_sd_rad.shape == (len(path),)


def test_frames_csv_has_the_contracts_columns_in_acquisition_order(tmp_path):
    path = random_path(3)
    write_frames(tmp_path / "frames.csv", path)
    lines = (tmp_path / "frames.csv").read_text().splitlines()
    assert lines[0] == CONTRACT == ",".join(FRAME_COLUMNS)
    rows = list(csv.DictReader(lines))
    assert [int(row["frame"]) for row in rows] == sorted(path.frame.tolist())
    by_frame = {int(row["frame"]): row for row in rows}
    beyond = by_frame[int(path.frame[0])]
    assert {beyond[name] for name in FRAME_COLUMNS[2:-2]} == {""}
    assert beyond["reason"] == path.reason[0]
    assert beyond["reliable"] == "0"
    last = by_frame[int(path.frame[-1])]
    assert float(last["z_mm"]) == pytest.approx(path.origin_mm[-1, 2])
    assert float(last["rotation_deg"]) == pytest.approx(math.degrees(path.rotation_rad[-1]))
    assert float(last["arc_length_sd_mm"]) == pytest.approx(path.arc_length_sd_mm[-1])
    assert float(last["rotation_sd_deg"]) == pytest.approx(math.degrees(path.rotation_sd_rad[-1]))
    assert last["reliable"] == "1"


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), unposed=st.integers(0, 12))
def test_poses_survive_frames_csv_to_less_than_a_millionth(tmp_path_factory, seed, unposed):
    path = random_path(seed, unposed=unposed)
    file = tmp_path_factory.mktemp("frames") / "frames.csv"
    write_frames(file, path)
    read = read_frames(file)
    np.testing.assert_array_equal(read.frame, path.frame)
    np.testing.assert_array_equal(read.reliable, path.reliable)
    assert read.reason == path.reason
    np.testing.assert_array_equal(read.posed, path.posed)
    np.testing.assert_allclose(read.rotation_rad, path.rotation_rad, atol=1e-9)
    np.testing.assert_allclose(read.arc_length_sd_mm, path.arc_length_sd_mm, atol=1e-9)
    np.testing.assert_allclose(read.rotation_sd_rad, path.rotation_sd_rad, atol=1e-9)
    rows, edge = np.flatnonzero(path.posed).astype(float), np.full((int(path.posed.sum()), 2), 5.0)
    np.testing.assert_allclose(read.to_world(rows, edge), path.to_world(rows, edge), atol=1e-6)


@pytest.mark.parametrize(("turn", "degrees"), [(math.pi, "180"), (-math.pi, "180"), (2.5 * math.pi, "90")])
def test_rotation_is_wrapped_in_the_file(tmp_path, turn, degrees):
    path = dataclasses.replace(random_path(4, count=1, unposed=0), rotation_rad=np.array([turn]))
    write_frames(tmp_path / "frames.csv", path)
    (row,) = csv.DictReader((tmp_path / "frames.csv").read_text().splitlines())
    assert row["rotation_deg"] == degrees


ROW = "0,0,1,0,0,0,1,0,0,0,1,0,0,,,1,"


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        (
            "0,0,1,0,0,0,1,0,0,,1,0,0,,,1,",
            "column row_x: found an empty cell, expected a whole pose, or none",
        ),
        ("0,0,1,0,0,0,1,0,0,1,0,0,0,,,1,", "poses: found column and row of frame 0 must be orthonormal"),
        ("0,0,1,0,0,0,1,0,0,0,1,0,0,,,yes,", "column reliable: found 'yes', expected 0 or 1"),
        (f"{ROW}\n{ROW}", "line 3, column frame: found '0', expected each frame once"),
        ("0,0,1,0,0,x,1,0,0,0,1,0,0,,,1,", "column z_mm: found 'x'"),
    ],
)
def test_broken_frames_are_refused(tmp_path, rows, match):
    (tmp_path / "frames.csv").write_text(f"{CONTRACT}\n{rows}\n")
    with pytest.raises(InputError, match=match):
        read_frames(tmp_path / "frames.csv")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"verdict": "failed", "margin": math.nan, "hypotheses": (), "reasons": (), "costs": {}},
        {"centerline": Centerline(np.array([[0.0, 0, 0], [0, 0, 1e-3]]))},
    ],
)
def test_a_registration_survives_to_the_last_bit(tmp_path, changes):
    written = registration(**changes)
    write_registration(tmp_path, written)
    assert_same(read_registration(tmp_path), written)
    assert_same(read_registration(tmp_path / "registration.json"), written)


def test_registration_json_is_strict_json_for_research_use_only(tmp_path):
    written = registration(
        settings={"scale": np.float32(0.5), "n": np.int64(3), "grid": np.eye(2), "bad": np.nan}
    )
    write_registration(tmp_path, written, case_id="P9")

    def refuse(constant):
        raise AssertionError(constant)

    content = json.loads((tmp_path / "registration.json").read_text(), parse_constant=refuse)
    assert content["schema_version"] == 1
    assert content["use"] == "for research use only"
    assert content["case_id"] == "P9"
    assert content["settings"] == {"scale": 0.5, "n": 3, "grid": [[1.0, 0.0], [0.0, 1.0]], "bad": None}
    assert content["path"]["origin_mm"][0] == [None, None, None]
    assert content["radius_scale"] == 0.1 + 0.2


def change(content, place, value):
    *outer, last = place
    for name in outer:
        content = content[name]
    if value is None:
        del content[last]
    else:
        content[last] = value


@pytest.mark.parametrize(
    ("place", "value", "match"),
    [
        (["schema_version"], 2, "schema_version: found 2, expected 1"),
        (["schema_version"], None, "schema_version: found nothing"),
        (["verdict"], "fine", "verdict: found 'fine', expected good or review or failed"),
        (["path"], None, "path: found nothing"),
        (["path"], [], r"path: found \[\], expected an object"),
        (["path", "frame"], [1.5], r"path.frame: found \[1.5\], expected a list of int"),
        (["path", "reliable"], [1], "path.reliable: .*expected a list of bool"),
        (["path", "origin_mm"], [[1, 2]], "path.origin_mm: .*expected rows of 3 numbers"),
        (["path", "origin_mm"], [[{}, {}, {}]], "path.origin_mm: .*expected rows of 3 numbers"),
        (["path", "position_mm"], [1.0], "path: found position_mm must have shape"),
        (
            ["path", "position_mm"],
            ["a"],
            r"path.position_mm: found \['a'\], expected a list of numbers or null",
        ),
        (["centerline", "points_mm"], [[0, 0, 0]], "centerline: found points_mm must have shape"),
        (
            ["residual_mm"],
            [1.0],
            "residual_mm: found 1 values, expected one for each of the path's 12 frames",
        ),
        (["hypotheses"], [3], "hypotheses: found 3, expected objects"),
        (["costs", "rigid"], "cheap", "costs.rigid: found 'cheap', expected a number or null"),
        (["reasons"], [1], "reasons: .*expected a list of texts"),
    ],
)
def test_a_broken_registration_is_refused(tmp_path, place, value, match):
    write_registration(tmp_path, registration())
    content = json.loads((tmp_path / "registration.json").read_text())
    change(content, place, value)
    (tmp_path / "registration.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=match):
        read_registration(tmp_path)


@pytest.mark.parametrize(
    ("content", "match"), [("{", "broken JSON"), ("[]", "found list"), ("[" * 100_000, "broken JSON")]
)
def test_text_that_is_no_registration_is_refused(tmp_path, content, match):
    (tmp_path / "registration.json").write_text(content)
    with pytest.raises(InputError, match=match):
        read_registration(tmp_path)


def test_a_missing_registration_is_named(tmp_path):
    with pytest.raises(InputError, match=r"registration.json: found no such file"):
        read_registration(tmp_path)


def test_validation_csv_has_the_contracts_columns(tmp_path):
    error = SimpleNamespace(
        id="D1",
        kind="branch",
        frame_expected=10.0,
        frame_found=12.5,
        error_frames=2.5,
        error_mm=0.5,
        error_deg=math.nan,
        error_tangential_mm=None,
        error_3d_mm=-0.25,
    )
    write_validation(tmp_path / "v.csv", [error])
    assert (tmp_path / "v.csv").read_text().splitlines() == [
        "id,kind,frame_expected,frame_found,error_frames,error_mm,error_deg,error_tangential_mm,error_3d_mm",
        "D1,branch,10,12.5,2.5,0.5,,,-0.25",
    ]
    assert read_left_out(tmp_path / "v.csv") == ()


def test_validation_csv_says_what_guided_and_what_was_left_out(tmp_path):
    names = ("error_frames", "error_mm", "error_deg", "error_tangential_mm", "error_3d_mm")
    plain = [
        SimpleNamespace(
            id=name, kind="branch", frame_expected=10.0, frame_found=10.5, **dict.fromkeys(names, 0.5)
        )
        for name in ("D1", "D2")
    ]
    out = [SimpleNamespace(id="D2", **dict(zip(names, (3.0, 0.6, -4.0, -0.1, math.nan), strict=True)))]
    write_validation(tmp_path / "v.csv", plain, guides={"D1": "locked"}, left_out=out)
    header, first, second = (tmp_path / "v.csv").read_text().splitlines()
    assert header.endswith(
        ",error_3d_mm,used_as,error_frames_left_out,error_mm_left_out,error_deg_left_out,"
        "error_tangential_mm_left_out,error_3d_mm_left_out"
    )
    assert first.endswith(",0.5,locked,,,,,")
    assert second.endswith(",0.5,,3,0.6,-4,-0.1,")
    read = read_left_out(tmp_path / "v.csv")
    assert [each.id for each in read] == ["D1", "D2"]
    assert read[1].error_deg == -4.0
    write_validation(tmp_path / "w.csv", plain, guides={"D1": "locked"}, left_out=read)
    assert (tmp_path / "w.csv").read_text() == (tmp_path / "v.csv").read_text()
