import gzip
import html
import json
import struct
import urllib.parse

import numpy as np
import pytest

from coreg.errors import InputError
from coreg_cohort.identity import Identity, identity_of
from coreg_cohort.leaks import leaks

NAME = "Müllerová^Zdenka"


@pytest.fixture
def case(tmp_path, ct_files):
    """Write a case with a CCTA in DICOM whose tags are given."""

    def write(case_id="P001", **tags):
        folder = tmp_path / "input" / case_id
        facts = {"PatientName": NAME, "SpecificCharacterSet": "ISO_IR 192", **tags}
        ct_files.series(folder / "ccta", np.zeros((3, 4, 4)), **facts)
        path = folder / "case.toml"
        path.write_text(
            f'id = "{case_id}"\n[ccta]\nimage = "ccta"\nostium = [0.0, 0.0, 0.0]\ndistal = [1.0, 1.0, 1.0]\n'
        )
        return path

    return write


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out" / "cases" / "P001"
    folder.mkdir(parents=True)
    return folder


def of(*values, attribute="PatientName"):
    return [Identity("P001", {attribute: frozenset(values)})]


def test_the_patient_of_dicom_inputs_is_known_by_all_that_tells_who_it_is(case):
    found = identity_of(case(), "P001").values
    assert {"Müllerová", "Zdenka", "Zdenka Müllerová", "Müllerová^Zdenka"} <= found["PatientName"]
    assert found["PatientID"] == {"ZZID4711"}
    assert "03.02.1901" in found["PatientBirthDate"]
    assert {"AccessionNumber", "StudyID", "ReferringPhysicianName", "StudyInstanceUID"} <= found.keys()
    assert len(found["SOPInstanceUID"]) == 3
    assert "InstitutionName" not in found


@pytest.mark.parametrize(
    ("name", "looked_for", "not_looked_for"),
    [
        ("Lee^Bo", "Bo Lee", "Lee"),
        ("White^Zdenka", "Zdenka White", "White"),
        ("Lumen^Zdenka", "Zdenka", "Lumen"),
    ],
)
def test_words_that_tell_nobody_apart_are_looked_for_with_the_rest_of_the_name(
    case, name, looked_for, not_looked_for
):
    found = identity_of(case(PatientName=name), "P001").values["PatientName"]
    assert looked_for in found
    assert not_looked_for not in found


@pytest.mark.parametrize("patient", ["12345", "ANONYMOUS", "P001", "p0", "abc"])
def test_ids_that_are_open_common_or_short_are_not_looked_for(case, patient):
    assert "PatientID" not in identity_of(case(PatientID=patient), "P001").values


def test_an_id_that_the_study_itself_uses_for_the_patient_is_open(case):
    path = case()
    assert "PatientID" in identity_of(path, "P001").values
    assert "PatientID" not in identity_of(path, "P001", known_as=["ZZID4711"]).values


def test_a_damaged_file_takes_nothing_from_what_others_tell(case):
    path = case()
    (path.parent / "ccta" / "broken").write_bytes(bytes(128) + b"DICM" + b"\x08\0\x05\0CS\xff\xff")
    assert "PatientID" in identity_of(path, "P001").values


@pytest.mark.parametrize(
    "content",
    [
        "id;Müllerová;3\n".encode(),
        "MÜLLEROVÁ".encode(),
        "Müllerová".encode("latin-1"),
        "x“Müllerová”".encode(),
        json.dumps({"path": "a/Müllerová"}).encode(),
        b"M&uuml;llerov&aacute;",
        html.escape("Müllerová").encode("ascii", "xmlcharrefreplace"),
        urllib.parse.quote("/data/müllerová/1").encode(),
        "\ufeffein Müllerová hier".encode("utf-16-le"),
        "ein Müllerová hier".encode("utf-16-be"),
        gzip.compress("Müllerová".encode(), mtime=0),
        bytes(range(256)) * 100 + b"M\xc3\xbcllerov\xc3\xa1" + bytes(range(256)),
    ],
)
def test_a_name_is_found_however_it_is_written(out, content):
    (out / "file").write_bytes(content)
    (leak,) = leaks(out.parent.parent, [out], of("Müllerová"))
    assert (leak.file, leak.attribute, leak.case_id) == ("cases/P001/file", "PatientName", "P001")


def test_a_name_in_utf_16_without_umlauts_is_found_in_both_orders_of_bytes(out):
    for order in ("le", "be"):
        (out / "file").write_bytes("by Zdenka, 2 mm".encode(f"utf-16-{order}"))
        assert leaks(out, [out], of("Zdenka"))


