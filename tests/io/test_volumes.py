import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from coreg.errors import InputError
from coreg.io.volumes import data_files, read_label, read_volume, write_volume
from coreg.volume import Volume


def oblique_volume():
    values = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    matrix = np.eye(4)
    turn = Rotation.from_euler("xyz", [20.0, -35.0, 50.0], degrees=True).as_matrix()
    matrix[:3, :3] = (turn * [0.4, 0.5, 0.7])[:, ::-1]
    matrix[:3, 3] = [-12.0, 34.0, 1700.0]
    return Volume(values, matrix)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_an_oblique_volume_survives_and_itk_agrees_where_its_voxels_lie(tmp_path, ending):
    volume = oblique_volume()
    path = tmp_path / f"v{ending}"
    write_volume(path, volume)
    read = read_volume(path)
    np.testing.assert_array_equal(read.values, volume.values)
    # NIfTI keeps quaternions and offsets in single precision.
    np.testing.assert_allclose(read.index_to_world, volume.index_to_world, atol=1e-4)
    itk = sitk.ReadImage(str(path))
    for slice_row_column in [(0, 0, 0), (1, 2, 3), (1, 0, 2)]:
        expected = itk.TransformIndexToPhysicalPoint(slice_row_column[::-1])
        np.testing.assert_allclose(
            read.to_world(np.array(slice_row_column, dtype=float)), expected, atol=1e-9
        )
        assert read.values[slice_row_column] == itk.GetPixel(*slice_row_column[::-1])


def test_ras_files_are_taken_to_lps(tmp_path):
    # By the NRRD standard, not by ITK: voxel (0, 0, 0) lies at R 5, A 6, S 7.
    header = (
        "NRRD0004\ntype: uint8\ndimension: 3\nspace: right-anterior-superior\nsizes: 2 2 2\n"
        "space directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (5,6,7)\nencoding: raw\n\n"
    )
    (tmp_path / "v.nrrd").write_bytes(header.encode() + bytes(range(8)))
    volume = read_volume(tmp_path / "v.nrrd")
    np.testing.assert_allclose(volume.to_world(np.zeros(3)), [-5.0, -6.0, 7.0])
    np.testing.assert_allclose(volume.to_world(np.array([0.0, 0.0, 1.0])), [-6.0, -6.0, 7.0])


