from decimal import Decimal

import numpy as np
import pytest

from coreg.rounding import rounded_text
from coreg.stretches import frame_marks, lengths_text, vessel_marks


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.25, 1, "1.3"),
        (1.35, 1, "1.4"),
        (2.675, 2, "2.68"),
        (-1.25, 1, "-1.3"),
        (0.5, 0, "1"),
        (2.5, 0, "3"),
    ],
)
def test_what_lies_half_way_goes_away_from_zero(value, digits, text):
    assert rounded_text(value, digits) == text


def test_nothing_is_a_negative_zero():
    assert rounded_text(-0.0) == rounded_text(-0.0049) == "0.00"
    assert rounded_text(-0.0049, signed=True) == "0.00"
    assert rounded_text(-0.4, 0, signed=True) == "0"


def test_signs_are_shown_on_demand():
    assert (rounded_text(0.22, signed=True), rounded_text(-0.22, signed=True)) == ("+0.22", "-0.22")


def test_a_rounded_number_is_at_most_half_a_digit_away_and_has_no_exponent():
    rng = np.random.default_rng(3)
    for value in (rng.choice([-1.0, 1.0], 500) * 10.0 ** rng.uniform(-9.0, 15.0, 500)).tolist():
        text = rounded_text(value, 2)
        assert "E" not in text
        assert abs(Decimal(text) - Decimal(repr(value))) <= Decimal("0.005")


def test_the_largest_number_is_written_out():
    assert rounded_text(1e308, 1) == f"{Decimal('1e308'):f}.0"


def test_one_frame_and_one_stretch_are_singular():
    stretches = ((17, 17, "blood"), (3, 9, "shadow"), (20, 21, "blood"))
    assert frame_marks(stretches, most=3) == [
        "frames 3 to 9: shadow",
        "frames 20 to 21: blood",
        "frame 17: blood",
    ]
    assert frame_marks(stretches, most=2)[-1] == "and 1 more stretch"
    assert frame_marks(stretches, most=1)[-1] == "and 2 more stretches"


def test_a_stretch_of_a_vessel_never_runs_from_a_place_to_the_same_place():
    assert lengths_text(17.2, 17.4, digits=0) == "at 17 mm"
    assert lengths_text(17.4, 17.6, digits=0) == "17 to 18 mm"
    assert vessel_marks(((1.0, 1.0, "calcium"), (4.0, 6.5, "faint")), most=6) == [
        "4.0 to 6.5 mm: faint",
        "at 1.0 mm: calcium",
    ]
