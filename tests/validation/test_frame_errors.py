from dataclasses import replace

import numpy as np
import pytest

from coreg.validation import frame_errors

Z_MM = 50.0 + 0.2 * np.arange(101)


@pytest.mark.parametrize("view", ["looking-distal", "looking-proximal"])
@pytest.mark.parametrize(("shift_mm", "turn_deg"), [(0.5, 10.0), (-0.3, -25.0), (0.0, 180.0)])
def test_known_shift_and_turn_are_measured_with_their_sign(straight_path, view, shift_mm, turn_deg):
    truth = straight_path(Z_MM, view=view, turn_deg=35.0)
    found = straight_path(Z_MM + shift_mm, view=view, turn_deg=35.0 + turn_deg)
    errors = frame_errors(found, truth)
    np.testing.assert_array_equal(errors.frame, np.arange(101))
    np.testing.assert_allclose(errors.error_mm, shift_mm, atol=1e-9)
    np.testing.assert_allclose(errors.error_frames, shift_mm / 0.2, atol=1e-9)
    # A half turn has either sign.
    np.testing.assert_allclose(abs(errors.error_deg) if turn_deg == 180.0 else errors.error_deg, turn_deg)
    np.testing.assert_allclose(errors.error_3d_mm, abs(shift_mm), atol=1e-9)


def test_offset_across_the_vessel_is_no_error_along_it(straight_path):
    errors = frame_errors(straight_path(Z_MM, offset_mm=(0.3, -0.4)), straight_path(Z_MM))
    np.testing.assert_allclose(errors.error_mm, 0.0, atol=1e-12)
    np.testing.assert_allclose(errors.error_3d_mm, 0.5)


def test_frames_are_compared_by_their_acquisition_index(straight_path):
    truth = straight_path(Z_MM)
    backwards = np.arange(0, 101, 4)[::-1]
    shifts = 0.01 * truth.frame[backwards]
    found = straight_path(Z_MM[backwards] + shifts, frame=truth.frame[backwards], position_mm=0.2 * backwards)
    errors = frame_errors(found, truth)
    np.testing.assert_array_equal(errors.frame, np.arange(0, 101, 4))
    np.testing.assert_allclose(errors.error_mm, 0.01 * errors.frame, atol=1e-9)


def test_only_frames_posed_in_both_count(straight_path):
    truth, found = straight_path(Z_MM), straight_path(Z_MM + 0.1)
    hidden = found.origin_mm.copy()
    hidden[:10] = np.nan
    reliable = np.arange(101) >= 20
    errors = frame_errors(replace(found, origin_mm=hidden, reliable=reliable), truth)
    # Rows 0 to 9 are frames 100 to 91.
    np.testing.assert_array_equal(errors.frame, np.arange(91))
    np.testing.assert_array_equal(errors.reliable, errors.frame <= 80)


def test_truth_with_a_single_posed_frame_is_enough(straight_path):
    truth = straight_path(Z_MM[:3])
    origin = truth.origin_mm.copy()
    origin[:2] = np.nan
    errors = frame_errors(straight_path(Z_MM[:3] + 0.1), replace(truth, origin_mm=origin))
    np.testing.assert_allclose(errors.error_mm, [0.1])


def test_paths_without_a_common_frame_are_refused(straight_path):
    other = straight_path(Z_MM, frame=np.arange(200, 301))
    with pytest.raises(ValueError, match="no posed frame in common"):
        frame_errors(other, straight_path(Z_MM))
