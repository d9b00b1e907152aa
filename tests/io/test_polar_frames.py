"""Polar frames of OCT wound up to pictures, against rings and rays whose place is known."""

import numpy as np
import pytest

from coreg.errors import InputError
from coreg.io.pullback_image_files import open_frames

LINES, SAMPLES = 180, 120
STEP_MM = 0.02


def lines_with(count=3, *, ring=60, ray=None):
    """A bright ring at a sample, and a bright ray along a line."""
    lines = np.full((count, LINES, SAMPLES), 20, np.uint8)
    if ring is not None:
        lines[:, :, ring - 1 : ring + 2] = 200
    if ray is not None:
        lines[:, ray - 1 : ray + 2, :] = 200
    return lines


@pytest.fixture
def opened(pullback_files, tmp_path):
    def run(lines, **options):
        source = open_frames(pullback_files.polar(tmp_path / "polar.dcm", lines, **options))
        return source, np.stack(list(source.planes(range(source.count))))

    return run


def radius_mm(source, picture):
    """Mean distance of what is bright from the catheter, in mm."""
    y, x = np.nonzero(picture > 150)
    (spacing, _), (column, row) = source.facts.pixel_spacing_mm, source.facts.catheter_px
    return float(np.hypot(x - column, y - row).mean()) * spacing


def clockwise_from_top_deg(source, picture):
    y, x = np.nonzero(picture > 150)
    column, row = source.facts.catheter_px
    return float(np.degrees(np.arctan2((x - column).mean(), (row - y).mean()))) % 360.0


def test_a_ring_lies_at_its_distance(opened):
    source, pictures = opened(lines_with())
    assert radius_mm(source, pictures[0]) == pytest.approx(60 * STEP_MM, rel=0.01)
    assert source.rows == source.columns
    assert source.facts.field_of_view_mm == pytest.approx(SAMPLES * STEP_MM)
    assert source.facts.modality == "OCT"


def test_lengths_in_air_are_divided_by_the_refractive_index(opened):
    source, pictures = opened(lines_with(), RefractiveIndexApplied="NO", EffectiveRefractiveIndex=1.5)
    assert radius_mm(source, pictures[0]) == pytest.approx(60 * STEP_MM / 1.5, rel=0.01)


def test_an_offset_that_is_not_applied_shifts_each_frame_outwards(opened):
    per_frame = [{"IntravascularOCTFrameContent": {"OCTZOffsetCorrection": each}} for each in (0, 10, -10)]
    source, pictures = opened(lines_with(), per_frame=per_frame, OCTZOffsetApplied="NO")
    expected = [(60 + each) * STEP_MM for each in (0, 10, -10)]
    found = [radius_mm(source, each) for each in pictures]
    np.testing.assert_allclose(found, expected, rtol=0.015)


def test_an_offset_that_is_applied_shifts_nothing(opened):
    per_frame = [{"IntravascularOCTFrameContent": {"OCTZOffsetCorrection": 10}}] * 3
    source, pictures = opened(lines_with(), per_frame=per_frame)
    assert radius_mm(source, pictures[0]) == pytest.approx(60 * STEP_MM, rel=0.01)


@pytest.mark.parametrize(
    ("ray", "tags", "per_frame", "expected_deg"),
    [
        (0, {}, {}, 0.0),
        (45, {}, {}, 90.0),
        (45, {"FirstALineLocation": 30.0}, {}, 120.0),
        (45, {"CatheterDirectionOfRotation": "CC"}, {}, 270.0),
        (45, {}, {"SeamLineIndex": 45}, 0.0),
    ],
)
def test_lines_run_clockwise_from_the_first_one(opened, ray, tags, per_frame, expected_deg):
    lines = lines_with(ring=None, ray=max(ray, 1))
    macros = [{"IntravascularOCTFrameContent": per_frame}] * 3 if per_frame else ()
    source, pictures = opened(lines, per_frame=macros, **tags)
    found = clockwise_from_top_deg(source, pictures[0])
    shift = 2.0 if ray == 0 else 0.0
    assert (found - shift - expected_deg + 180.0) % 360.0 - 180.0 == pytest.approx(0.0, abs=1.0)


def test_padded_lines_are_left_out(opened):
    lines = lines_with(ring=None, ray=40)
    lines[:, 160:] = 255
    macros = [{"IntravascularOCTFrameContent": {"NumberOfPaddedALines": 20}}] * 3
    source, pictures = opened(lines, per_frame=macros)
    assert clockwise_from_top_deg(source, pictures[0]) == pytest.approx(40 / 160 * 360, abs=1.0)


@pytest.mark.parametrize(
    ("tags", "match"),
    [
        ({"ALinePixelSpacing": None}, "ALinePixelSpacing: found nothing"),
        ({"RefractiveIndexApplied": "NO"}, "EffectiveRefractiveIndex: found no index"),
        ({"RefractiveIndexApplied": "NO", "EffectiveRefractiveIndex": 9.0}, "found 9, expected 1 to 2"),
    ],
)
def test_lines_without_a_scale_are_refused(opened, tags, match):
    with pytest.raises(InputError, match=match):
        opened(lines_with(), **tags)
