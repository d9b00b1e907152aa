import shutil

import gdcm
import numpy as np
import pytest
import SimpleITK as sitk
from pydicom import dcmread, uid
from scipy.spatial.transform import Rotation

from coreg.errors import InputError
from coreg.io.dicom_ccta import read_ccta, read_ccta_dicom
from coreg.io.volumes import write_volume
from coreg.volume import Volume

OBLIQUE = Rotation.from_euler("xyz", [25.0, -40.0, 70.0], degrees=True).as_matrix()


def itk_image(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


@pytest.mark.parametrize("turn", [np.eye(3), OBLIQUE, np.diag([1.0, -1.0, -1.0])])
def test_voxels_lie_where_itk_puts_them(ct_files, chest, tmp_path, turn):
    ct_files.series(tmp_path, turn=turn)
    volume, series = read_ccta_dicom(tmp_path)
    assert volume.values.dtype == np.int16
    np.testing.assert_array_equal(volume.values, chest)
    np.testing.assert_allclose(volume.spacing_mm, [1.0, 0.8, 0.7], atol=1e-6)
    assert (series.slices, series.rows, series.columns, series.warnings) == (40, 64, 64, ())
    itk = itk_image(tmp_path)
    for index in [(0, 0, 0), (39, 63, 63), (12, 30, 5), (31, 2, 60)]:
        world = volume.to_world(np.array(index, dtype=float))
        # Positions are written to a thousandth of a micrometre, which adds up over the stack.
        expected = itk.TransformPhysicalPointToContinuousIndex(world.tolist())
        np.testing.assert_allclose(expected, np.rint(expected), atol=1e-4)
        assert itk.GetPixel(*(round(each) for each in expected)) == volume.values[index]


def test_one_slice_stands_for_its_series_and_nothing_else(ct_files, chest, tmp_path):
    files = ct_files.series(tmp_path)
    ct_files.series(tmp_path, number=2)
    shutil.copytree(tmp_path, tmp_path / "copies")
    volume, series = read_ccta_dicom(files[7])
    np.testing.assert_array_equal(volume.values, chest)
    assert series.files == tuple(sorted(files))


def test_slope_and_intercept_count_slice_by_slice(ct_files, chest, tmp_path):
    def change(made, i):
        # HU = 2 (x - 1000) + 2 i where it was HU = x - 1024.
        made.RescaleSlope, made.RescaleIntercept = 2, -2000 + 2 * i

    ct_files.series(tmp_path, change=change)
    volume, _ = read_ccta_dicom(tmp_path)
    offset = np.arange(40)[:, None, None]
    np.testing.assert_array_equal(volume.values, 2 * (chest.astype(int) + 24) + 2 * offset)


def test_values_beyond_int16_are_clipped_not_wrapped(ct_files, chest, tmp_path):
    ct_files.series(tmp_path, RescaleSlope=40, RescaleIntercept=-2000)
    volume, _ = read_ccta_dicom(tmp_path)
    np.testing.assert_array_equal(volume.values, np.minimum(40 * (chest.astype(int) + 1024) - 2000, 32767))


def test_signed_pixels_with_unused_high_bits_are_read(ct_files, chest, tmp_path):
    def change(made, i):
        # Twelve bits in two's complement; the four above them hold junk, as overlays once did.
        made.BitsStored, made.HighBit, made.PixelRepresentation, made.RescaleIntercept = 12, 11, 1, 0
        made.PixelData = ((chest[i].astype(np.int32) & 0x0FFF) | 0x5000).astype(np.uint16).tobytes()

    ct_files.series(tmp_path, change=change)
    np.testing.assert_array_equal(read_ccta_dicom(tmp_path)[0].values, chest)


@pytest.mark.parametrize("padding", [-2000, 63536])
def test_padding_becomes_air_whatever_sign_it_is_written_with(ct_files, chest, tmp_path, padding):
    corner = (slice(0, 9), slice(0, 9))

    def change(made, i):
        stored = chest[i].copy()
        stored[corner] = -2000
        made.PixelRepresentation, made.RescaleIntercept = 1, 0
        made.PixelData = stored.tobytes()
        made.add_new("PixelPaddingValue", "US" if padding > 0 else "SS", padding)

    ct_files.series(tmp_path, change=change)
    volume, _ = read_ccta_dicom(tmp_path)
    assert (volume.values[(slice(None), *corner)] == -1024).all()
    np.testing.assert_array_equal(volume.values[:, 9:, 9:], chest[:, 9:, 9:])


def recoded(path, syntax):
    """Have gdcm or pydicom compress a file in place."""
    if syntax in {uid.RLELossless, uid.JPEG2000Lossless}:
        made = dcmread(path)
        made.compress(syntax)
        made.save_as(path)
        return
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        made = dcmread(path)
        made.file_meta.TransferSyntaxUID = syntax
        made.save_as(path)
        return
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    kinds = {uid.JPEGLosslessSV1: gdcm.TransferSyntax.JPEGLosslessProcess14_1}
    kinds[uid.JPEGLossless] = gdcm.TransferSyntax.JPEGLosslessProcess14
    kinds[uid.JPEGLSLossless] = gdcm.TransferSyntax.JPEGLSLossless
    change.SetTransferSyntax(gdcm.TransferSyntax(kinds[syntax]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "syntax",
    [
        uid.JPEGLosslessSV1,
        uid.JPEGLossless,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
        uid.RLELossless,
        uid.DeflatedExplicitVRLittleEndian,
    ],
    ids=lambda each: each.keyword,
)
def test_compressed_slices_give_the_same_hu(ct_files, chest, tmp_path, syntax, signed):
    def change(made, i):
        if signed:
            made.PixelRepresentation, made.RescaleIntercept = 1, 0
            made.PixelData = chest[i].tobytes()

    for path in ct_files.series(tmp_path, change=change):
        recoded(path, syntax)
        assert dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(read_ccta_dicom(tmp_path)[0].values, chest)


def test_identical_copies_are_dropped_and_counted(ct_files, chest, tmp_path):
    files = ct_files.series(tmp_path / "a")
    for path in files[3:5]:
        shutil.copy(path, tmp_path / f"copy of {path.name}")
    volume, series = read_ccta_dicom(tmp_path)
    np.testing.assert_array_equal(volume.values, chest)
    assert series.warnings == ("2 identical copies of slices were dropped",)


def test_positions_rounded_to_hundredths_are_even_enough(ct_files, tmp_path):
    def change(made, i):
        made.ImagePositionPatient = [0.0, 0.0, round(0.333 * i, 2)]

    ct_files.series(tmp_path, spacing=(0.333, 0.5, 0.5), change=change)
    assert read_ccta_dicom(tmp_path)[0].spacing_mm[0] == pytest.approx(0.333, abs=0.001)


def test_overlapping_slices_are_fine(ct_files, tmp_path):
    ct_files.series(tmp_path, spacing=(0.4, 0.5, 0.5), change=lambda made, _: set_thickness(made, 0.8))
    _, series = read_ccta_dicom(tmp_path)
    assert (series.slice_spacing_mm, series.slice_thickness_mm) == (pytest.approx(0.4), 0.8)
    assert series.warnings == ()


def set_thickness(made, thickness_mm):
    made.SliceThickness = thickness_mm


def test_gaps_between_slices_and_lossy_compression_are_warned_of(ct_files, tmp_path):
    ct_files.series(tmp_path, change=lambda made, _: set_thickness(made, 0.5), LossyImageCompression="01")
    assert read_ccta_dicom(tmp_path)[1].warnings == (
        "slices of 0.5 mm every 1 mm leave gaps between them",
        "lossy compression: CT numbers are approximate",
    )


def test_progress_goes_from_headers_to_slices(ct_files, tmp_path):
    ct_files.series(tmp_path)
    told = []
    read_ccta_dicom(tmp_path, progress=lambda stage, fraction: told.append((stage, fraction)))
    assert [stage for stage, _ in told] == ["reading DICOM headers"] * 40 + ["reading DICOM slices"] * 40
    assert told[-1] == ("reading DICOM slices", 1.0)


def test_a_multiframe_file_is_read_phase_by_phase(ct_files, chest, tmp_path):
    path = ct_files.multiframe(tmp_path / "enhanced.dcm", phases=2)
    volume, series = read_ccta_dicom(path, series=2)
    np.testing.assert_array_equal(volume.values, chest + 10)
    np.testing.assert_allclose(volume.to_world(np.array([4.0, 10.0, 20.0])), [-6.0, -142.0, 904.0])
    assert (series.phase_percent, series.files) == (70.0, (path,))
    first = read_ccta(path, series=1)
    np.testing.assert_array_equal(first.volume.values, chest)
    assert first.phase_percent == 40.0


def test_a_step_between_slabs_is_warned_of_with_its_place(ct_files, tmp_path):
    i, j, k = np.meshgrid(np.arange(192), np.arange(192), np.arange(40))
    hu = np.rint(40 + 300 * np.sin(i / 5.0 + k / 30.0) * np.sin(j / 6.0) - 300 * np.cos(j / 9.0))
    hu = hu.transpose(2, 0, 1).astype(np.int16)
    hu[:, 0, 0] = -1000
    hu[25:] = np.roll(hu[25:], 3, axis=2)
    ct_files.series(tmp_path, hu)
    assert read_ccta_dicom(tmp_path)[1].warnings == (
        "a step between slabs after z = 924.00 mm: what crosses it may be displaced",
    )


def ccta(values, spacing=(0.5, 0.4, 0.4)):
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[0, 0, spacing[2]], [0, spacing[1], 0], [spacing[0], 0, 0]])
    return Volume(values, matrix)


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".mha"])
def test_an_image_file_gives_whole_hu(chest, tmp_path, ending):
    path = tmp_path / f"ccta{ending}"
    write_volume(path, ccta((chest + 0.3).astype(np.float32)))
    volume, warnings, phase_percent = read_ccta(path)
    np.testing.assert_array_equal(volume.values, chest)
    assert volume.values.dtype == np.int16
    assert warnings == ("values were rounded to whole HU",)
    assert phase_percent is None
    np.testing.assert_allclose(volume.spacing_mm, [0.5, 0.4, 0.4], atol=1e-6)
    write_volume(path, ccta(chest))
    assert read_ccta(path)[1] == ()


