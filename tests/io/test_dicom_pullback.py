"""What is taken from the header of a pullback, and what is refused."""

import numpy as np
import pytest
from pydicom.datadict import tag_for_keyword

from coreg.errors import InputError
from coreg.io.case_file import load_pullback
from coreg.io.pullback_image_files import open_frames

LONGITUDINAL = "IntravascularLongitudinalDistance"


def write_case(folder, image="pullback.dcm", **keys):
    lines = [f"{key} = {value}" for key, value in keys.items()]
    text = "\n".join(['id = "P1"', "[pullback]", f'image = "{image}"', *lines])
    (folder / "case.toml").write_text(text)
    return folder


@pytest.fixture
def load(pullback_files, tmp_path):
    """Write a pullback with tags and load a case of it with keys."""

    def run(keys=None, frames=None, **tags):
        pullback_files.pullback(tmp_path / "pullback.dcm", frames, **tags)
        return load_pullback(write_case(tmp_path, **(keys or {})))

    return run


def positions(case):
    by_frame = dict(zip(case.pullback.frame.tolist(), case.pullback.position_mm.tolist(), strict=True))
    return np.array([by_frame[frame] for frame in sorted(by_frame)])


def measured(*distances_mm):
    return [{"IntravascularFrameContent": {LONGITUDINAL: each}} for each in distances_mm]


class TestMotorPullback:
    def test_has_a_frame_every_speed_times_frame_time(self, load):
        case = load()
        np.testing.assert_allclose(positions(case), 0.02 * np.arange(12), atol=1e-12)
        assert case.pullback.acquisition == "motorized"
        assert case.known_images.frame_rate_hz == pytest.approx(25.0)
        assert case.known_images.sources["frame_rate_hz"] == "the file (FrameTime)"

    def test_takes_the_times_between_frames_where_they_differ(self, load):
        vector = [0.0, *([40.0, 80.0] * 6)][:12]
        case = load(FrameTime=None, FrameTimeVector=vector)
        np.testing.assert_allclose(positions(case), 0.0005 * np.cumsum(vector), atol=1e-12)

    def test_stands_still_before_the_start_and_after_the_stop_frame_counted_from_1(self, load):
        case = load(IVUSPullbackStartFrameNumber=3, IVUSPullbackStopFrameNumber=9)
        expected = 0.02 * np.array([0, 0, 0, 1, 2, 3, 4, 5, 6, 6, 6, 6])
        np.testing.assert_allclose(positions(case), expected, atol=1e-12)
        assert sorted(case.pullback.excluded) == [0, 1, 9, 10, 11]
        assert case.pullback.excluded[0] == "before the motor started"
        assert case.pullback.excluded[11] == "after the motor stopped"

    def test_with_a_senseless_start_frame_says_so(self, load):
        case = load(IVUSPullbackStartFrameNumber=40)
        assert case.pullback.length_mm == pytest.approx(0.22)
        assert any("make no sense" in each for each in case.known_images.notes)

    def test_reads_boston_scientifics_private_speed(self, load, pullback_files, tmp_path):
        made = pullback_files.made(
            pullback_files.frames(), IVUSPullbackRate=None, Manufacturer="BOSTON SCIENTIFIC"
        )
        made.private_block(0x000B, "BSC", create=True).add_new(0x01, "LO", "1.0")
        pullback_files.save(tmp_path / "pullback.dcm", made)
        case = load_pullback(write_case(tmp_path))
        np.testing.assert_allclose(positions(case), 0.04 * np.arange(12), atol=1e-12)

    def test_takes_no_private_speed_of_another_maker(self, pullback_files, tmp_path):
        made = pullback_files.made(pullback_files.frames(), IVUSPullbackRate=None, Manufacturer="OTHER")
        made.private_block(0x000B, "XYZ", create=True).add_new(0x01, "LO", "1.0")
        pullback_files.save(tmp_path / "pullback.dcm", made)
        with pytest.raises(
            InputError, match=r"pullback.frame_spacing_mm: found nothing, and no IVUSPullback"
        ):
            load_pullback(write_case(tmp_path))

    def test_uses_the_rate_for_display_only_as_a_check(self, load):
        assert not load(CineRate=25).known_images.notes
        case = load(CineRate=30)
        assert case.pullback.frame_spacing_mm == pytest.approx(0.02)
        assert any("25 frames per second, but 30 for display" in each for each in case.known_images.notes)
        with pytest.raises(InputError, match=r"no FrameTime .CineRate is only how it is shown"):
            load(CineRate=30, FrameTime=None)

    @pytest.mark.parametrize(("speed", "spacing"), [(36.0, 0.2), (18.0, 0.1), (20.0, 0.2), (10.0, 0.1)])
    def test_corrects_the_frame_time_of_optis_scanners_and_says_so(self, load, speed, spacing):
        case = load(
            Modality="OT",
            Manufacturer="St. Jude Medical",
            ManufacturerModelName="ILUMIEN OPTIS",
            IVUSPullbackRate=speed,
            FrameTime=100.0,
        )
        assert case.pullback.frame_spacing_mm == pytest.approx(spacing)
        assert case.pullback.modality == "OCT"
        assert any("FrameTime of 100 ms whatever the truth" in each for each in case.known_images.notes)

    def test_believes_the_same_frame_time_of_others(self, load):
        case = load(
            Manufacturer="Other", ManufacturerModelName="OPTIS", IVUSPullbackRate=2.0, FrameTime=100.0
        )
        assert case.pullback.frame_spacing_mm == pytest.approx(0.2)

    def test_does_not_believe_the_frame_time_of_optis_at_an_unknown_speed(self, load):
        with pytest.raises(InputError, match=r"FrameTime of 100 ms, which this scanner always writes"):
            load(Manufacturer="ABBOTT", ManufacturerModelName="OPTIS", IVUSPullbackRate=3.0, FrameTime=100.0)

    def test_that_began_proximally_is_turned_by_the_case(self, load):
        case = load({"first_frame": '"proximal"'})
        np.testing.assert_allclose(positions(case), 0.02 * np.arange(11, -1, -1), atol=1e-12)


