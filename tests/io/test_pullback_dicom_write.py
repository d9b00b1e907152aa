from dataclasses import replace

import numpy as np
import pydicom
import pytest

from coreg.io.case_file import load_pullback
from coreg.io.case_model import write_case_file
from coreg.io.pullback_dicom_write import header_tells_positions, write_pullback_dicom
from coreg.pullback import Pullback
from coreg.pullback_images import PullbackImages

COUNT = 12


@pytest.fixture(scope="module")
def ivus():
    """Noise in a circle, as a reader finds it again."""
    pixels = np.random.default_rng(1).integers(1, 200, (COUNT, 96, 80)).astype(np.uint8)
    y, x = np.mgrid[:96, :80]
    pixels[:, np.hypot(x - 39.5, y - 47.5) > 38.0] = 0
    return PullbackImages(pixels, [0.05, 0.05], [39.5, 47.5], "IVUS", 1.9, frame_rate_hz=30.0)


def motorized(step_mm):
    position = step_mm * np.arange(COUNT)
    return Pullback(np.arange(COUNT), position, {}, modality="IVUS")


def loaded(folder, **pullback):
    content = {"id": "p", "ccta": {"ostium": [0.0, 0.0, 0.0]}, "pullback": {"image": "run.dcm", **pullback}}
    write_case_file(folder / "case.toml", content)
    return load_pullback(folder)


def test_ivus_is_an_ultrasound_multi_frame_image_calibrated_in_centimetres(ivus, tmp_path):
    write_pullback_dicom(tmp_path / "run.dcm", ivus, motorized(1.0 / 30.0), name="phantom-3")
    made = pydicom.dcmread(tmp_path / "run.dcm")
    assert made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.3.1"
    assert (made.Modality, made.IVUSAcquisition) == ("IVUS", "MOTOR_PULLBACK")
    assert made.IVUSPullbackRate == pytest.approx(1.0)
    assert float(made.FrameTime) == pytest.approx(1000.0 / 30.0)
    assert (made.IVUSPullbackStartFrameNumber, made.IVUSPullbackStopFrameNumber) == (1, COUNT)
    (region,) = made.SequenceOfUltrasoundRegions
    assert (region.PhysicalUnitsXDirection, region.PhysicalUnitsYDirection) == (3, 3)
    assert region.PhysicalDeltaX == pytest.approx(0.005)
    assert (region.RegionLocationMaxX1, region.RegionLocationMaxY1) == (79, 95)
    np.testing.assert_array_equal(made.pixel_array, ivus.pixels)


def test_a_motorized_pullback_reads_back_from_its_header_alone(ivus, tmp_path):
    pullback = motorized(1.0 / 30.0)
    write_pullback_dicom(tmp_path / "run.dcm", ivus, pullback, name="p")
    assert header_tells_positions(ivus, pullback)
    read = loaded(tmp_path)
    np.testing.assert_array_equal(read.images.pixels[:, 40:56, 30:50], ivus.pixels[:, 40:56, 30:50])
    np.testing.assert_allclose(read.images.pixel_spacing_mm, 0.05)
    np.testing.assert_allclose(read.images.catheter_px, ivus.catheter_px)
    assert read.images.modality == read.pullback.modality == "IVUS"
    assert read.images.frame_rate_hz == pytest.approx(30.0)
    assert read.pullback.acquisition == "motorized"
    np.testing.assert_allclose(read.pullback.position_mm, pullback.position_mm, atol=1e-4)


def test_even_gated_steps_are_told_and_uneven_ones_are_not(ivus, tmp_path):
    gated = replace(ivus, frame_rate_hz=None)
    even = replace(motorized(0.5), acquisition="gated")
    write_pullback_dicom(tmp_path / "run.dcm", gated, even, name="p")
    assert header_tells_positions(gated, even)
    read = loaded(tmp_path)
    assert read.pullback.acquisition == "gated"
    np.testing.assert_allclose(read.pullback.position_mm, even.position_mm, atol=1e-4)
    assert pydicom.dcmread(tmp_path / "run.dcm").IVUSAcquisition == "GATED_PULLBACK"
    uneven = replace(even, position_mm=np.cumsum(np.r_[0.0, np.linspace(0.3, 0.7, COUNT - 1)])[::-1])
    assert not header_tells_positions(gated, uneven)


def test_oct_is_an_intravascular_oct_image_with_a_distance_for_each_frame(ivus, tmp_path):
    images = replace(ivus, modality="OCT", frame_rate_hz=100.0)
    position = np.cumsum(np.r_[0.0, 0.2 + 0.1 * np.sin(np.arange(1.0, COUNT))])
    pullback = replace(motorized(0.2), position_mm=position[::-1], modality="OCT")
    write_pullback_dicom(tmp_path / "run.dcm", images, pullback, name="p")
    made = pydicom.dcmread(tmp_path / "run.dcm")
    assert made.SOPClassUID == "1.2.840.10008.5.1.4.1.1.14.1"
    assert (made.Modality, made.PresentationIntentType) == ("IVOCT", "FOR PRESENTATION")
    shared = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    assert [float(each) for each in shared.PixelSpacing] == [0.05, 0.05]
    steps = [
        each.IntravascularFrameContentSequence[0].IntravascularLongitudinalDistance
        for each in made.PerFrameFunctionalGroupsSequence
    ]
    np.testing.assert_allclose(steps, np.diff(position, prepend=0.0), atol=1e-6)
    read = loaded(tmp_path)
    assert read.images.modality == "OCT"
    np.testing.assert_allclose(np.sort(read.pullback.position_mm), position, atol=1e-5)


def test_the_same_name_gives_the_same_file_without_a_person_or_a_day(ivus, tmp_path):
    for name in ("a.dcm", "b.dcm"):
        write_pullback_dicom(tmp_path / name, ivus, motorized(0.1), name="phantom-3")
    write_pullback_dicom(tmp_path / "c.dcm", ivus, motorized(0.1), name="phantom-4")
    assert (tmp_path / "a.dcm").read_bytes() == (tmp_path / "b.dcm").read_bytes()
    made, other = (pydicom.dcmread(tmp_path / name) for name in ("a.dcm", "c.dcm"))
    assert made.SOPInstanceUID != other.SOPInstanceUID
    assert made.PatientID == "phantom-3"
    assert not made.StudyDate
    assert not made.PatientBirthDate


def test_images_without_their_frames_are_refused(ivus, tmp_path):
    short = Pullback(np.arange(3), 0.1 * np.arange(3.0), {}, modality="IVUS")
    with pytest.raises(ValueError, match="12 images need frames 0 to 11, got 3 frames"):
        write_pullback_dicom(tmp_path / "run.dcm", ivus, short, name="p")
