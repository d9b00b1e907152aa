"""What command lines of benchmarks refuse, before any case runs."""

from argparse import ArgumentTypeError

import pytest
from arguments import folder, seed_range, whole_number, whole_numbers


def test_seeds_run_from_the_first_to_the_last_or_are_one():
    assert list(seed_range("3-5")) == [3, 4, 5]
    assert list(seed_range("7")) == [7]


@pytest.mark.parametrize("text", ["", "-", "3-", "-3", "a-b", "1-2-3", "1.5", "1,2"])
def test_what_is_no_range_of_seeds_is_refused(text):
    with pytest.raises(ArgumentTypeError, match="expected first-last, such as 0-3"):
        seed_range(text)


def test_a_range_that_runs_backwards_is_refused():
    with pytest.raises(ArgumentTypeError, match="found '5-3', expected the lower seed first"):
        seed_range("5-3")


def test_whole_numbers_have_a_least_one():
    assert whole_number(0)("0") == 0
    assert whole_numbers(5)("5, 100") == (5, 100)


@pytest.mark.parametrize("text", ["", "4", "100,", "many", "-6", "5.5"])
def test_other_numbers_are_refused(text):
    with pytest.raises(ArgumentTypeError, match="expected a whole number from 5"):
        whole_numbers(5)(text)


def test_a_folder_may_be_new_but_no_file_may_be_in_its_way(tmp_path):
    assert folder(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    (tmp_path / "file").write_text("")
    with pytest.raises(ArgumentTypeError, match=r"found the file .*file, expected a folder"):
        folder(str(tmp_path / "file" / "b"))
