import time

import pytest

from coreg.errors import InputError
from coreg_cohort.manifest import (
    MOST_SHOWN,
    ManifestError,
    by_patient,
    check_manifest,
    examine_manifest,
    read_manifest,
)


def write_case(folder, case_id="P1", *, patient=None, vessel=None, ccta="lumen", text=None):
    """Write a case whose inputs are there; only their names matter here."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f'id = "{case_id}"']
    lines += [f'patient = "{patient}"'] if patient else []
    lines += [f'vessel = "{vessel}"'] if vessel else []
    lines += ["[ccta]", f'{ccta} = "lumen.stl"', "[pullback]", 'lumen = "contours.csv"']
    (folder / "case.toml").write_text("\n".join(lines) if text is None else text)
    for name in ("lumen.stl", "contours.csv"):
        (folder / name).write_text("x")
    return folder


def write_table(folder, *lines, name="manifest.csv", encoding="utf-8"):
    (folder / name).write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder / name


@pytest.fixture
def three(tmp_path):
    """Folder of the cases P1, P2 and P3, each of its own patient."""
    for name in ("P1", "P2", "P3"):
        write_case(tmp_path / name, name)
    return tmp_path


def texts(path, **options):
    return [str(each) for each in check_manifest(path, **options)]


def test_a_table_tells_cases_patients_vessels_and_covariates_in_its_order(tmp_path):
    write_case(tmp_path / "a", "A-LAD", patient="A", vessel="LAD")
    elsewhere = write_case(tmp_path / "elsewhere" / "b", "B")
    path = write_table(
        tmp_path,
        "case_id,case,vessel,patient,age,centre",
        f"B,{elsewhere / 'case.toml'},RCA,B,61,",
        "A-LAD,a,,,70,north",
    )
    manifest = read_manifest(path)
    second, first = manifest.cases
    assert manifest.path == path
    assert (first.case_id, first.patient, first.vessel, first.row) == ("A-LAD", "A", "LAD", 3)
    assert (second.case_id, second.patient, second.vessel, second.row) == ("B", "B", "RCA", 2)
    assert first.case_path == tmp_path / "a" / "case.toml"
    assert second.case_path == elsewhere / "case.toml"
    assert first.covariates == {"age": "70", "centre": "north"}
    assert second.covariates == {"age": "61", "centre": ""}


def test_a_patient_that_nobody_names_is_the_case(three):
    cases = read_manifest(write_table(three, "case_id,case", "P1,P1")).cases
    assert (cases[0].patient, cases[0].vessel, cases[0].covariates) == ("P1", "", {})


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_taken_as_they_come(three, mark):
    lines = ["case_id,case,note,", "P1,P1,fine,", ",,,", "P3, P3 ,,"]
    path = write_table(three, *(each.replace(",", mark) for each in lines), encoding="utf-8-sig")
    cases = read_manifest(path).cases
    assert [(each.case_id, each.row) for each in cases] == [("P1", 2), ("P3", 4)]
    assert cases[0].covariates == {"note": "fine"}


def test_rows_are_counted_as_in_a_spreadsheet_where_cells_have_several_lines(three):
    path = write_table(three, "case_id,case,note", 'P1,P1,"two\nlines"', "P2,P9,")
    assert texts(path) == [f"row 3, column case: {three / 'P9'}: found no such file, expected a file to read"]


def test_a_folder_of_cases_is_a_cohort_in_the_order_of_names(three):
    (three / "notes").mkdir()
    write_case(three / ".P0", "P0")
    manifest = read_manifest(three)
    assert manifest.path == three
    assert [each.case_id for each in manifest.cases] == ["P1", "P2", "P3"]
    assert {each.row for each in manifest.cases} == {0}


def test_a_folder_with_a_manifest_means_the_manifest(three):
    path = write_table(three, "case_id,case", "P2,P2")
    manifest = read_manifest(three)
    assert manifest.path == path
    assert [each.case_id for each in manifest.cases] == ["P2"]


def test_a_relative_path_gives_absolute_ones(three, monkeypatch):
    monkeypatch.chdir(three)
    write_table(three, "case_id,case", "P2,P2")
    assert read_manifest("manifest.csv").cases[0].case_path == three / "P2" / "case.toml"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            "case_id,folder",
            "row 1, column case: found no such column in 'case_id,folder', expected case_id,case",
        ),
        ("case_ids,case", r"column case_id: found no such column in 'case_ids,case' (is it case_ids?)"),
        ("Case ID,case", "row 1, column Case ID: found 'Case ID', expected it to be spelled case_id"),
        ("case_id,case,Patient", "row 1, column Patient: found 'Patient', expected it to be spelled patient"),
        ("case_id,case,age,age", "row 1, column age: found it 2 times, expected each column once"),
        ("case_id,case,case", "row 1, column case: found it 2 times, expected each column once"),
    ],
)
def test_a_header_is_refused_by_column(three, header, expected):
    path = write_table(three, header, ",".join(["P1"] * (header.count(",") + 1)))
    found = texts(path)
    assert len(found) == 1
    assert expected in found[0]


def test_columns_that_are_missing_are_all_named(three):
    assert [each.column for each in check_manifest(write_table(three, "name,where", "P1,P1"))] == [
        "case_id",
        "case",
    ]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("P1,P2,,", "column case_id: found 'P1', expected 'P2' as in"),
        (",P1,,", "column case_id: found an empty cell, expected 1 to 64 of the characters"),
        ("../P1,P1,,", "column case_id: found '../P1', expected 1 to 64 of the characters"),
        ("P1/..,P1,,", "column case_id: found 'P1/..', expected 1 to 64"),
        ("..,P1,,", "column case_id: found '..', expected 1 to 64"),
        (f"{'P' * 65},P1,,", "expected 1 to 64"),
        ("P1,,,", "column case: found an empty cell, expected a case.toml or its folder"),
        ("P1,P9,,", "column case: "),
        ("P1,P1/none.toml,,", "none.toml: found no such file"),
        ("P1,P1,a b,", "column patient: found 'a b', expected 1 to 64 of the characters"),
        (f"P1,P1,,{'v' * 65}", "column vessel: found 'vvv"),
        ("P1,P1,", "row 2: found 3 cells, expected 4 as in the header"),
        ("P1,P1,,,x", "row 2: found 5 cells, expected 4 as in the header"),
        ("P1,P\0,,", "column case: "),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(three, row, expected):
    path = write_table(three, "case_id,case,patient,vessel", row, "P3,P3,,")
    found = check_manifest(path)
    assert expected in str(found[0])
    assert {each.row for each in found} == {2}


@pytest.mark.parametrize("other", ["P1", "p1"])
def test_ids_that_a_file_system_may_take_for_one_are_refused(three, other):
    write_case(three / "again", other)
    path = write_table(three, "case_id,case", "P1,P1", "P2,P2", f"{other},again")
    assert texts(path) == [
        f"row 4, column case_id: found '{other}' as in row 2, expected ids that differ by more than capitals"
    ]


def test_ids_are_compared_in_a_folder_of_cases_too(three):
    write_case(three / "again", "p2")
    assert texts(three) == ["again: found 'p2' as in P2, expected ids that differ by more than capitals"]


def test_a_patient_spelled_in_two_ways_is_refused_as_it_would_count_twice(three):
    path = write_table(three, "case_id,case,patient", "P1,P1,Q", "P2,P2,Q", "P3,P3,q")
    assert texts(path) == ["row 4, column patient: found 'q', expected 'Q' as in row 2, capitals included"]


def test_patients_and_vessels_must_be_those_of_the_case(tmp_path):
    case = write_case(tmp_path / "a", "A", patient="Q", vessel="LAD") / "case.toml"
    path = write_table(tmp_path, "case_id,case,patient,vessel", "A,a,R,RCA")
    assert texts(path) == [
        f"row 2, column patient: found 'R', expected 'Q' as in {case}",
        f"row 2, column vessel: found 'RCA', expected 'LAD' as in {case}",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id = ", "found broken TOML"),
        ('id = "P1"\n[ccta]\nlumn = "x"', "unknown key ccta.lumn; did you mean ccta.lumen?"),
        ('id = "P1"', "expected the table [ccta] or [pullback]"),
        ("", "found an empty file"),
        ('id = "a/b"\n[ccta]\nlumen = "x"\n[pullback]\nlumen = "y"', "id: found 'a/b'"),
    ],
)
def test_a_case_that_is_not_valid_says_so_itself_in_one_line(three, text, expected):
    write_case(three / "P1", text=text)
    found = texts(write_table(three, "case_id,case", "P1,P1"))
    assert len(found) == 1
    assert found[0].startswith(f"row 2, column case: {three / 'P1' / 'case.toml'}")
    assert expected in found[0]
    assert "\n" not in found[0]


def test_all_inputs_that_are_missing_are_named_also_those_that_no_registration_reads(tmp_path):
    text = """
        id = "P1"
        [ccta]
        lumen = "lumen.stl"
        image = "ccta"
        wall = "wall.stl"
        [pullback]
        lumen = "none.csv"
        [landmarks]
        file = "marks.csv"
    """
    case = write_case(tmp_path / "P1", text=text) / "case.toml"
    keys = {"ccta.image": "ccta", "ccta.wall": "wall.stl", "pullback.lumen": "none.csv"}
    keys["landmarks.file"] = "marks.csv"
    assert texts(write_table(tmp_path, "case_id,case", "P1,P1")) == [
        f"row 2, column case: {case}: {key}: found nothing at {case.parent / name}, expected a file or folder"
        for key, name in keys.items()
    ]


def test_raw_data_that_an_image_needs_are_missed(tmp_path):
    text = 'id = "P1"\n[ccta]\nimage = "ccta.mhd"\n[pullback]\nlumen = "contours.csv"'
    folder = write_case(tmp_path / "P1", text=text)
    (folder / "ccta.mhd").write_text("NDims = 3\nElementDataFile = ccta.raw\n")
    (problem,) = check_manifest(write_table(tmp_path, "case_id,case", "P1,P1"))
    assert f"ccta.image: found nothing at {folder / 'ccta.raw'}" in problem.text


def test_both_tables_are_needed_unless_one_is_asked_for(three):
    write_case(three / "P1", text='id = "P1"\n[ccta]\nlumen = "lumen.stl"')
    path = write_table(three, "case_id,case", "P1,P1")
    assert "pullback: found nothing, expected the table [pullback]" in texts(path)[0]
    assert texts(path, needs=["ccta"]) == []


def test_all_problems_come_in_one_error_in_the_order_of_rows(three):
    lines = ["case_id,case,patient", "P1,P1,a b", "P2,P9,", "P1,P1,c/d", "P3,P3"]
    path = write_table(three, *lines)
    with pytest.raises(InputError, match="5 problems") as caught:
        read_manifest(path)
    assert isinstance(caught.value, ManifestError)
    assert [each.row for each in caught.value.problems] == [2, 3, 4, 4, 5]
    assert [each.case_id for each in caught.value.problems] == ["P1", "P2", "P1", "P1", ""]
    assert str(caught.value).splitlines()[0] == f"{path}: 5 problems"
    assert len(str(caught.value).splitlines()) == 6


def test_a_single_problem_takes_a_single_line(three):
    path = write_table(three, "case_id,case,vessel", f"P1,P1,{'v' * 65}")
    with pytest.raises(ManifestError, match="column vessel") as caught:
        read_manifest(path)
    assert str(caught.value).startswith(f"{path}: row 2, column vessel: ")
    assert "\n" not in str(caught.value)


def test_a_long_list_is_cut_yet_kept_whole(three):
    count = MOST_SHOWN + 7
    path = write_table(three, "case_id,case", *(f"x{i},none" for i in range(count)))
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    lines = str(caught.value).splitlines()
    assert lines[-1] == "  and 7 more"
    assert len(lines) == MOST_SHOWN + 2
    assert len(caught.value.problems) == len(check_manifest(path)) == count


def test_sound_cases_are_told_from_those_with_problems(three):
    path = write_table(three, "case_id,case", "P1,P1", "P2,P9", "P3,P3")
    manifest, problems = examine_manifest(path)
    assert [each.case_id for each in manifest.cases] == ["P1", "P3"]
    assert [each.case_id for each in problems] == ["P2"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "found an empty file"),
        (b"\n\n", "found nothing, expected the columns case_id,case"),
        (b"case_id,case\n", "found a header without rows"),
        (b'case_id,case\n"P1,P1\n', "expected a CSV table"),
        ("case_id,case,Größe\n".encode("cp1252"), "found a byte that is not UTF-8 at offset 15"),
        (b"PK\x03\x04\xff\xfe", "expected a table of cases in UTF-8 (CSV or TSV)"),
    ],
)
def test_a_file_that_is_no_table_is_one_problem(tmp_path, content, expected):
    path = tmp_path / "cohort.csv"
    path.write_bytes(content)
    (problem,) = check_manifest(path)
    assert expected in str(problem)
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert str(caught.value).count(str(path)) == 1


def test_a_path_where_nothing_is_and_folders_without_cases_are_refused(tmp_path):
    assert "found no such file" in texts(tmp_path / "none.csv")[0]
    assert texts(tmp_path) == [
        "found no case, expected a folder for each case with its case.toml, or a manifest.csv"
    ]
    write_case(tmp_path, "P1")
    assert "found a single case" in texts(tmp_path)[0]


def test_problems_in_a_folder_of_cases_name_the_case(three):
    write_case(three / "P2", text="id = ")
    (problem,) = check_manifest(three)
    assert str(problem).startswith(f"P2: {three / 'P2' / 'case.toml'}: found broken TOML")


def test_cases_are_grouped_by_patient_and_then_vessel(tmp_path):
    rows = [("A1", "A", "LAD"), ("B1", "B", ""), ("A2", "A", "RCA"), ("A3", "A", "LAD")]
    for case_id, *_ in rows:
        write_case(tmp_path / case_id, case_id)
    lines = [f"{case_id},{case_id},{patient},{vessel}" for case_id, patient, vessel in rows]
    manifest = read_manifest(write_table(tmp_path, "case_id,case,patient,vessel", *lines))
    groups = by_patient(manifest.cases)
    names = {p: {v: [c.case_id for c in cases] for v, cases in vs.items()} for p, vs in groups.items()}
    assert names == {"A": {"LAD": ["A1", "A3"], "RCA": ["A2"]}, "B": {"": ["B1"]}}


@pytest.mark.slow
def test_ten_thousand_rows_are_checked_in_seconds(tmp_path):
    names = [f"P{i:05d}" for i in range(10_000)]
    for name in names:
        write_case(tmp_path / name, name)
    path = write_table(tmp_path, "case_id,case,patient", *(f"{name},{name},{name[:-1]}" for name in names))
    start = time.perf_counter()
    manifest = read_manifest(path)
    # Measured 2.5 s.
    assert time.perf_counter() - start < 20.0
    assert [each.case_id for each in manifest.cases] == names
    assert len(by_patient(manifest.cases)) == 1000
