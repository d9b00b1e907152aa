"""The centerline of a real vessel from its semi-synthetic label, against the one published with it."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from coreg.io.case_file import load_case
from coreg.io.volumes import read_label
from coreg.segmentation import centerline_from_label


@pytest.fixture(scope="module")
def lines(real_data):
    """Line from the label, and the published one; both from ostium to distal click."""
    case = load_case(real_data / "anomalous-rca")
    label = read_label(real_data / "anomalous-rca" / "ccta_semisynthetic_lumen.nii.gz")
    found = centerline_from_label(label, case.ostium_mm, case.distal_mm)
    return found, case.tree.vessel(case.ostium_mm, case.distal_mm)


@pytest.mark.slow
def test_line_from_the_semisynthetic_label_follows_the_published_one(lines):
    found, published = lines
    s = np.linspace(0.0, published.arc_length_mm[-1], 2000)
    distance, nearest = cKDTree(published.points_at(s)).query(found.points_mm)
    # The two start at the click in different ways: the published line comes out of the aorta.
    vessel = s[nearest] > 3.0
    assert distance[vessel].mean() < 0.25
    assert distance[vessel].max() < 1.0
    assert found.arc_length_mm[-1] == pytest.approx(published.arc_length_mm[-1], rel=0.05)
    assert np.linalg.norm(found.points_mm[-1] - published.points_mm[-1]) < 1.5


@pytest.mark.slow
def test_radius_from_the_semisynthetic_label_is_that_of_the_published_line(lines):
    found, published = lines
    s = published.nearest_arc_length(found.points_mm)
    published_mm = np.interp(s, published.arc_length_mm, published.radius_mm)
    # An inscribed sphere is a little smaller than a circle of the section's area.
    ratio = np.median(found.radius_mm[s > 3.0] / published_mm[s > 3.0])
    assert 1.0 < ratio < 1.1