class TestOtherPullbacks:
    def test_gated_ones_have_a_frame_every_beat(self, load):
        case = load(IVUSAcquisition="GATED_PULLBACK", IVUSGatedRate=0.5)
        np.testing.assert_allclose(positions(case), 0.5 * np.arange(12), atol=1e-12)
        assert case.pullback.acquisition == "gated"

    @pytest.mark.parametrize("named", ["MANUAL_PULLBACK", "SELECTIVE"])
    def test_without_a_speed_ask_for_positions(self, load, named):
        expected = "pullback.frame_spacing_mm: found nothing, and a pullback of"
        with pytest.raises(InputError, match=expected):
            load(IVUSAcquisition=named)
        case = load({"frame_spacing_mm": 0.3}, IVUSAcquisition=named)
        assert case.pullback.frame_spacing_mm == pytest.approx(0.3)
        assert case.pullback.acquisition == ("manual" if named == "MANUAL_PULLBACK" else "motorized")

    def test_the_case_wins_over_the_file(self, load):
        keys = {
            "frame_spacing_mm": 0.1,
            "pixel_spacing_mm": 0.04,
            "modality": '"OCT"',
            "frame_rate_hz": 100.0,
        }
        case = load({**keys, "acquisition": '"manual"', "catheter_px": "[40.0, 41.0]"})
        images = case.known_images
        assert case.pullback.frame_spacing_mm == pytest.approx(0.1)
        assert images.pixel_spacing_mm.tolist() == [0.04, 0.04]
        assert (images.modality, case.pullback.acquisition, images.frame_rate_hz) == ("OCT", "manual", 100.0)
        assert images.catheter_px.tolist() == [40.0, 41.0]
        told = {each: images.sources[each] for each in ("pixel_spacing_mm", "modality", "frame_rate_hz")}
        assert set(told.values()) == {"the case"}


def test_a_membrane_without_a_lumen_is_refused(load):
    with pytest.raises(InputError, match=r"pullback\.eem: found a membrane without a lumen"):
        load({"eem": '"eem.csv"'})


