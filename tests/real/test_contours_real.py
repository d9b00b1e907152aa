"""Contours of a whole IVUS pullback in the three forms that HolOrama and AIVUS gave them."""

import csv

import numpy as np
import pytest

from coreg.contours import area_mm2
from coreg.io.contour_formats import contours_about_catheter, pixels_about_catheter, read_contours
from coreg.io.holorama_json import area_deviations, stated_areas_mm2

PIXEL_MM = 0.017557
FRAMES = 439
NEW, OLD = "anonymized_contours_ho_0_1_0.json", "anonymized_contours_0_7_4.json"


@pytest.fixture(scope="module")
def folder(real_data):
    return real_data / "ivus-contours"


@pytest.mark.parametrize("name", [NEW, OLD])
def test_outlines_through_real_knots_have_the_areas_that_their_file_states(folder, name):
    deviation = area_deviations(
        read_contours(folder / name).contours["lumen"], stated_areas_mm2(folder / name)["lumen"], PIXEL_MM
    )
    assert len(deviation) == FRAMES
    assert np.median(np.abs(deviation)) < 0.0003
    assert np.abs(deviation).max() < 0.001


@pytest.mark.parametrize("name", [NEW, OLD])
def test_a_real_file_tells_its_pixel_size_frames_and_gating(folder, name):
    images = read_contours(folder / name).images
    assert images.pixel_spacing_mm == pytest.approx((PIXEL_MM, PIXEL_MM), rel=2e-4)
    assert images.frames == FRAMES
    assert len(images.frames_of("diastole")) == 36
    assert len(images.frames_of("systole")) == 32


def test_kinds_of_a_real_file_are_told_apart(folder):
    contours = read_contours(folder / NEW).contours
    assert {kind: len(each) for kind, each in contours.items()} == {"lumen": FRAMES, "eem": 72, "branch": 25}
    inside = [area_mm2(contours["lumen"][i]) < area_mm2(each) for i, each in contours["eem"].items()]
    assert np.mean(inside) == 1.0


def test_areas_of_the_real_csv_match_the_report(folder):
    with (folder / "anonymized_report.txt").open(newline="", encoding="utf-8") as file:
        report = {
            int(row["frame"]) - 1: float(row["lumen_area"]) for row in csv.DictReader(file, delimiter="\t")
        }
    contours = read_contours(folder / "diastolic_contours.csv").contours["lumen"]
    deviation = area_deviations(contours, report, 1.0)
    assert len(deviation) == 36
    # The report has two decimals.
    assert np.median(np.abs(deviation)) < 0.001
    assert np.abs(deviation).max() < 0.003


def test_real_json_and_csv_put_the_same_outline_at_the_same_place(folder):
    csv_file = read_contours(folder / "diastolic_contours.csv")
    side_mm = 512 * PIXEL_MM
    from_csv = contours_about_catheter(csv_file.contours["lumen"], np.full(2, side_mm / 2.0))
    from_json = pixels_about_catheter(
        read_contours(folder / OLD).contours["lumen"],
        catheter_px=np.full(2, 255.5),
        pixel_spacing_mm=np.full(2, PIXEL_MM),
    )
    apart = [np.linalg.norm(from_csv[i][:, None] - from_json[i], axis=2).min(axis=1).max() for i in from_csv]
    # Points of both outlines are 0.02 mm apart, so half of that at most; some frames were edited since.
    assert np.median(apart) < 0.012
