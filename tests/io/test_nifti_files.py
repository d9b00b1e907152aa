"""NIfTI voxels, against files that are laid out byte by byte as the standard says, and against ITK."""

import gzip
import struct

import numpy as np
import pytest
import SimpleITK as sitk

from coreg.errors import InputError
from coreg.io.nifti_files import read_nifti_header, read_nifti_voxels
from coreg.io.volumes import read_volume

SHAPE = (2, 3, 4)
CODES = {"i2": 4, "u1": 2, "f4": 16, "f8": 64, "i4": 8, "i1": 256, "u2": 512, "u4": 768, "i8": 1024}


def nifti(values, *, order="<", offset=352.0, slope=0.0, intercept=0.0, code=None):
    header = bytearray(352)
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, 3, *SHAPE[::-1], 1, 1, 1, 1)
    code = CODES[values.dtype.str[1:]] if code is None else code
    struct.pack_into(f"{order}2h", header, 70, code, 8 * values.dtype.itemsize)
    struct.pack_into(f"{order}8f", header, 76, 1, 0.5, 0.5, 0.5, 1, 1, 1, 1)
    struct.pack_into(f"{order}3f", header, 108, offset, slope, intercept)
    struct.pack_into(f"{order}2h", header, 252, 0, 1)
    struct.pack_into(f"{order}12f", header, 280, 0.5, 0, 0, 1, 0, 0.5, 0, 2, 0, 0, 0.5, 3)
    header[344:348] = b"n+1\0"
    padding = bytes(max(0, int(offset) - 352))
    return bytes(header) + padding + values.astype(values.dtype.newbyteorder(order)).tobytes()


def counted(dtype):
    return np.arange(24).reshape(SHAPE).astype(dtype)


def voxels(path):
    return read_nifti_voxels(path, read_nifti_header(path))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", list(CODES))
def test_voxels_of_every_type_and_byte_order_are_read(tmp_path, dtype, order):
    (tmp_path / "v.nii").write_bytes(nifti(counted(dtype), order=order))
    read = voxels(tmp_path / "v.nii")
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, counted(dtype))


@pytest.mark.parametrize("dtype", ["i2", "u1", "f8"])
def test_rescaled_voxels_are_those_of_itk(tmp_path, dtype):
    path = tmp_path / "v.nii"
    path.write_bytes(nifti(counted(dtype), slope=2.5, intercept=-1024.0))
    read = read_volume(path).values
    itk = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert read.dtype == itk.dtype
    np.testing.assert_allclose(read, itk, rtol=1e-6)


@pytest.mark.parametrize("slope", [0.0, 1.0, float("nan")])
def test_no_slope_leaves_voxels_as_they_are_stored(tmp_path, slope):
    (tmp_path / "v.nii").write_bytes(nifti(counted("i2"), slope=slope, intercept=slope - slope))
    read = voxels(tmp_path / "v.nii")
    assert read.dtype == np.int16
    np.testing.assert_array_equal(read, counted("i2"))


def test_an_odd_offset_gives_aligned_voxels(tmp_path):
    (tmp_path / "v.nii").write_bytes(nifti(counted("f4"), offset=355.0))
    read = voxels(tmp_path / "v.nii")
    assert read.flags.aligned
    np.testing.assert_array_equal(read, counted("f4"))


def test_nan_stays_nan(tmp_path):
    values = counted("f4")
    values[1, 2, 3] = np.nan
    (tmp_path / "v.nii").write_bytes(nifti(values))
    np.testing.assert_array_equal(voxels(tmp_path / "v.nii"), values)


@pytest.mark.parametrize("end", [b"", bytes(30)], ids=["plain", "padded"])
@pytest.mark.parametrize("cut", [None, 100, 360])
def test_a_zipped_file_may_have_several_parts_and_padding(tmp_path, cut, end):
    content = nifti(counted("i2"))
    parts = [content] if cut is None else [content[:cut], content[cut:]]
    (tmp_path / "v.nii.gz").write_bytes(b"".join(map(gzip.compress, parts)) + end)
    np.testing.assert_array_equal(voxels(tmp_path / "v.nii.gz"), counted("i2"))


ZIPPED = gzip.compress(nifti(counted("i2")), mtime=0)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (ZIPPED[:-8] + bytes(4) + ZIPPED[-4:], r"is cut off \(.*incorrect data check"),
        (ZIPPED[:-4] + bytes(4), r"is cut off \(.*incorrect length check"),
        (ZIPPED[:-3], "ends before its end is marked"),
        (ZIPPED + b"junk", r"is cut off \(.*incorrect header check"),
        (gzip.compress(nifti(counted("i2"))[:-1], mtime=0), "found 399 bytes, expected 400 bytes .* cut off"),
        (nifti(counted("i2")), "no gzip file or is cut off"),
    ],
    ids=["checksum", "length", "cut", "junk", "short", "not zipped"],
)
def test_a_damaged_zipped_file_is_refused(tmp_path, content, match):
    (tmp_path / "good.nii").write_bytes(nifti(counted("i2")))
    header = read_nifti_header(tmp_path / "good.nii")
    (tmp_path / "v.nii.gz").write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_nifti_voxels(tmp_path / "v.nii.gz", header)


def test_a_header_that_promises_far_too_much_is_refused_without_taking_that_memory(tmp_path):
    content = bytearray(nifti(counted("i2")))
    struct.pack_into("<3h", content, 42, 30000, 30000, 30000)
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(InputError, match="found 400 bytes, expected 54000000000352 bytes"):
        voxels(tmp_path / "v.nii.gz")


def test_a_file_of_the_same_name_beside_a_zipped_one_is_not_read(tmp_path):
    # ITK takes the header of the one and the voxels of the other.
    (tmp_path / "v.nii").write_bytes(nifti(counted("i2") + 100))
    (tmp_path / "v.nii.gz").write_bytes(gzip.compress(nifti(counted("i2"))))
    np.testing.assert_array_equal(read_volume(tmp_path / "v.nii.gz").values, counted("i2"))


def test_voxels_of_several_numbers_are_refused(tmp_path):
    (tmp_path / "v.nii").write_bytes(nifti(counted("i4"), code=2304))
    with pytest.raises(InputError, match="datatype: found 2304, expected one number"):
        voxels(tmp_path / "v.nii")
