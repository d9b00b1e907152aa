import hashlib
import json
import os
import shutil
import time

import pytest

from coreg.errors import InputError
from coreg_cohort.fingerprint import SETTLED_NS, StatCache, fingerprints

CASE = """
id = "P1"
[ccta]
image = "ccta"
lumen = "lumen.stl"
[pullback]
lumen = "contours.csv"
[landmarks]
file = "landmarks.csv"
"""
SETTINGS = {"method": "nonrigid", "seed": 0}


@pytest.fixture
def case(tmp_path):
    """Folder of a case whose image is a folder with two files and one further below."""
    folder = tmp_path / "case"
    (folder / "ccta" / "below").mkdir(parents=True)
    (folder / "case.toml").write_text(CASE)
    for name in ("lumen.stl", "contours.csv", "landmarks.csv", "ccta/1", "ccta/2", "ccta/below/3"):
        (folder / name).write_text(f"content of {name}")
    return folder


@pytest.fixture
def later(tmp_path):
    """Make a cache on file whose clock is a minute ahead, so that all files are old."""
    return lambda: StatCache(tmp_path / "cache.json", clock_ns=lambda: time.time_ns() + 60 * 10**9)


def each_of(folder, cache, settings=SETTINGS, version="1.0"):
    return fingerprints(folder / "case.toml", settings, version, cache, result=folder / "result")


def of(*args, **kwargs):
    """Of all that anything depends on."""
    return each_of(*args, **kwargs).validate


def stages_that_differ(before, after):
    return {
        name for name in ("segment", "register", "validate") if getattr(before, name) != getattr(after, name)
    }


def seen_and_read(path):
    """What a cache asks for one file, and the list of the times it was read."""
    from coreg_cohort.fingerprint import _content, _seen_file

    reads = []

    def read(files):
        reads.append(path)
        return _content(files)

    return lambda: _seen_file(path), read, reads


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("change", "guided", "expected"),
    [
        ("image", False, {"segment", "register", "validate"}),
        ("version", False, {"segment", "register", "validate"}),
        ("settings", False, {"register", "validate"}),
        ("landmarks", False, {"validate"}),
        ("landmarks", True, {"register", "validate"}),
        ("review", False, {"validate"}),
        ("review", True, {"register", "validate"}),
        ("no landmarks", False, {"validate"}),
        ("comment", False, set()),
        ("compare", False, {"validate"}),
        ("device", False, set()),
    ],
)
def test_a_stage_depends_on_what_it_uses_and_on_the_stages_before_it(case, later, change, guided, expected):
    text = (case / "case.toml").read_text().replace('lumen = "lumen.stl"\n', "")
    (case / "case.toml").write_text(text)
    (case / "result").mkdir()
    settings = {**SETTINGS, "use_landmarks": guided}
    before, version = each_of(case, later(), dict(settings)), "1.0"
    if change == "image":
        (case / "ccta" / "1").write_text("another")
    elif change == "version":
        version = "1.1"
    elif change in {"settings", "compare", "device"}:
        changed = {"settings": {"seed": 1}, "compare": {"compare": ["rigid"]}, "device": {"device": "cuda"}}
        settings |= changed[change]
    elif change == "landmarks":
        (case / "landmarks.csv").write_text("another")
    elif change == "review":
        (case / "result" / "landmarks_reviewed.csv").write_text("by a reader")
    elif change == "no landmarks":
        (case / "case.toml").write_text(text[: text.index("[landmarks]")])
    else:
        (case / "case.toml").write_text(f"# looked at twice\n{text}")
    assert stages_that_differ(before, each_of(case, later(), settings, version)) == expected


def test_a_case_that_outlines_both_lumens_has_nothing_to_segment(case, later):
    assert each_of(case, later()).segment is None
    text = (case / "case.toml").read_text()
    (case / "case.toml").write_text(text.replace('lumen = "contours.csv"', 'image = "pullback.dcm"'))
    assert each_of(case, later()).segment is not None


def test_the_same_case_elsewhere_has_the_same_fingerprint(case, later, tmp_path):
    shutil.copytree(case, tmp_path / "moved" / "other")
    assert of(case, later()) == of(tmp_path / "moved" / "other", later())


