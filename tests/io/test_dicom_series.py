import re

import numpy as np
import pytest

from coreg.errors import InputError
from coreg.io.dicom_ccta import read_ccta_dicom
from coreg.io.dicom_series import list_series, series_facts, series_folder


def test_series_are_numbered_by_the_scanners_own_order(ct_files, tmp_path):
    ct_files.series(tmp_path / "z", number=3, ConvolutionKernel="B46f")
    ct_files.series(tmp_path / "a", number=12)
    found = list_series(tmp_path)
    assert [(each.number, each.series_number, each.kernel) for each in found] == [
        (1, 3, "B46f"),
        (2, 12, "B26f"),
    ]
    assert series_facts(found[0]) == (
        "40 slices of 64 x 64, pixels of 0.7 x 0.8 mm, every 1 mm, 1 mm thick, kernel B46f, series number 3, "
        "ORIGINAL/PRIMARY/AXIAL"
    )


def test_files_that_are_not_dicom_and_a_dicomdir_are_passed_over(ct_files, tmp_path):
    files = ct_files.series(tmp_path / "deep" / "er")
    (tmp_path / "notes.txt").write_text("x" * 500)
    (tmp_path / "DICOMDIR").write_bytes(files[0].read_bytes())
    ct_files.save(tmp_path / "directory", ct_files.dataset(storage="MediaStorageDirectoryStorage"))
    (series,) = list_series(tmp_path)
    assert series.slices == 40
    assert series.warnings == ()


@pytest.mark.parametrize(
    ("keyword", "values", "shown"),
    [
        ("NominalPercentageOfCardiacPhase", (40.0, 75.0), ("", "")),
        ("TemporalPositionIdentifier", (1, 2), ("temporal position 1", "temporal position 2")),
        ("TriggerTime", (310.0, 720.5), ("trigger time 310 ms", "trigger time 720.5 ms")),
        ("ConvolutionKernel", ("B26f", "B46f"), ("kernel B26f", "kernel B46f")),
        ("AcquisitionNumber", (3, 4), ("acquisition 3", "acquisition 4")),
    ],
)
def test_phases_in_one_series_are_listed_apart(ct_files, chest, tmp_path, keyword, values, shown):
    for i, value in enumerate(values):
        ct_files.series(tmp_path, chest + i, prefix=str(i), **{keyword: value})
    found = list_series(tmp_path)
    assert [each.slices for each in found] == [40, 40]
    for each, text in zip(found, shown, strict=True):
        assert text in series_facts(each)
    if keyword.startswith("Nominal"):
        assert [each.phase_percent for each in found] == [40.0, 75.0]
        assert "phase 75 %" in series_facts(found[1])
    for i in range(2):
        np.testing.assert_array_equal(read_ccta_dicom(tmp_path, series=i + 1)[0].values, chest + i)


def test_phases_are_told_apart_where_the_heart_rate_changed_between_slabs(ct_files, chest, tmp_path):
    for phase in range(3):

        def change(made, i, phase=phase):
            made.TriggerTime = 300 + 100 * phase + (150 if i >= 20 else 0)

        ct_files.series(tmp_path, chest + phase, prefix=str(phase), change=change)
    assert [each.distinction for each in list_series(tmp_path)] == [
        "trigger time 1 of 3, from 300 ms",
        "trigger time 2 of 3, from 400 ms",
        "trigger time 3 of 3, from 500 ms",
    ]
    np.testing.assert_array_equal(read_ccta_dicom(tmp_path, series=3)[0].values, chest + 2)


def test_slabs_with_facts_of_their_own_stay_one_volume(ct_files, chest, tmp_path):
    def change(made, i):
        slab = i // 14
        made.TriggerTime, made.AcquisitionNumber = 300 + 7 * slab, slab
        made.NominalPercentageOfCardiacPhase = 74.0 + slab

    ct_files.series(tmp_path, change=change)
    volume, series = read_ccta_dicom(tmp_path)
    np.testing.assert_array_equal(volume.values, chest)
    assert series.phase_percent == pytest.approx(75.0, abs=0.2)