class TestPositionsOfTheCase:
    @pytest.fixture
    def load_given(self, load, tmp_path):
        """Load the 12 images with positions of some frames, 0.2 mm between frames."""

        def run(frames):
            rows = "".join(f"{each},{0.2 * each}\n" for each in frames)
            (tmp_path / "positions.csv").write_text(f"frame,position_mm\n{rows}")
            return load({"positions": '"positions.csv"'})

        return run

    def test_of_some_images_give_those_between_them_too(self, load_given):
        np.testing.assert_allclose(positions(load_given([0, 4, 5, 11])), 0.2 * np.arange(12), atol=1e-12)

    @pytest.mark.parametrize(
        ("frames", "found"),
        [
            (range(9), r"no position of frame 11 \(counted from 0\), the first or the last one"),
            (range(1, 12), r"no position of frame 0 \(counted from 0\), the first or the last one"),
            (range(13), r"a position of frame 12 \(counted from 0\), expected frames of the image, 0 to 11"),
        ],
    )
    def test_of_other_frames_are_refused(self, load_given, frames, found):
        with pytest.raises(InputError, match=rf"pullback\.positions \(positions\.csv\): found {found}"):
            load_given(frames)


class TestMeasuredPositions:
    @pytest.fixture
    def load_measured(self, pullback_files, tmp_path):
        def run(distances_mm, **keys):
            lines = np.full((len(distances_mm), 128, 100), 40, np.uint8)
            pullback_files.polar(
                tmp_path / "pullback.dcm",
                lines,
                per_frame=measured(*distances_mm),
                IVUSAcquisition="MEASURED",
                IVUSPullbackRate=None,
            )
            return load_pullback(write_case(tmp_path, **keys))

        return run

    def test_add_up_as_the_standard_has_them(self, load_measured):
        case = load_measured([0.0, 0.2, 0.3, 0.1, -0.1, 0.4])
        np.testing.assert_allclose(positions(case), [0.0, 0.2, 0.5, 0.6, 0.5, 0.9], atol=1e-12)
        assert case.pullback.acquisition == "gated"

    def test_of_an_advanced_catheter_begin_proximally(self, load_measured):
        case = load_measured([0.0, -0.2, -0.2, -0.3, -0.2])
        np.testing.assert_allclose(positions(case), [0.9, 0.7, 0.5, 0.2, 0.0], atol=1e-12)

    def test_that_grow_from_frame_to_frame_are_positions_and_said_to_be(self, load_measured):
        case = load_measured([3.0, 3.2, 3.5, 3.6, 3.9])
        np.testing.assert_allclose(positions(case), [0.0, 0.2, 0.5, 0.6, 0.9], atol=1e-12)
        assert any("taken as a position" in each for each in case.known_images.notes)

    def test_that_fall_need_the_direction(self, load_measured):
        falling = [3.9, 3.6, 3.5, 3.2, 3.0]
        with pytest.raises(InputError, match=r"pullback.first_frame: found nothing, and positions that fall"):
            load_measured(falling)
        np.testing.assert_allclose(
            positions(load_measured(falling, first_frame='"distal"')), [0.0, 0.3, 0.4, 0.7, 0.9], atol=1e-12
        )
        np.testing.assert_allclose(
            positions(load_measured(falling, first_frame='"proximal"')), [0.9, 0.6, 0.5, 0.2, 0.0], atol=1e-12
        )

    def test_whose_group_is_damaged_are_lacking(self, load_measured, tmp_path):
        load_measured([0.0, 0.2, 0.3])
        path = tmp_path / "pullback.dcm"
        tag = tag_for_keyword("IntravascularFrameContentSequence")
        group = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
        path.write_bytes(path.read_bytes().replace(group + b"SQ", group + b"S{", 1))
        with pytest.raises(InputError, match=r"measured distances, but none in it"):
            load_pullback(tmp_path)

    @pytest.mark.parametrize("distances_mm", [[0.0] * 6, [0.0, *[90.0] * 5], [0.0, *[0.001] * 5]])
    def test_that_are_constant_or_absurd_are_refused(self, load_measured, distances_mm):
        with pytest.raises(InputError, match=r"pullback.frame_spacing_mm: found steps of .* in the image's"):
            load_measured(distances_mm)