def test_the_order_of_settings_does_not_matter(case, later):
    assert of(case, later()) == of(case, later(), settings=dict(reversed(SETTINGS.items())))


@pytest.mark.parametrize(
    "name", ["case.toml", "lumen.stl", "contours.csv", "landmarks.csv", "ccta/2", "ccta/below/3"]
)
@pytest.mark.parametrize("remembered", [True, False])
def test_any_input_that_changes_is_noticed(case, later, name, remembered):
    cache = later()
    before = of(case, cache)
    # Of the case.toml its meaning counts.
    old, new = ('id = "P1"', 'id = "P2"') if name == "case.toml" else ("content", "other content")
    (case / name).write_text((case / name).read_text().replace(old, new))
    assert of(case, cache if remembered else later()) != before


@pytest.mark.parametrize("name", ["ccta/4", "ccta/below/4", "frame_quality.csv"])
def test_a_file_that_is_added_to_the_inputs_is_noticed(case, later, name):
    cache = later()
    before = of(case, cache)
    (case / name).write_text("frame,quality,reason\n")
    after = of(case, cache)
    (case / name).unlink()
    assert after != before == of(case, cache)


def test_a_frame_that_is_renamed_is_noticed_as_names_give_the_order(case, later):
    cache = later()
    before = of(case, cache)
    (case / "ccta" / "2").rename(case / "ccta" / "3")
    assert of(case, cache) != before


@pytest.mark.parametrize("changed", [{"settings": {"method": "rigid", "seed": 0}}, {"version": "1.1"}])
def test_settings_and_version_count(case, later, changed):
    assert of(case, later(), **changed) != of(case, later())


def test_what_the_case_does_not_name_does_not_count(case, later):
    before = of(case, later())
    (case / "landmarks_reviewed.csv").write_text("id\n")
    (case / "result").mkdir()
    (case / "result" / "registration_reviewed.json").write_text("{}")
    assert of(case, later()) == before


def test_writing_the_same_again_changes_nothing(case, later):
    cache = later()
    before = of(case, cache)
    os.utime(case / "lumen.stl", (1, 1))
    (case / "ccta" / "1").write_text((case / "ccta" / "1").read_text())
    assert of(case, cache) == before


def test_an_input_that_is_missing_counts_as_such_until_it_comes(case, later):
    (case / "lumen.stl").rename(case / "away")
    cache = later()
    without = of(case, cache)
    assert of(case, cache) == without
    (case / "away").rename(case / "lumen.stl")
    assert of(case, cache) != without


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_place_of_an_input_does_not_hang(case, later):
    (case / "lumen.stl").unlink()
    os.mkfifo(case / "lumen.stl")
    os.mkfifo(case / "ccta" / "pipe")
    (case / "ccta" / "nowhere").symlink_to(case / "none")
    assert len(of(case, later())) == len(digest(case / "case.toml"))


def test_a_slice_stands_for_the_dicom_files_beside_it(tmp_path, ct_files, chest, later):
    files = ct_files.series(tmp_path / "ct", chest[:4, :16, :16])
    (tmp_path / "case.toml").write_text(f'id = "P1"\n[ccta]\nimage = "ct/{files[0].name}"')
    cache = later()
    before = of(tmp_path, cache)
    (tmp_path / "ct" / "notes.txt").write_text("x")
    assert of(tmp_path, cache) == before
    with files[2].open("ab") as file:
        file.write(b"\0")
    assert of(tmp_path, cache) != before


def test_a_file_of_many_slices_stands_for_itself(tmp_path, ct_files, chest, later):
    ct_files.multiframe(tmp_path / "a.dcm", hu=chest[:4, :16, :16])
    (tmp_path / "case.toml").write_text('id = "P1"\n[ccta]\nimage = "a.dcm"')
    before = of(tmp_path, later())
    ct_files.multiframe(tmp_path / "b.dcm", hu=chest[:3, :16, :16])
    assert of(tmp_path, later()) == before


def test_settings_that_json_does_not_know_are_refused(case, later):
    with pytest.raises(ValueError, match="JSON"):
        of(case, later(), settings={"weight": float("nan")})


def test_a_case_that_is_not_valid_says_so(case, later):
    (case / "case.toml").write_text("id = ")
    with pytest.raises(InputError, match="broken TOML"):
        of(case, later())


