"""DICOM that cannot be used: what is said of it, and what is never said."""

import os
import traceback

import numpy as np
import pytest
from pydicom import dcmread, uid
from pydicom.encaps import encapsulate

from coreg.errors import InputError
from coreg.io.dicom_ccta import read_ccta, read_ccta_dicom
from coreg.io.dicom_series import list_series

DIRECTORY = "MediaStorageDirectoryStorage"


class Bad:
    """Writes a folder that is spoiled in one way."""

    def __init__(self, files, folder, hu):
        self.files, self.folder, self.hu = files, folder, hu

    def series(self, change=None, **options):
        return self.files.series(self.folder, self.hu, change=change, **options)

    def tags(self, slices, **tags):
        """Set tags of some slices; None drops one."""

        def change(made, i):
            if i in slices:
                for keyword, value in tags.items():
                    if value is None:
                        delattr(made, keyword)
                    else:
                        setattr(made, keyword, value)

        return self.series(change)

    def moved(self, by_mm):
        """Move slice `i` by `by_mm(i)`, (x, y, z)."""

        def change(made, i):
            made.ImagePositionPatient = [
                a + b for a, b in zip(made.ImagePositionPatient, by_mm(i), strict=True)
            ]

        return self.series(change)

    def cut(self, index, length):
        path = self.series()[index]
        path.write_bytes(path.read_bytes()[:length])

    def cut_compressed(self):
        path = self.series()[20]
        made = dcmread(path)
        made.compress(uid.RLELossless)
        made.save_as(path)
        path.write_bytes(path.read_bytes()[:-100])

    def encoded(self, syntax, content):
        def change(made, _):
            made.file_meta.TransferSyntaxUID = syntax
            made.PixelData = encapsulate([content])
            made["PixelData"].is_undefined_length = True

        self.series(change)

    def other(self, modality, storage, count=1, **tags):
        for i in range(count):
            made = self.files.dataset(50 + i, storage, Modality=modality, **tags)
            self.files.save(self.folder / f"{modality}-{i}", made)

    def mixture(self):
        self.other("MR", "MRImageStorage", 3)
        self.other("SR", "BasicTextSRStorage")
        self.other("CT", "SecondaryCaptureImageStorage")

    def rewritten(self, old, new):
        """Put bytes into the files by hand, where pydicom would complain of the value."""
        for path in self.folder.iterdir():
            content = path.read_bytes()
            assert old in content
            path.write_bytes(content.replace(old, new))

    def broken_number(self):
        self.series()
        self.rewritten(b"-1024", b"ZZ024")

    def unknown(self):
        self.encoded(uid.MPEG2MPML, bytes(500))
        self.rewritten(uid.MPEG2MPML.encode(), b"1.2.826.0.1.3680043.8.9")

    def duplicate(self):
        path = self.series()[7]
        made = dcmread(path)
        made.PixelData = bytes(len(made.PixelData))
        made.save_as(path.with_name("twice"))


