"""DICOM segmentations of a pullback, written with pydicom."""

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from coreg.contours import area_mm2, centroid_mm
from coreg.errors import InputError
from coreg.io.case_file import load_pullback
from coreg.io.contour_formats import read_contours

ROWS, COLUMNS = 61, 75
CENTRE = (40.3, 28.6)


def share(radius_px, centre=CENTRE):
    """How much of each pixel a disk covers, as a ramp of one pixel across its edge."""
    row, column = np.mgrid[:ROWS, :COLUMNS]
    return np.clip(0.5 + radius_px - np.hypot(column - centre[0], row - centre[1]), 0.0, 1.0)


def item(**facts):
    made = Dataset()
    for keyword, value in facts.items():
        setattr(made, keyword, value)
    return made


def segment(number, label, meaning="Artery"):
    code = item(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning=meaning)
    return item(SegmentNumber=number, SegmentLabel=label, SegmentedPropertyTypeCodeSequence=[code])


class SegFile:
    """Writes a segmentation; `planes` are (image frame from 1, segment number, stored values)."""

    def __init__(self, path, ct_files):
        self.path, self.files = path, ct_files

    def write(
        self, planes, kind="BINARY", segments=None, change=None, storage="SegmentationStorage", bits=None
    ):
        made = self.files.dataset(storage=storage, Modality="SEG")
        made.Rows, made.Columns, made.NumberOfFrames = ROWS, COLUMNS, len(planes)
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.SegmentationType = kind
        made.PixelRepresentation = 0
        if kind == "BINARY":
            made.BitsAllocated = made.BitsStored = 1
            made.HighBit = 0
            packed = np.packbits(np.concatenate([each[2].ravel() for each in planes]) > 0, bitorder="little")
            data = packed.tobytes()
        else:
            made.BitsAllocated = made.BitsStored = 8
            made.HighBit = 7
            made.MaximumFractionalValue = 200
            data = b"".join(each[2].astype(np.uint8).tobytes() for each in planes)
        made.PixelData = data + b"\0" * (len(data) % 2)
        made.SegmentSequence = [segment(1, "Lumen")] if segments is None else segments
        measures = item(PixelMeasuresSequence=[item(PixelSpacing=[0.05, 0.02], SliceThickness=0.2)])
        made.SharedFunctionalGroupsSequence = [measures]
        made.PerFrameFunctionalGroupsSequence = [
            item(
                SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
                DerivationImageSequence=[
                    item(
                        SourceImageSequence=[
                            item(ReferencedSOPInstanceUID="1.2.3", ReferencedFrameNumber=frame)
                        ]
                    )
                ],
            )
            for frame, number, _ in planes
        ]
        if change is not None:
            change(made)
        self.files.save(self.path, made)
        return self.path


@pytest.fixture
def seg(tmp_path, ct_files):
    return SegFile(tmp_path / "seg.dcm", ct_files)


def binary(radius_px):
    return share(radius_px) > 0.5


def test_a_binary_segmentation_is_outlined_frame_by_frame(seg):
    # 61 x 75 pixels are no whole number of bytes, so frames begin within one.
    planes = [(1, 1, binary(12.0)), (5, 1, binary(15.0)), (4, 1, binary(9.0))]
    file = read_contours(seg.write(planes))
    assert not file.about_catheter
    assert sorted(file.contours["lumen"]) == [0, 3, 4]
    for frame, radius in ((0, 12.0), (4, 15.0), (3, 9.0)):
        outline = file.contours["lumen"][frame]
        # The half level cuts each step of the staircase at its corner.
        assert area_mm2(outline) == pytest.approx(binary(radius).sum(), rel=0.02)
        np.testing.assert_allclose(centroid_mm(outline), CENTRE, atol=0.1)
    # DICOM lists rows first: 0.05 mm between rows.
    assert file.images.pixel_spacing_mm == (0.02, 0.05)
    assert file.images.centre_px == (37.0, 30.0)


def test_a_fractional_segmentation_is_outlined_to_a_fraction_of_a_pixel(seg):
    file = read_contours(seg.write([(2, 1, np.rint(200 * share(12.3)))], kind="FRACTIONAL"))
    outline = file.contours["lumen"][1]
    radius = np.linalg.norm(outline - np.array(CENTRE), axis=1)
    # Linear between pixels, whose ramp is shorter than their diagonal.
    assert np.abs(radius - 12.3).max() < 0.1


def test_a_fractional_segmentation_at_the_images_edge_is_closed_there(seg):
    stored = np.rint(200 * share(12.3, centre=(2.0, 28.0)))
    outline = read_contours(seg.write([(2, 1, stored)], kind="FRACTIONAL")).contours["lumen"][1]
    assert outline[:, 0].min() == pytest.approx(-0.5)


