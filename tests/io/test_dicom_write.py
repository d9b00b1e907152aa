import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from coreg.io.dicom_ccta import read_ccta_dicom
from coreg.io.dicom_write import write_ct_series
from coreg.volume import Volume


@pytest.fixture(scope="module")
def volume():
    values = np.random.default_rng(1).integers(-1024, 3072, (40, 20, 16)).astype(np.int16)
    matrix = np.zeros((4, 4))
    matrix[[0, 1, 2], [2, 1, 0]] = [0.4, 0.4, 0.5]
    matrix[:, 3] = [-71.23, -180.5, 1403.75, 1.0]
    return Volume(values, matrix)


@pytest.fixture(scope="module")
def folder(volume, tmp_path_factory):
    out = tmp_path_factory.mktemp("series")
    write_ct_series(out, volume, name="phantom-3")
    return out


def test_itk_reads_the_series_with_its_values_and_geometry(folder, volume):
    (series,) = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), series))
    image = reader.Execute()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.values)
    assert image.GetOrigin() == pytest.approx(volume.index_to_world[:3, 3])
    assert image.GetSpacing() == pytest.approx(volume.spacing_mm[::-1])
    assert image.GetDirection() == pytest.approx(np.eye(3).ravel())


def test_series_reads_back_as_it_was(folder, volume):
    read, series = read_ccta_dicom(folder)
    np.testing.assert_array_equal(read.values, volume.values)
    np.testing.assert_allclose(read.index_to_world, volume.index_to_world, atol=1e-6)
    assert series.warnings == ()


def test_an_oblique_volume_keeps_its_axes(volume, tmp_path):
    matrix = volume.index_to_world.copy()
    matrix[:3, :3] = (
        Rotation.from_euler("xyz", [20.0, -10.0, 35.0], degrees=True).as_matrix() @ matrix[:3, :3]
    )
    write_ct_series(tmp_path, Volume(volume.values, matrix), name="oblique")
    read, _ = read_ccta_dicom(tmp_path)
    np.testing.assert_array_equal(read.values, volume.values)
    np.testing.assert_allclose(read.index_to_world, matrix, atol=1e-3)


def test_files_say_nothing_of_a_person_or_a_day(folder):
    for file in folder.iterdir():
        dataset = pydicom.dcmread(file)
        assert dataset.PatientName == "PHANTOM"
        assert dataset.PatientID == "phantom-3"
        assert not [each for each in dataset.iterall() if each.VR in {"DA", "TM", "DT"} and each.value]


def test_same_name_gives_the_same_files(folder, volume, tmp_path):
    write_ct_series(tmp_path, volume, name="phantom-3")
    for file in folder.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_instances_have_uids_of_their_own_in_one_series(folder):
    datasets = [pydicom.dcmread(file) for file in folder.iterdir()]
    assert len({each.SOPInstanceUID for each in datasets}) == 40
    assert len({each.SeriesInstanceUID for each in datasets}) == 1


def test_values_that_twelve_bits_do_not_hold_are_refused(volume, tmp_path):
    with pytest.raises(ValueError, match="from -1024 to 3071 HU, got -1025 to"):
        write_ct_series(tmp_path, Volume(volume.values - np.int16(1), volume.index_to_world), name="x")
    assert not list(tmp_path.iterdir())


def test_sheared_axes_are_refused(volume, tmp_path):
    matrix = volume.index_to_world.copy()
    matrix[0, 0] = 0.2
    with pytest.raises(ValueError, match="perpendicular axes"):
        write_ct_series(tmp_path, Volume(volume.values, matrix), name="x")
