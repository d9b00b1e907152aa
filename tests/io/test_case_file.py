import numpy as np
import pytest

from coreg.contours import area_mm2, centroid_mm
from coreg.io.case_file import input_paths, load_case, read_case_file, write_case_file
from coreg.surface import Surface


def circle(radius_mm, count=24, centre=(0.0, 0.0)):
    angle = 2.0 * np.pi * np.arange(count) / count
    return np.column_stack([np.cos(angle), np.sin(angle)]) * radius_mm + np.array(centre)


def positions_by_frame(pullback):
    return dict(zip(pullback.frame.tolist(), pullback.position_mm.round(9).tolist(), strict=True))


def holorama(by_frame):
    """HolOrama's text for circles about a catheter at (4, 5) of its own coordinates."""
    lines = [f"{f + 1}\t{x + 4}\t{y + 5}\t0.0" for f, c in by_frame.items() for x, y in c]
    return "\r\n".join(lines) + "\r\n"


def test_a_case_loads_from_its_file_or_its_folder(case_folder):
    path = case_folder.write({"patient": '"P1"', "vessel": '"LAD"'})
    for given in (path, path.parent, str(path)):
        case = load_case(given)
        assert (case.id, case.patient, case.vessel) == ("P1-LAD", "P1", "LAD")
        assert len(case.tree.lines) == 1
        assert case.lumen.values.shape == (41, 20, 20)
        assert len(case.pullback.lumen) == 10
        assert case.pullback.view == "looking-distal"


def test_files_are_found_beside_the_case_whatever_the_current_folder(
    case_folder, monkeypatch, tmp_path_factory
):
    case_folder.write()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert load_case(case_folder.path).id == "P1-LAD"


@pytest.mark.parametrize(("first", "expected"), [("distal", [0.0, 1.0, 3.5]), ("proximal", [3.5, 2.5, 0.0])])
def test_frame_spacing_counts_from_the_most_distal_frame(case_folder, first, expected):
    case_folder.contours({frame: circle(1.5) for frame in (4, 6, 11)})
    case_folder.write({"pullback.first_frame": f'"{first}"'})
    pullback = load_case(case_folder.path).pullback
    assert positions_by_frame(pullback) == dict(zip([4, 6, 11], expected, strict=True))
    assert (np.diff(pullback.position_mm) < 0).all()


def test_positions_win_over_the_spacing_and_bring_their_frames(case_folder):
    rows = "\n".join(f"{frame},{10 + 2 * frame if frame != 3 else 20.5}" for frame in range(12))
    case_folder.text("positions.csv", f"frame,position_mm\n{rows}")
    case_folder.write({"pullback.positions": '"positions.csv"', "pullback.first_frame": '"proximal"'})
    pullback = load_case(case_folder.path).pullback
    assert len(pullback) == 12
    assert sorted(pullback.lumen) == list(range(10))
    assert positions_by_frame(pullback)[0] == 0.0
    assert positions_by_frame(pullback)[3] == 10.5
    assert positions_by_frame(pullback)[11] == 22.0


def test_a_label_stack_gives_every_image_a_frame_and_its_third_spacing(case_folder):
    case_folder.stack(shape=(6, 80, 90), spacing=(0.05, 0.05, 0.2))
    case_folder.write({"pullback.lumen": '"stack.nii.gz"', "pullback.frame_spacing_mm": None})
    pullback = load_case(case_folder.path).pullback
    assert positions_by_frame(pullback) == {k: pytest.approx(0.2 * k) for k in range(6)}
    np.testing.assert_allclose(centroid_mm(pullback.lumen[0]), 0.0, atol=1e-9)
    assert area_mm2(pullback.lumen[0]) == pytest.approx(np.pi * 1.25**2, rel=0.02)
    assert pullback.field_of_view_mm == pytest.approx(2.0)


def test_keys_win_over_what_the_label_stack_says(case_folder):
    case_folder.stack(spacing=(1.0, 1.0, 1.0))
    keys = {
        "pullback.lumen": '"stack.nii.gz"',
        "pullback.eem": '"stack.nii.gz"',
        "pullback.frame_spacing_mm": "0.4",
        "pullback.pixel_spacing_mm": "0.04",
        "pullback.catheter_px": "[40, 45]",
    }
    case_folder.write(keys)
    pullback = load_case(case_folder.path).pullback
    assert pullback.length_mm == pytest.approx(2.0)
    np.testing.assert_allclose(centroid_mm(pullback.lumen[0]), [4.5 * 0.04, -5.5 * 0.04], atol=1e-6)
    assert sorted(pullback.eem) == list(range(6))


def test_images_without_label_and_position_lie_between_their_neighbours(case_folder):
    case_folder.stack(shape=(6, 80, 90))
    case_folder.text("positions.csv", "frame,position_mm\n" + "\n".join(f"{k},{k}" for k in range(6)))
    keys = {"pullback.lumen": '"stack.nii.gz"', "pullback.positions": '"positions.csv"'}
    case_folder.write(keys)
    assert positions_by_frame(load_case(case_folder.path).pullback) == {k: float(k) for k in range(6)}