@pytest.mark.parametrize(
    ("change", "spacing", "match"),
    [
        (lambda hu: (hu > 300).astype(np.uint8), (0.5, 0.4, 0.4), r"from 0 to 1 \(a label image\?\)"),
        (lambda hu: hu + 1024, (0.5, 0.4, 0.4), "found values from 24 to 1724"),
        (lambda hu: np.minimum(hu, 50), (0.5, 0.4, 0.4), "found values from -1000 to 50"),
        (lambda hu: (hu / 2000.0).astype(np.float32), (0.5, 0.4, 0.4), r"from -1 to 1 \(scaled\?\)"),
        (lambda hu: hu, (3.5, 0.4, 0.4), "slice spacing: found 3.5 mm, expected 0.1 to 3.0 mm"),
        (lambda hu: hu, (0.5, 0.05, 0.4), "row spacing: found 0.05 mm"),
        (lambda hu: hu, (0.5, 0.4, 2.5), "column spacing: found 2.5 mm"),
        (lambda hu: hu[:9], (0.5, 0.4, 0.4), "size: found 64 x 64 x 9 voxels, expected at least 16"),
        (lambda hu: np.where(hu > 600, np.nan, hu).astype(np.float32), (0.5, 0.4, 0.4), "nan|NaN"),
    ],
)
@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd"])
def test_an_image_that_is_no_ccta_is_refused(chest, tmp_path, change, spacing, match, ending):
    path = tmp_path / f"ccta{ending}"
    write_volume(path, ccta(change(chest), spacing))
    with pytest.raises(InputError, match=match) as caught:
        read_ccta(path)
    assert str(path) in str(caught.value)


def test_a_series_is_chosen_in_dicom_only(chest, tmp_path):
    write_volume(tmp_path / "ccta.nii.gz", ccta(chest))
    with pytest.raises(InputError, match=r"ccta.series: found 1, expected no such key"):
        read_ccta(tmp_path / "ccta.nii.gz", series=1)
