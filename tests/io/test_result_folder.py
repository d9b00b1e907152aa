import json

import pytest

from coreg.errors import InputError
from coreg.io.results import replaced_folder


def fill(out, case_id, name="frames.csv", **options):
    """Write a small result as a command would."""
    with replaced_folder(out, case_id, **options) as folder:
        (folder / name).write_text("new")
        (folder / "registration.json").write_text(json.dumps({"schema_version": 1, "case_id": case_id}))


def fail(out, case_id, error, **options):
    """Fail in the middle of writing a result."""
    with replaced_folder(out, case_id, **options) as folder:
        (folder / "frames.csv").write_text("half")
        raise error


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_new_folder_appears_with_those_around_it(tmp_path):
    fill(tmp_path / "a" / "b" / "out", "P1")
    assert listing(tmp_path) == ["a", "a/b", "a/b/out", "a/b/out/frames.csv", "a/b/out/registration.json"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()])
def test_after_an_exception_nothing_is_left_behind(tmp_path, error):
    with pytest.raises(type(error)):
        fail(tmp_path / "a" / "out", "P1", error)
    assert listing(tmp_path) == []


def test_after_an_exception_the_old_result_is_as_it_was(tmp_path):
    fill(tmp_path / "out", "P1")
    before = listing(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path / "out", "P1", KeyboardInterrupt())
    assert listing(tmp_path) == before
    assert (tmp_path / "out" / "frames.csv").read_text() == "new"


def test_a_result_of_the_same_case_is_replaced_whole(tmp_path):
    fill(tmp_path / "out", "P1", name="validation.csv")
    fill(tmp_path / "out", "P1")
    assert listing(tmp_path) == ["out", "out/frames.csv", "out/registration.json"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    fill(tmp_path / "out", "P1")
    assert listing(tmp_path / "out") == ["frames.csv", "registration.json"]


@pytest.mark.parametrize("with_result", [True, False])
def test_what_the_reviewer_wrote_is_kept(tmp_path, with_result):
    out = tmp_path / "out"
    out.mkdir()
    if with_result:
        fill(out, "P1", name="validation.csv")
    (out / "review.json").write_text("mine")
    (out / "landmarks_reviewed.csv").write_text("mine")
    fill(out, "P1")
    assert listing(out) == ["frames.csv", "landmarks_reviewed.csv", "registration.json", "review.json"]
    assert (out / "review.json").read_text() == "mine"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (
            {"notes.txt": "mine"},
            r"other content \(notes.txt\), expected a new or empty folder, .* --force replaces",
        ),
        ({"registration.json": '{"schema_version": 1, "case_id": "P2"}'}, "found a result of case P2"),
        ({"registration.json": "{"}, r"other content \(registration.json\)"),
        ({"registration.json": '{"case_id": "P1"}'}, r"other content \(registration.json\)"),
    ],
)
def test_other_content_is_left_alone_without_force(tmp_path, content, match):
    out = tmp_path / "out"
    out.mkdir()
    for name, text in content.items():
        (out / name).write_text(text)
    with pytest.raises(InputError, match=match):
        fill(out, "P1")
    assert listing(tmp_path) == ["out", *(f"out/{name}" for name in content)]
    fill(out, "P1", force=True)
    assert listing(out) == ["frames.csv", "registration.json"]


def test_a_file_is_never_replaced(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="--out: found a file, expected a folder"):
        fill(tmp_path / "out", "P1", force=True)


def test_a_folder_that_holds_an_input_is_never_replaced(tmp_path):
    (tmp_path / "case.toml").write_text("mine")
    with pytest.raises(InputError, match=r"--out: found the input .*case.toml in it"):
        fill(tmp_path, "P1", force=True, inputs=[tmp_path / "case.toml"])
    assert (tmp_path / "case.toml").read_text() == "mine"


def test_the_current_folder_is_never_replaced(tmp_path, monkeypatch):
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    for out in (tmp_path / "inside", tmp_path):
        with pytest.raises(InputError, match="the current or home folder, or one around it"):
            fill(out, "P1", force=True)


def test_a_link_to_a_folder_leads_to_that_folder(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    fill(tmp_path / "out", "P1")
    assert (tmp_path / "out").is_symlink()
    assert listing(tmp_path / "disk") == ["frames.csv", "registration.json"]


def test_a_link_inside_the_old_result_is_not_followed(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "a.txt").write_text("mine")
    fill(tmp_path / "out", "P1")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "precious")
    fill(tmp_path / "out", "P1")
    assert (tmp_path / "precious" / "a.txt").read_text() == "mine"