def test_names_of_files_and_folders_are_searched_and_not_repeated(out):
    (out / "of Zdenka").mkdir()
    (out / "of Zdenka" / "a_ZDENKA_1.csv").write_text("nothing")
    found = leaks(out, [out], of("Zdenka"))
    assert [each.file for each in found] == ["of ***", "of ***/a_***_1.csv"]
    assert "zdenka" not in repr(found).lower()


def test_the_name_of_the_file_that_was_packed_is_found(out):
    with (out / "a.gz").open("wb") as raw, gzip.GzipFile("Zdenka.nii", "wb", fileobj=raw) as packed:
        packed.write(b"nothing")
    assert leaks(out, [out], of("Zdenka"))


def test_a_copy_of_an_input_is_found(out, case):
    path = case()
    slice_file = next((path.parent / "ccta").iterdir())
    (out / "copy.dcm").write_bytes(slice_file.read_bytes())
    found = {each.attribute for each in leaks(out, [out], [identity_of(path, "P001")])}
    assert {"PatientID", "PatientBirthDate", "StudyInstanceUID", "SOPInstanceUID"} <= found


def test_a_value_across_two_blocks_is_found(out, monkeypatch):
    monkeypatch.setattr("coreg_cohort.leaks.BLOCK_BYTES", 8192)
    for start in (8188, 16380):
        (out / "log.txt").write_text("-" * start + "Zdenka" + "-" * 9000)
        assert leaks(out, [out], of("Zdenka"))


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("Zdenka", b"Zdenkas Zdenka2 aZdenka"),
        ("123456", b"0.123456 123456.5 1234567 a123456"),
        ("Anna", b'<img src="data:image/png;base64,iVBO+Anna/aaaa\nAnna+AAA=">'),
        ("Anna", b"A" * 2000 + b"/Anna/" + b"A" * 2000),
        ("Anna", bytes(range(200, 256)) + b"\x01Anna\x02" + bytes(range(200, 256))),
    ],
)
def test_what_only_looks_like_a_value_is_none(out, value, content):
    (out / "file").write_bytes(content)
    assert leaks(out, [out], of(value)) == ()


def test_base64_that_goes_on_in_the_next_block_is_none(out, monkeypatch):
    monkeypatch.setattr("coreg_cohort.leaks.BLOCK_BYTES", 4096)
    (out / "a.html").write_bytes(b"data:image/png;base64," + b"AA/Anna+" * 3000 + b'"> by Zdenka')
    assert leaks(out, [out], of("Anna")) == ()
    assert leaks(out, [out], of("Zdenka"))


def test_of_an_image_the_header_is_searched_and_not_the_voxels(out):
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    voxels = np.frombuffer(b"Anna", np.uint8).astype("<i2").tobytes()
    image = bytes(header) + bytes(10) + voxels + bytes(10)
    (out / "a.nii.gz").write_bytes(gzip.compress(image))
    assert leaks(out, [out], of("Anna")) == ()
    header[148:152] = b"Anna"
    (out / "a.nii.gz").write_bytes(gzip.compress(bytes(header) + voxels))
    assert leaks(out, [out], of("Anna"))


def test_random_content_raises_no_alarm(out):
    (out / "a.bin").write_bytes(np.random.default_rng(0).bytes(4_000_000))
    # All pairs of letters twice over: some hundred values of four letters.
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert leaks(out, [out], of(*(a + b + b + a for a in letters for b in letters))) == ()


def test_a_broken_gzip_file_is_searched_as_it_is(out):
    (out / "a.gz").write_bytes(b"\x1f\x8b\x08\0, as it turned out, Zdenka said so")
    assert leaks(out, [out], of("Zdenka"))


def test_a_file_that_cannot_be_read_is_named(out, monkeypatch):
    (out / "a.csv").write_text("x")

    def refuse(*_arguments, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InputError, match=r"a\.csv.*Permission denied"):
        leaks(out, [out], of("Zdenka"))


def test_an_identity_shows_no_value_when_it_is_printed(case):
    text = repr(identity_of(case(), "P001")).lower()
    assert "zdenka" not in text
    assert "zzid" not in text


def test_a_case_whose_images_cannot_be_read_has_no_identity(case):
    path = case()
    (path.parent / "ccta").rename(path.parent / "moved")
    assert identity_of(path, "P001").values == {}
