"""Reading of the public research data; figures are those of its own reports."""

import csv

import numpy as np
import pytest
from scipy.spatial import cKDTree

from coreg.contours import area_mm2, radial_profile, signed_area_mm2
from coreg.io.case_file import input_paths, load_case, read_case_file
from coreg.io.contour_formats import read_contours
from coreg.io.results import sha256_of
from coreg.io.surfaces import open_edge_length_mm
from coreg.io.volumes import read_label


def report_areas(path, delimiter):
    """Lumen area in mm2 by frame from 0."""
    with path.open(newline="", encoding="utf-8") as file:
        return {
            int(row["frame"]) - 1: float(row["lumen_area"])
            for row in csv.DictReader(file, delimiter=delimiter)
        }


@pytest.fixture(scope="module")
def anomalous_rca(real_data):
    return load_case(real_data / "anomalous-rca")


def test_the_real_case_loads_as_its_description_says(anomalous_rca):
    case = anomalous_rca
    assert case.vessel == "RCA"
    assert len(case.tree.lines) == 4
    assert case.lumen.faces.shape == (30_350, 3)
    assert open_edge_length_mm(case.lumen) == 0.0
    pullback = case.pullback
    assert (len(pullback), len(pullback.lumen), pullback.modality) == (20, 20, "IVUS")
    assert pullback.frame[0] == 384
    assert pullback.position_mm[0] == pytest.approx(23.99)
    assert pullback.position_mm[-1] == 0.0
    # Breathing reorders them: not monotone in time.
    assert (np.diff(pullback.frame) > 0).any()
    areas = [area_mm2(contour) for contour in pullback.lumen.values()]
    assert min(areas) == pytest.approx(4.9, abs=0.1)
    assert max(areas) == pytest.approx(20.8, abs=0.1)


def test_the_catheter_lies_in_every_real_lumen_whatever_its_winding(real_data, anomalous_rca):
    for contour in anomalous_rca.pullback.lumen.values():
        assert (radial_profile(contour, np.zeros(2), 36) > 0.0).all()
    file = read_contours(real_data / "anomalous-rca" / "ivus_rest_diastole" / "diastolic_contours.csv")
    # In the file's own axes, y up, a negative area runs clockwise.
    assert sum(signed_area_mm2(points) < 0.0 for points in file.contours["lumen"].values()) == 18
    assert len(file.z_mm) == 20


def test_the_real_centerlines_lie_in_the_lumen_and_carry_its_radius(anomalous_rca):
    case = anomalous_rca
    tree = cKDTree(case.lumen.points_mm)
    for line in case.tree.lines:
        assert line.radius_mm is not None
        # An inscribed sphere touches the wall; vertices of the mesh are up to half a millimetre apart.
        gap = tree.query(line.points_mm)[0] - line.radius_mm
        assert np.median(np.abs(gap)) < 0.3


def test_the_real_vessel_is_the_one_at_the_distal_click(anomalous_rca):
    vessel = anomalous_rca.tree.vessel(anomalous_rca.ostium_mm, anomalous_rca.distal_mm)
    assert np.linalg.norm(vessel.points_mm[-1] - anomalous_rca.distal_mm) < 1.0
    assert vessel.arc_length_mm[0] < 0.0 < vessel.arc_length_mm[-1]


def test_the_semisynthetic_label_lies_where_the_surface_lies(real_data, anomalous_rca):
    label = read_label(real_data / "anomalous-rca" / "ccta_semisynthetic_lumen.nii.gz")
    np.testing.assert_allclose(label.spacing_mm, 0.45, atol=1e-6)
    inside = label.to_world(np.argwhere(label.values).astype(float))
    for corner in (np.min, np.max):
        expected = corner(anomalous_rca.lumen.points_mm, axis=0)
        np.testing.assert_allclose(corner(inside, axis=0), expected, atol=0.5)


def test_inputs_of_the_real_case_can_be_hashed(real_data):
    paths = input_paths(read_case_file(real_data / "anomalous-rca"))
    assert len(paths) == 5
    assert len({sha256_of(path) for path in paths}) == 5


@pytest.mark.parametrize(
    ("contours", "report", "delimiter"),
    [
        ("ivus-contours/diastolic_contours.csv", "ivus-contours/anonymized_report.txt", "\t"),
        ("stent-ivus/pre/diastolic_contours.csv", "stent-ivus/pre/combined_sorted_manual.csv", ","),
        ("stent-ivus/post/diastolic_contours.csv", "stent-ivus/post/combined_sorted_manual.csv", ","),
        ("stent-ivus/pre/systolic_contours.csv", "stent-ivus/pre/combined_sorted_manual.csv", ","),
        ("stent-ivus/post/systolic_contours.csv", "stent-ivus/post/combined_sorted_manual.csv", ","),
        (
            "anomalous-rca/ivus_rest_diastole/diastolic_contours.csv",
            "anomalous-rca/ivus_rest_diastole/combined_sorted_manual.csv",
            ",",
        ),
    ],
)
def test_areas_of_real_contours_match_their_report(real_data, contours, report, delimiter):
    file = read_contours(real_data / contours)
    expected = report_areas(real_data / report, delimiter)
    frames = sorted(set(file.contours["lumen"]) & set(expected))
    assert len(frames) >= 10
    areas = np.array([area_mm2(file.contours["lumen"][frame]) for frame in frames])
    reported = np.array([expected[frame] for frame in frames])
    assert np.median(np.abs(areas / reported - 1.0)) < 0.005