ALL = range(40)
BAD = {
    "nothing": (lambda b: b.folder.mkdir(), "a folder without DICOM files, expected DICOM files"),
    "no ct": (
        lambda b: b.mixture(),
        r"no CT slices \(1 CT capture or report, 3 MR, 1 report\), expected .* export the CT series",
    ),
    "a pullback": (
        lambda b: b.other("IVUS", "UltrasoundMultiFrameImageStorage", NumberOfFrames=300),
        r"no CT slices \(1 IVUS pullback\)",
    ),
    "two patients by id": (
        lambda b: b.tags([5], PatientID="ZZID4712"),
        "found more than one patient, expected",
    ),
    "two patients by name": (lambda b: b.tags([5], PatientName="Zzsurname^Zzother"), "more than one patient"),
    "two orientations": (
        lambda b: b.tags([39], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
        "series 1, ImageOrientationPatient: found slices in different orientations",
    ),
    "skewed axes": (
        lambda b: b.tags(ALL, ImageOrientationPatient=[1, 0, 0, 0.5, 1, 0]),
        "expected two perpendicular directions",
    ),
    "two sizes": (
        lambda b: b.tags([4], PixelSpacing=[0.8, 0.8]),
        "found slices of different size or spacing",
    ),
    "missing slice": (
        lambda b: b.series(skip=[11]),
        r"series 1, slices: found 1 missing slice, the first after z = 910.00 mm, expected a slice every 1",
    ),
    "missing slices": (
        lambda b: b.series(skip=[11, 20, 21, 22]),
        "4 missing slices, the first after z = 910.00 mm",
    ),
    "uneven": (
        lambda b: b.moved(lambda i: (0, 0, 0.3 * (i >= 20))),
        r"slice spacing: found steps from 1.000 to 1.300 mm, the oddest after z = 919.00 mm",
    ),
    "growing spacing": (
        lambda b: b.moved(lambda i: (0, 0, 0.02 * i * i)),
        "slice spacing: found steps from 1.020",
    ),
    "half as dense": (
        lambda b: b.series(skip=range(21, 40, 2)),
        "slice spacing: found steps from 1.000 to 2.000 mm",
    ),
    "sheared by tilt": (
        lambda b: b.moved(lambda i: (0, 0.2 * i, 0)),
        "gantry tilt: found slices stacked 11.3 degrees off their normal, expected .* straighten",
    ),
    "tilt in the header": (
        lambda b: b.tags(ALL, GantryDetectorTilt=-15.0),
        "GantryDetectorTilt: found -15.0 degrees, expected .* straighten",
    ),
    "shifted field of view": (
        lambda b: b.moved(lambda i: (3.0 * (i == 20), 0, 0)),
        "shifted sideways by up to 3.00 mm",
    ),
    "two at a place": (
        lambda b: b.duplicate(),
        r"slices: found two different slices at z = 907.00 mm, expected one",
    ),
    "no rescale": (
        lambda b: b.tags([3, 4], RescaleSlope=None),
        "rescale: found 2 of 40 slices without RescaleSlope and RescaleIntercept",
    ),
    "broken number": (lambda b: b.broken_number(), "40 of 40 slices without RescaleSlope and"),
    "slope of zero": (
        lambda b: b.tags(ALL, RescaleSlope=0),
        "RescaleSlope: found a slope that is not above 0",
    ),
    "another unit": (lambda b: b.tags(ALL, RescaleType="Z_EFF"), "RescaleType: found values in another unit"),
    "no hu": (lambda b: b.tags(ALL, RescaleIntercept=0), "series 1, pixels: found values from 24 to 1724"),
    "dark": (lambda b: b.tags(ALL, RescaleIntercept=-2048), "found values from -2024 to -324"),
    "constant": (
        lambda b: b.tags(ALL, PixelData=bytes(64 * 64 * 2)),
        "found values from -1024 to -1024, expected CT numbers in HU",
    ),
    "huge pixels": (
        lambda b: b.series(spacing=(1.0, 5.0, 5.0)),
        "row spacing: found 5 mm, expected 0.1 to 2.0 mm",
    ),
    "cut off in the pixels": (
        lambda b: b.cut(20, -3000),
        "slice at z = 920.00 mm: found .* cut off.*, expected whole files; export the series again",
    ),
    "cut off before the pixels": (
        lambda b: b.cut(20, -64 * 64 * 2 - 12),
        "slice at z = 920.00 mm: found a file without pixels",
    ),
    "cut off in compressed pixels": (
        lambda b: b.cut_compressed(),
        "slice at z = 920.00 mm: found a file without pixels, or cut off in them",
    ),
    "cut off in the header": (
        lambda b: b.cut(20, 700),
        "found 1 missing slice, the first after z = 919.00 mm",
    ),
    "a damaged jpeg": (
        lambda b: b.encoded(uid.JPEGLosslessSV1, bytes(500)),
        r"slice at z = 900.00 mm: found pixels that cannot be decoded \(JPEG Lossless",
    ),
    "a video": (
        lambda b: b.encoded(uid.MPEG2MPML, bytes(500)),
        "transfer syntax: found pixels in MPEG2 .* cannot be decoded here, .*pip install python-gdcm",
    ),
    "an unknown syntax": (lambda b: b.unknown(), "an unknown transfer syntax"),
}


def said(error):
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("kind", BAD)
def test_bad_dicom_is_refused_without_a_word_on_the_patient(ct_files, chest, tmp_path, capfd, caplog, kind):
    folder = tmp_path / "dicom"
    spoil, match = BAD[kind]
    spoil(Bad(ct_files, folder, chest))
    with pytest.raises(InputError, match=match) as caught:
        read_ccta_dicom(folder)
    assert str(caught.value).startswith(str(folder))
    text = said(caught.value) + caplog.text + "".join(capfd.readouterr())
    assert not [each for each in ct_files.identity if each in text]


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda files, path: path.write_bytes(b"hello" * 100), "a file that is not DICOM"),
        (lambda files, path: path.write_bytes(b""), "an empty file"),
        (lambda files, path: files.save(path, files.dataset(storage=DIRECTORY)), "a DICOMDIR"),
        (lambda files, path: files.save(path, files.dataset()), "1 DICOM files, all cut off or damaged"),
    ],
)
def test_a_single_bad_file_is_refused(ct_files, tmp_path, spoil, match):
    spoil(ct_files, tmp_path / "file")
    with pytest.raises(InputError, match=match):
        read_ccta_dicom(tmp_path / "file")


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(InputError, match="none: found no such file"):
        read_ccta(tmp_path / "none")