class TestScale:
    def test_comes_in_centimetres_from_the_region_of_tissue(self, load, pullback_files):
        other = pullback_files.region((0, 0, 200, 200), 0.02, RegionSpatialFormat=3)
        tissue = pullback_files.region((8, 16, 87, 95), 0.004)
        images = load(SequenceOfUltrasoundRegions=[other, tissue]).known_images
        assert images.pixel_spacing_mm.tolist() == pytest.approx([0.04, 0.04])
        assert images.catheter_px.tolist() == [47.5, 55.5]
        assert images.sources["pixel_spacing_mm"] == "the file (SequenceOfUltrasoundRegions)"
        assert images.sources["catheter_px"] == "the centre of the file's region of the picture"
        assert images.field_of_view_mm <= 40 * 0.04 + 1e-9

    def test_comes_from_pixel_spacing_between_rows_first(self, load):
        images = load(SequenceOfUltrasoundRegions=None, PixelSpacing=[0.05, 0.06]).known_images
        assert images.pixel_spacing_mm.tolist() == [0.06, 0.05]

    @pytest.mark.parametrize(
        ("tags", "found"),
        [
            ({}, "no pixel spacing in the file"),
            ({"PixelSpacing": [1.0, 1.0]}, "PixelSpacing of 1 x 1 mm"),
        ],
    )
    def test_is_never_made_up(self, load, tags, found):
        with pytest.raises(InputError, match=f"pullback.pixel_spacing_mm: found nothing, and {found}"):
            load(SequenceOfUltrasoundRegions=None, **tags)

    def test_in_other_units_is_not_used(self, load, pullback_files):
        region = pullback_files.region(PhysicalUnitsXDirection=4, PhysicalUnitsYDirection=4)
        with pytest.raises(InputError, match=r"pullback.pixel_spacing_mm: found nothing"):
            load(SequenceOfUltrasoundRegions=[region])

    def test_that_shows_more_than_any_catheter_is_refused(self, load):
        with pytest.raises(InputError, match=r"pullback.image: found a picture that ends 0.48 mm from"):
            load({"pixel_spacing_mm": 0.01})

    def test_with_a_catheter_elsewhere_than_in_the_file_is_noted(self, load):
        near, far = (load({"catheter_px": f"[{each}, 47.5]"}).known_images.notes for each in (57.0, 67.5))
        assert not any("catheter_px" in each for each in near)
        (note,) = (each for each in far if "catheter_px" in each)
        assert "lies 1.0 mm from where the image's file has the catheter (column 47.5, row 47.5)" in note

    def test_with_a_catheter_outside_the_picture_is_refused(self, load):
        with pytest.raises(InputError, match=r"pullback.catheter_px: found column 300, row 10, expected col"):
            load({"catheter_px": "[300.0, 10.0]"})


class TestModality:
    def test_of_a_capture_is_asked_for(self, load):
        tags = {"Modality": "OT", "IVUSAcquisition": None}
        storage = "MultiFrameTrueColorSecondaryCaptureImageStorage"
        with pytest.raises(InputError, match=r"pullback.modality: found nothing, and Modality OT"):
            load(storage=storage, **tags)
        assert load({"modality": '"OCT"'}, storage=storage, **tags).pullback.modality == "OCT"

    def test_of_ultrasound_with_an_intravascular_acquisition_is_ivus(self, load):
        assert load(Modality="US").pullback.modality == "IVUS"


class TestFilesOfAFrameEach:
    def test_are_ordered_by_instance_number(self, pullback_files, tmp_path):
        frames = pullback_files.frames()
        folder = pullback_files.single_frames(tmp_path / "frames", frames)
        planes = np.stack(list(open_frames(folder).planes(range(len(frames)))))
        np.testing.assert_array_equal(planes, frames)

    def test_with_a_gap_are_refused(self, pullback_files, tmp_path):
        folder = pullback_files.single_frames(tmp_path / "frames")
        next(folder.glob("*-5")).unlink()
        with pytest.raises(InputError, match=r"InstanceNumber: found gaps between 1 and 12, expected"):
            open_frames(folder)

    def test_of_two_series_are_refused(self, pullback_files, tmp_path):
        folder = pullback_files.single_frames(tmp_path / "frames")
        other = pullback_files.dataset(3, "UltrasoundImageStorage", Modality="IVUS", InstanceNumber=13)
        other.Rows = other.Columns = 96
        pullback_files.save(folder / "other", other)
        with pytest.raises(InputError, match=r"found 13 pullbacks or series of frames, expected one"):
            open_frames(folder)

    def test_of_two_sizes_are_refused(self, pullback_files, tmp_path):
        folder = pullback_files.single_frames(tmp_path / "frames")
        made = pullback_files.made(
            pullback_files.frames(count=1, size=80), "UltrasoundImageStorage", InstanceNumber=13
        )
        pullback_files.save(folder / "last", made)
        with pytest.raises(
            InputError, match=r"size: found a frame of 80 x 80 pixels .frame 12, from 0. after"
        ):
            open_frames(folder)