def test_what_is_unchanged_is_not_read_again_also_by_the_next_run(tmp_path, later):
    path = tmp_path / "a"
    path.write_text("content")
    look, read, reads = seen_and_read(path)
    cache = later()
    first = cache.digest("a", look, read)
    assert cache.digest("a", look, read) == first
    cache.save()
    assert later().digest("a", look, read) == first
    assert len(reads) == 1


@pytest.mark.parametrize(("age_ns", "reads_expected"), [(SETTLED_NS - 1, 2), (SETTLED_NS, 1)])
def test_what_changed_within_two_seconds_is_read_again(tmp_path, age_ns, reads_expected):
    path = tmp_path / "a"
    path.write_text("content")
    changed_ns = max(path.stat().st_mtime_ns, path.stat().st_ctime_ns)
    cache = StatCache(tmp_path / "cache.json", clock_ns=lambda: changed_ns + age_ns)
    look, read, reads = seen_and_read(path)
    for _ in range(2):
        cache.digest("a", look, read)
    assert len(reads) == reads_expected


def test_a_change_while_a_file_is_read_is_not_remembered(tmp_path, later):
    path = tmp_path / "a"
    path.write_text("before")
    look, read, reads = seen_and_read(path)

    def slowly(files):
        told = read(files)
        path.write_text("afterwards")
        return told

    cache = later()
    torn = cache.digest("a", look, slowly)
    assert cache.digest("a", look, read) != torn
    assert len(reads) == 2


def test_another_content_of_the_same_size_and_time_is_noticed(case, later):
    cache = later()
    os.utime(case / "lumen.stl", ns=(10**18, 10**18))
    before = of(case, cache)
    told = (case / "lumen.stl").stat()
    time.sleep(0.02)  # A clock of the file system ticks every 10 ms at worst.
    (case / "lumen.stl").write_text("CONTENT of lumen.stl")
    os.utime(case / "lumen.stl", ns=(10**18, 10**18))
    after = (case / "lumen.stl").stat()
    assert (after.st_size, after.st_mtime_ns) == (told.st_size, told.st_mtime_ns)
    assert of(case, cache) != before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"schema_version": 2, "inputs": {}}',
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "inputs": []}',
        b'{"schema_version": 1, "inputs": {"a": 5}}',
        b'{"schema_version": 1, "inputs": {"a": ["x"]}}',
        b"[" * 100_000,
    ],
)
def test_a_broken_cache_is_an_empty_one_and_is_replaced(case, later, tmp_path, content):
    expected = of(case, later())
    (tmp_path / "cache.json").write_bytes(content)
    cache = later()
    assert of(case, cache) == expected
    cache.save()
    assert len(json.loads((tmp_path / "cache.json").read_text())["inputs"]) == 4


def test_a_cache_is_written_whole_into_a_new_folder_and_only_when_it_has_news(case, tmp_path):
    path = tmp_path / "new" / "cache.json"
    cache = StatCache(path, clock_ns=lambda: time.time_ns() + 60 * 10**9)
    cache.save()
    assert not path.exists()
    of(case, cache)
    cache.save()
    assert [each.name for each in path.parent.iterdir()] == ["cache.json"]
    path.unlink()
    of(case, cache)
    cache.save()
    assert not path.exists()


def test_a_cache_tells_no_names(case, later, tmp_path):
    shutil.copy(case / "ccta" / "1", case / "ccta" / "Zzsurname")
    cache = later()
    of(case, cache)
    cache.save()
    text = (tmp_path / "cache.json").read_text()
    assert not any(name in text for name in ("Zzsurname", "lumen.stl", str(case)))


@pytest.mark.slow
def test_a_second_look_at_a_thousand_cases_takes_seconds(case, later, tmp_path):
    folders = [tmp_path / "many" / f"{i:04d}" for i in range(1000)]
    for folder in folders:
        shutil.copytree(case, folder)
    cache = later()
    before = [of(folder, cache) for folder in folders]
    cache.save()
    start = time.perf_counter()
    again = later()
    assert [of(folder, again) for folder in folders] == before
    # Measured 0.5 s; a run over finished cases has 10 s for all that it does.
    assert time.perf_counter() - start < 8.0