def test_a_slice_lost_at_an_end_is_warned_of(ct_files, tmp_path):
    files = ct_files.series(tmp_path)
    files[39].write_bytes(files[39].read_bytes()[:700])
    (series,) = list_series(tmp_path)
    assert series.slices == 39
    assert series.warnings == (
        "1 DICOM files beside it are cut off or damaged; a slice may be lacking at an end",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("what", ["a slice at an end", "all slices", "a folder in it", "the folder"])
def test_what_must_not_be_read_is_refused_and_not_passed_over(ct_files, tmp_path, what):
    folder = tmp_path / "dicom"
    files = ct_files.series(folder / "in it")
    locked = {
        "a slice at an end": files[:1],
        "all slices": files,
        "a folder in it": [files[0].parent],
        "the folder": [folder],
    }[what]
    mode = 0o444 if locked == [folder] else 0o000
    for each in locked:
        each.chmod(mode)
    try:
        with pytest.raises(
            InputError, match=r"dicom: found content that cannot be read \(Permission"
        ) as caught:
            read_ccta_dicom(folder)
    finally:
        for each in locked:
            each.chmod(0o755)
    assert files[0].name not in said(caught.value)


def test_spellings_of_one_name_are_one_patient(ct_files, tmp_path):
    names = ["Zzsurname^Zzgiven", "ZZSURNAME^ZZGIVEN^^^", "", "Zzsurname Zzgiven "]
    ct_files.series(tmp_path, change=lambda made, i: setattr(made, "PatientName", names[i % 4]))
    assert list_series(tmp_path)[0].slices == 40


def test_a_header_that_breaks_the_standard_is_read_in_silence(ct_files, chest, tmp_path, capfd, caplog):
    bad = Bad(ct_files, tmp_path, chest)
    bad.series(PatientAge="045Y")
    bad.rewritten(b"19010203", b"19ZZ02ZZ")
    bad.rewritten(b"045Y", b"ZZ45")
    bad.rewritten(b"ZZSTUDYTEXT", b"ZZSTUDY\xff\xfe\x00\x1b")
    volume, _ = read_ccta_dicom(tmp_path)
    np.testing.assert_array_equal(volume.values, chest)
    assert (capfd.readouterr(), caplog.text) == (("", ""), "")


def test_nothing_read_carries_an_identity(ct_files, tmp_path, capfd, caplog):
    ct_files.series(tmp_path / "dicom")
    volume, series = read_ccta_dicom(tmp_path / "dicom")
    text = repr(series) + repr(volume) + caplog.text + "".join(capfd.readouterr())
    assert not [each for each in ct_files.identity if each in text]
    assert np.isfinite(volume.index_to_world).all()