# What is left out, and by which words it is told.
LEFT_OUT = {
    "scout": ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, 40, "a scout (localizer)"),
    "projection": ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "MIP"]}, 40, "a projection or rendering"),
    "views": ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, 40, "reformatted views (40; fewer than 100)"),
    "few": ({}, 12, "12 slices, fewer than 30"),
    "thick": ({"SliceThickness": 5}, 40, "slices too thick: 5 mm, more than 3 mm"),
    "colour": ({"SamplesPerPixel": 3}, 40, "colour images"),
    "nowhere": ({"ImagePositionPatient": None}, 40, "slices without position"),
}  # fmt: skip


def write_left_out(ct_files, folder, kind, number=2):
    tags, count, _ = LEFT_OUT[kind]

    def change(made, _):
        for keyword, value in tags.items():
            if value is None:
                delattr(made, keyword)
            else:
                setattr(made, keyword, value)

    ct_files.series(folder, skip=range(count, 40), number=number, change=change)


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_what_cannot_be_a_ccta_is_left_out_with_the_reason(ct_files, chest, tmp_path, kind):
    write_left_out(ct_files, tmp_path / "other", kind)
    with pytest.raises(InputError, match="no CT series that may be a CCTA") as caught:
        read_ccta_dicom(tmp_path)
    assert LEFT_OUT[kind][2] in str(caught.value)
    ct_files.series(tmp_path / "ccta", number=7)
    left, taken = list_series(tmp_path)
    assert (LEFT_OUT[kind][2] in left.left_out, taken.left_out) == (True, "")
    volume, series = read_ccta_dicom(tmp_path)
    np.testing.assert_array_equal(volume.values, chest)
    assert series.number == 2
    with pytest.raises(
        InputError, match=f"ccta.series: found series 1, which is left out: {re.escape(left.left_out)}"
    ):
        read_ccta_dicom(tmp_path, series=1)  # fmt: skip


def test_a_scout_inside_the_series_is_left_out(ct_files, chest, tmp_path):
    def change(made, _):
        made.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        made.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]

    ct_files.series(tmp_path / "ccta")
    ct_files.series(tmp_path / "scout", skip=range(1, 40), change=change)
    np.testing.assert_array_equal(read_ccta_dicom(tmp_path)[0].values, chest)


def test_of_several_series_one_must_be_chosen(ct_files, chest, tmp_path):
    ct_files.series(tmp_path, number=3, ConvolutionKernel="B46f")
    ct_files.series(tmp_path, chest + 1, number=4)
    write_left_out(ct_files, tmp_path / "scout", "scout", number=9)
    with pytest.raises(InputError, match=r"found 2 CT series, expected one; set `ccta.series = N`") as caught:
        read_ccta_dicom(tmp_path)
    lines = str(caught.value).splitlines()
    assert lines[1].startswith("  1: 40 slices of 64 x 64")
    assert "kernel B46f" in lines[1]
    assert lines[2].startswith("  2: ")
    assert lines[3].startswith("  left out, 3: ")
    assert lines[3].endswith(": a scout (localizer)")
    np.testing.assert_array_equal(read_ccta_dicom(tmp_path, series=2)[0].values, chest + 1)
    with pytest.raises(InputError, match=r"ccta\.series: found 4, expected 1 to 3"):
        read_ccta_dicom(tmp_path, series=4)


def test_text_where_a_code_belongs_is_not_taken_up(ct_files, tmp_path):
    for path in ct_files.series(tmp_path, ConvolutionKernel="Zz^B26 of Mr X"):
        path.write_bytes(path.read_bytes().replace(b"AXIAL", b"Zzabc"))
    (series,) = list_series(tmp_path)
    assert (series.kernel, series.image_type) == ("", ("ORIGINAL", "PRIMARY"))


def test_a_slice_stands_for_its_folder_and_no_other_file_does(ct_files, chest, tmp_path):
    first, *_ = ct_files.series(tmp_path / "ct", chest[:3, :16, :16])
    whole = ct_files.multiframe(tmp_path / "ct" / "whole.dcm", hu=chest[:3, :16, :16])
    (tmp_path / "ct" / "notes.txt").write_text("x")
    assert series_folder(first) == tmp_path / "ct"
    assert series_folder(whole) is None
    assert series_folder(tmp_path / "ct" / "notes.txt") is None
    assert series_folder(tmp_path / "ct" / "none") is None
