import os
import sys

import pytest

from coreg.errors import InputError
from coreg.io.files import read_text, replaced_file, write_text
from coreg.io.result_folder import replaced_folder
from coreg.io.results import sha256_of
from coreg.io.volumes import read_volume


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.csv"
    write_text(path, "old")

    def fail_half_way():
        with replaced_file(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]


def test_the_temporary_file_keeps_the_whole_ending(tmp_path):
    with replaced_file(tmp_path / "a.nii.gz") as temporary:
        assert temporary.name.endswith(".a.nii.gz")
        assert temporary.parent == tmp_path


def test_byte_order_mark_and_windows_line_ends_are_taken(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert read_text(tmp_path / "a.txt") == "one\ntwo\n"


@pytest.mark.parametrize(
    ("content", "match"),
    [(None, "no such file"), (b"", "an empty file"), (b"ab\xff", "not UTF-8 at offset 2")],
)
def test_text_that_cannot_be_read_is_said_to_be_so(tmp_path, content, match):
    if content is not None:
        (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=match):
        read_text(tmp_path / "a.txt")


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(InputError, match="found a folder, expected a file"):
        read_text(tmp_path)


def test_a_pipe_is_neither_a_file_nor_a_folder(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="found a pipe or device, expected a file"):
        read_text(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read_is_said_to_be_so(tmp_path):
    (tmp_path / "a.txt").write_text("mine")
    (tmp_path / "a.txt").chmod(0o000)
    with pytest.raises(InputError, match="found Permission denied, expected a file that can be read"):
        read_text(tmp_path / "a.txt")


def test_hash_is_that_of_the_standard(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf_8_is_refused_before_simpleitk_ends_the_program(tmp_path):
    folder = tmp_path / os.fsdecode(b"bad\xff")
    folder.mkdir()
    path = folder / "label.nii.gz"
    path.write_bytes(b"x")
    with pytest.raises(InputError, match=r"bad\?/label.nii.gz: found a name that is not UTF-8"):
        read_volume(path)
    with pytest.raises(InputError, match=r"bad\?/out: found a name"):
        replaced_folder(folder / "out", "A").__enter__()
    assert [each.name for each in folder.iterdir()] == ["label.nii.gz"]