def test_labels_and_types_tell_what_a_segment_is(seg):
    segments = [
        segment(1, "Lumen of the vessel"),
        segment(2, "x", "External elastic membrane"),
        segment(3, "Calcification"),
        segment(4, "Something else"),
    ]
    planes = [(1, number, binary(10.0 + number)) for number in (1, 2, 3, 4)]
    file = read_contours(seg.write(planes, segments=segments))
    assert sorted(file.contours) == ["calcium", "eem", "lumen"]
    assert area_mm2(file.contours["eem"][0]) > area_mm2(file.contours["lumen"][0])


def test_the_only_segment_is_the_lumen_whatever_it_is_called(seg):
    assert sorted(read_contours(seg.write([(1, 1, binary(9.0))], segments=[segment(1, "s1")])).contours) == [
        "lumen"
    ]


def test_a_label_map_holds_all_segments_in_one_plane(seg):
    labels = np.where(binary(9.0), 1, np.where(binary(14.0), 2, 0))
    segments = [segment(1, "Lumen"), segment(2, "EEM")]

    def change(made):
        made.SegmentationType = "LABELMAP"

    storage = "1.2.840.10008.5.1.4.1.1.66.7"
    file = read_contours(seg.write([(3, 1, labels)], "FRACTIONAL", segments, change, storage))
    assert area_mm2(file.contours["lumen"][2]) == pytest.approx(binary(9.0).sum(), rel=0.02)


def no_reference(made):
    for group in made.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence


def single_images(made):
    for group in made.PerFrameFunctionalGroupsSequence:
        del group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber


def frame_zero(made):
    source = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedFrameNumber = 0


def several_frames(made):
    source = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence[0]
    source.ReferencedFrameNumber = [1, 2]


def cut_off(made):
    made.PixelData = made.PixelData[:-200]


def too_few_groups(made):
    made.PerFrameFunctionalGroupsSequence = Sequence(list(made.PerFrameFunctionalGroupsSequence)[:1])


def no_rows(made):
    del made.Rows


def huge(made):
    made.Rows = made.Columns = 60_000


def another_kind(made):
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"


def two_lumens(made):
    made.SegmentSequence = [segment(1, "Lumen"), segment(2, "lumen 2")]


def no_lumen(made):
    made.SegmentSequence = [segment(1, "Zzsurname"), segment(2, "b")]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (no_reference, "ReferencedFrameNumber: found a frame that refers to no one frame"),
        (single_images, "ReferencedFrameNumber: found a frame that refers to no one frame"),
        (several_frames, "ReferencedFrameNumber: found a frame that refers to no one frame"),
        (frame_zero, "ReferencedFrameNumber: found 0, expected 1 to"),
        (cut_off, "PixelData: found .* bytes, expected .*cut off"),
        (too_few_groups, "functional groups: found 1 .*2"),
        (no_rows, "found a damaged file .AttributeError"),
        (huge, "found 2 frames of 60000 x 60000 pixels"),
        (another_kind, "SOP class: found a DICOM file of another kind"),
        (two_lumens, "SegmentLabel: found several .*lumen"),
        (no_lumen, "SegmentLabel: found 2 segments whose labels name neither lumen nor EEM"),
    ],
)
def test_segmentations_that_cannot_be_used_are_refused_without_an_identity(seg, ct_files, change, match):
    with pytest.raises(InputError, match=match) as error:
        read_contours(seg.write([(1, 1, binary(9.0)), (2, 1, binary(9.0))], change=change))
    assert not any(each in str(error.value) for each in ct_files.identity)


def test_a_truncated_file_is_refused(seg):
    path = seg.write([(1, 1, binary(9.0))])
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match="expected a DICOM segmentation"):
        read_contours(path)


def test_a_value_of_an_impossible_length_is_refused(seg):
    path = seg.write([(1, 1, binary(9.0))])
    columns = b"\x28\x00\x11\x00US\x02\x00"
    # Three bytes hold no number of 16 bits.
    path.write_bytes(path.read_bytes().replace(columns, b"\x28\x00\x11\x00US\x03\x00"))
    with pytest.raises(InputError, match="expected a DICOM segmentation"):
        read_contours(path)


@pytest.mark.parametrize("same", [True, False])
def test_a_segmentation_of_another_image_file_is_noted(seg, pullback_files, tmp_path, same):
    frames = np.repeat(np.round(180.0 * (1.0 - share(12.0)))[None].astype(np.uint8), 3, axis=0)
    image = pullback_files.made(frames, SequenceOfUltrasoundRegions=None, PixelSpacing=[0.08, 0.08])
    pullback_files.save(tmp_path / "pullback.dcm", image)

    def refer(made):
        for group in made.PerFrameFunctionalGroupsSequence:
            source = group.DerivationImageSequence[0].SourceImageSequence[0]
            source.ReferencedSOPInstanceUID = image.SOPInstanceUID

    seg.write([(i, 1, binary(12.0)) for i in (1, 2, 3)], change=refer if same else None)
    (tmp_path / "case.toml").write_text('id = "P1"\n[pullback]\nimage = "pullback.dcm"\nlumen = "seg.dcm"\n')
    notes = load_pullback(tmp_path).pullback.notes
    assert any("names another image file than pullback.image" in each for each in notes) is not same