def nifti(change=None, shape=(4, 3, 2), data=None):
    """A little-endian NIfTI-1 file by the standard's byte offsets."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<2h", header, 70, 2, 8)
    struct.pack_into("<8f", header, 76, 1, 0.5, 0.5, 0.5, 1, 1, 1, 1)
    struct.pack_into("<f", header, 108, 352)
    struct.pack_into("<2h", header, 252, 0, 1)
    struct.pack_into("<12f", header, 280, 0.5, 0, 0, 1, 0, 0.5, 0, 2, 0, 0, 0.5, 3)
    header[123] = 2
    header[344:348] = b"n+1\0"
    if change:
        struct.pack_into(change[0], header, *change[1:])
    count = int(np.prod(shape))
    return bytes(header) + (bytes([0, 1] * count)[:count] if data is None else data)


def test_nifti_is_ras_in_the_file_and_lps_here(tmp_path):
    (tmp_path / "v.nii").write_bytes(nifti())
    np.testing.assert_allclose(read_label(tmp_path / "v.nii").to_world(np.zeros(3)), [-1.0, -2.0, 3.0])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (nifti(("<f", 80, 0.0)), r"pixdim \(spacing\): found \[0.0, 0.5, 0.5\] mm"),
        (nifti(("<f", 88, float("nan"))), r"pixdim \(spacing\): found .*nan"),
        (nifti(("<f", 280, float("nan"))), "affine: found NaN"),
        (nifti(("<4f", 280, 0.5, 0.4, 0, 0)), "not perpendicular"),
        (nifti(shape=(4, 3)), "dim: found"),
        (nifti(shape=(4, 3, 2, 2)), "dimensions: found size"),
        (nifti()[:370], "found 370 bytes, expected 376 bytes .* cut off"),
        (nifti(data=bytes(24)), "an empty label"),
        (nifti(data=bytes([1] * 24)), "no background"),
        (b"hello world" * 60, "no NIfTI header"),
        (b"hello", "no NIfTI header"),
    ],
)
def test_a_broken_nifti_label_is_refused_and_nothing_is_printed(tmp_path, capfd, content, match):
    (tmp_path / "v.nii").write_bytes(content)
    with pytest.raises(InputError, match=match) as caught:
        read_label(tmp_path / "v.nii")
    assert str(tmp_path / "v.nii") in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"hello", gzip.compress(nifti(), mtime=0)[:60]])
def test_a_broken_gzip_file_is_refused(tmp_path, content):
    (tmp_path / "v.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match="no gzip file or is cut off"):
        read_label(tmp_path / "v.nii.gz")


NRRD = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\n{}encoding: raw\n\n"
META = "ObjectType = Image\nNDims = 3\nDimSize = 2 2 2\n{}ElementType = MET_UCHAR\nElementDataFile = {}\n"


@pytest.mark.parametrize(
    ("name", "header", "match"),
    [
        ("v.nrrd", NRRD.format(""), "spacing: found no spacing"),
        ("v.nrrd", NRRD.format("spacings: nan nan nan\n"), "spacing: found 'nan nan nan'"),
        ("v.nrrd", NRRD.format("spacings: 0 0 0\n"), "spacing"),
        (
            "v.nrrd",
            NRRD.format("space: LPS\nspace directions: (1,0,0) (0.5,1,0) (0,0,1)\n"),
            "direction: found axes that are not perpendicular",
        ),
        ("v.mha", META.format("ElementSpacing = 0 0 0\n", "LOCAL"), "a spacing of zero"),
        ("v.mha", META.format("", "LOCAL"), "no spacing"),
        ("v.mhd", META.format("ElementSpacing = 1 1 1\n", "../secret.raw"), "one file in the same folder"),
        ("v.mhd", META.format("ElementSpacing = 1 1 1\n", "gone.raw"), "gone.raw: found no such file"),
        ("v.nhdr", NRRD.format("spacings: 1 1 1\ndata file: /etc/hostname\n"), "one file in the same folder"),
        ("v.png", "x", "ending in '.png'"),
        ("v.nrrd", "not an image", "spacing"),
    ],
)
def test_a_broken_header_is_refused(tmp_path, name, header, match):
    (tmp_path / name).write_bytes(header.encode() + bytes([0, 1] * 4))
    with pytest.raises(InputError, match=match):
        read_label(tmp_path / name)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        (np.array([0.0, 1.0, np.nan, 0.0], np.float32), "nan at slice 0, row 1, column 0"),
        (np.array([0.0, 0.4, 1.0, 0.0], np.float32), "a label image: whole numbers"),
        (np.array([-1000, 40, 300, 0], np.int16), "found values from -1000 to 300"),
    ],
)
def test_an_image_is_not_taken_for_a_label(tmp_path, values, match):
    image = sitk.GetImageFromArray(values.reshape(1, 2, 2))
    sitk.WriteImage(image, str(tmp_path / "v.nrrd"))
    with pytest.raises(InputError, match=match):
        read_label(tmp_path / "v.nrrd")


def test_a_label_of_any_value_becomes_one(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(np.array([[[0.0, 7.0, 2.0]]])), str(tmp_path / "v.nrrd"))
    label = read_label(tmp_path / "v.nrrd")
    assert label.values.dtype == np.uint8
    assert label.values.tolist() == [[[0, 1, 1]]]


def test_raw_data_beside_a_header_count_as_its_file(tmp_path):
    (tmp_path / "v.raw").write_bytes(bytes([0, 1] * 4))
    (tmp_path / "v.mhd").write_text(META.format("ElementSpacing = 1 1 1\n", "v.raw"))
    assert read_label(tmp_path / "v.mhd").values.sum() == 4
    assert data_files(tmp_path / "v.mhd") == [tmp_path / "v.mhd", tmp_path / "v.raw"]


def test_nothing_is_written_of_a_sheared_volume(tmp_path):
    matrix = np.eye(4)
    matrix[0, 1] = 0.5
    with pytest.raises(ValueError, match="perpendicular axes"):
        write_volume(tmp_path / "v.nii.gz", Volume(np.zeros((2, 2, 2), np.uint8), matrix))
    assert not list(tmp_path.iterdir())