def test_holorama_contours_are_taken_about_the_catheter(case_folder):
    case_folder.text("h.csv", holorama({frame: circle(1.5, centre=(0.3, 0.4)) for frame in range(5)}))
    case_folder.write(
        {"pullback.lumen": '"h.csv"', "pullback.eem": '"h.csv"', "pullback.catheter_mm": "[4, 5]"}
    )
    pullback = load_case(case_folder.path).pullback
    assert sorted(pullback.lumen) == sorted(pullback.eem) == list(range(5))
    np.testing.assert_allclose(centroid_mm(pullback.lumen[2]), [0.3, -0.4], atol=1e-9)


def test_eem_comes_with_the_contours_that_hold_it(case_folder):
    lumen = case_folder.contours({frame: circle(1.5) for frame in range(10)}).read_text()
    eem = case_folder.contours({3: circle(2.0)}, name="eem.csv", kind="eem").read_text()
    case_folder.text("both.csv", lumen + "\n" + eem.split("\n", 1)[1])
    for keys in ({"pullback.lumen": '"both.csv"'}, {"pullback.eem": '"eem.csv"'}):
        case_folder.write(keys)
        assert sorted(load_case(case_folder.path).pullback.eem) == [3]


def test_excluded_ranges_include_both_ends(case_folder):
    case_folder.write({"pullback.exclude": '[[2, 4, "stent"], [4, 5, "blood"]]'})
    excluded = load_case(case_folder.path).pullback.excluded
    assert excluded == {2: "stent", 3: "stent", 4: "stent", 5: "blood"}


def test_surface_landmarks_branches_and_words_are_passed_on(case_folder):
    pyvista = pytest.importorskip("pyvista")
    pyvista.Sphere(radius=3.0).save(case_folder.path / "lumen.stl")
    case_folder.text("l.csv", "id,frame,angle_deg,x_mm,y_mm,z_mm\nD1,3,90,0,0,1\n")
    case_folder.text("b.csv", "id,x_mm,y_mm,z_mm\nD1,0,0,1\n")
    case_folder.text("biv.csv", "id,frame,angle_deg\nD1,3,90\n")
    case_folder.write(
        {
            "ccta.lumen": '"lumen.stl"',
            "ccta.side_branches": '"b.csv"',
            "ccta.ostium": "[0, 0, 0.5]",
            "pullback.side_branches": '"biv.csv"',
            "pullback.view": '"looking-proximal"',
            "pullback.modality": '"OCT"',
            "landmarks.file": '"l.csv"',
        }
    )
    case = load_case(case_folder.path)
    assert isinstance(case.lumen, Surface)
    assert case.landmarks[0].angle_rad == pytest.approx(np.pi / 2)
    assert case.ccta_side_branches[0].id == case.pullback_side_branches[0].id == "D1"
    assert (case.pullback.view, case.pullback.modality) == ("looking-proximal", "OCT")
    np.testing.assert_array_equal(case.ostium_mm, [0.0, 0.0, 0.5])
    assert case.distal_mm is None
    names = [path.name for path in input_paths(read_case_file(case_folder.path))]
    assert names == ["case.toml", "lumen.stl", "line.csv", "b.csv", "contours.csv", "biv.csv", "l.csv"]


def test_a_label_without_centerline_loads_with_both_clicks(case_folder):
    case_folder.write({"ccta.centerline": None, "ccta.ostium": "[0, 0, 0]", "ccta.distal": "[0, 0, 20]"})
    case = load_case(case_folder.path)
    assert case.tree is None
    np.testing.assert_array_equal(case.distal_mm, [0.0, 0.0, 20.0])


def test_every_key_of_the_contract_is_known(case_folder):
    path = case_folder.write(
        {
            "patient": '"P001"',
            "ccta.image": '"ccta.nii.gz"',
            "ccta.wall": '"wall.nii.gz"',
            "pullback.image": '"pullback.dcm"',
            "pullback.catheter_type": '"rotating"',
            "pullback.acquisition": '"motorized"',
            "pullback.pixel_spacing_mm": "0.0375",
            "pullback.catheter_px": "[127.5, 127.5]",
            "pullback.catheter_mm": "[4.5, 4.5]",
        }
    )
    case = read_case_file(path)
    assert case.ccta.wall == "wall.nii.gz"
    assert case.pullback.catheter_type == "rotating"
    assert case.pullback.acquisition == "motorized"


def test_a_written_case_reads_the_same(tmp_path):
    name = 'odd "name" \\ with\ttab é.csv'
    content = {
        "id": "P1",
        "patient": None,
        "ccta": {"lumen": name, "ostium": (1.0, -2.5, 3e-7)},
        "pullback": {"lumen": "c.csv", "frame_spacing_mm": 0.2, "exclude": [[1, 2, "stent"]]},
    }
    write_case_file(tmp_path / "case.toml", content)
    case = read_case_file(tmp_path)
    assert case.ccta.lumen == name
    assert case.ccta.ostium == (1.0, -2.5, 3e-7)
    assert case.pullback.exclude == ((1, 2, "stent"),)
    assert case.patient is None
