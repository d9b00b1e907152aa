"""The page of a cohort: whole, safe to open anywhere, and the same each time."""

import base64
import csv
import re
import shutil
import time
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from coreg.errors import InputError
from coreg.io.review_files import save_review
from coreg.review import Review, SignOff
from coreg_cohort import triage
from coreg_cohort.measured import read_cohort
from coreg_cohort.methods_text import differing, paragraphs
from coreg_cohort.page import NAMES, write_cohort_report

EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>&"\''


class Seen(HTMLParser):
    """Tags, addresses and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.addresses, self.attributes, self.text = [], [], [], ""
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.addresses += [value for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def study(made_cohort):
    """Folder of five cases, with its report."""
    case = made_cohort.case
    errors = {
        "nonrigid": {"B1": (0.2, 3.0), "B2": (-0.1, 1.0)},
        "rigid": {"B1": (0.6, 9.0), "B2": (0.9, 8.0)},
    }
    folder = made_cohort(
        case("A1", "P1", errors=errors),
        case("A2", "P1", "RCA", errors=errors, verdict="review", reasons=("Turned by 180° it fits, too.",)),
        case("A3", "P2", errors=errors),
        case("A4", "P3", status="failed", reason="took longer than 600 s"),
        case("A5", "P4"),
    )
    assert write_cohort_report(folder) == folder / "report.html"
    return folder


def test_page_says_what_became_of_the_cohort(study):
    page = study / "report.html"
    text = re.sub(r"\s+", " ", Seen(page).text)
    assert "For research use only" in text
    assert "1 result asks for a look; 1 case failed." in text
    assert "4 of 5" in text
    assert "took longer than 600 s" in text
    assert "Turned by 180° it fits, too." in text
    # Of 0.2, 0.1 in three cases.
    assert "0.15 mm" in text
    assert re.findall("<h2>(.*?)</h2>", page.read_text()) == [
        *("What to look at", "Errors and methods", "Errors by patient", "Agreement of frames"),
        *("Cumulative errors", "Confidence", "Failures", "All cases", "Methods, to paste", "How it was made"),
    ]
    assert "5 pullbacks of 5 vessels in 4 patients were to be registered" in text


def test_nothing_on_the_page_is_fetched_and_links_lead_to_files_of_the_cohort(study):
    page = Seen(study / "report.html")
    for address in page.addresses:
        if address.startswith("data:image/svg+xml;base64,"):
            picture = base64.b64decode(address.partition(",")[2])
            ET.fromstring(picture)  # noqa: S314 - our own
            assert not re.search(rb"(href|src)\s*=\s*[\"'](?!#|data:)", picture)
        elif not address.startswith("#"):
            assert "://" not in address
            assert (study / unquote(address)).is_file()
    assert "cases/A1/report.html" in page.addresses
    assert not {"link", "script", "iframe", "object", "embed"} & set(page.tags)
    assert "url(" not in (study / "report.html").read_text()


def test_texts_of_the_cohort_are_never_markup(made_cohort):
    case = made_cohort.case
    folder = made_cohort(
        case("A1", EVIL, EVIL, reasons=(EVIL,), verdict="review", provenance={"coreg": EVIL}),
        case("A2", EVIL, status="failed", reason=EVIL),
        case("A3", EVIL, errors={"nonrigid": {"B1": (0.1, 1.0)}, "<b>dtw</b>": {"B1": (0.1, 1.0)}}),
    )
    (folder / "cases" / "A3" / "review.json").write_text(f'{{"schema_version": "{EVIL[:30]}')
    page = Seen(write_cohort_report(folder))
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert not any(name.startswith("on") for name in page.attributes)
    assert page.text.count(EVIL) > 5


def test_a_folder_with_a_difficult_name_is_linked(made_cohort):
    folder = made_cohort(made_cohort.case("A1"), table=False)
    (folder / "cases" / "A1").rename(folder / "cases" / 'A 1#%?"&')
    page = Seen(write_cohort_report(folder))
    (address,) = {each for each in page.addresses if each.startswith("cases/")}
    assert (folder / unquote(address)).is_file()


def test_figures_are_vector_files(study):
    names = sorted(path.name for path in (study / "figures").iterdir())
    assert names == sorted(f"{name}.{kind}" for name in NAMES for kind in ("svg", "pdf"))
    for name in NAMES:
        root = ET.parse(study / "figures" / f"{name}.svg").getroot()  # noqa: S314 - our own
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        content = (study / "figures" / f"{name}.pdf").read_bytes()
        assert content.startswith(b"%PDF-")
        # TrueType, which journals and editors want, not drawn letters.
        assert b"/Type3" not in content


def test_the_same_cohort_gives_the_same_bytes(study):
    def content():
        write_cohort_report(study)
        return {
            path.name: path.read_bytes() for path in [study / "report.html", *(study / "figures").iterdir()]
        }

    assert content() == content()


def test_figures_that_are_no_more_and_halves_of_a_killed_run_are_removed(study, tmp_path):
    study = shutil.copytree(study, tmp_path / "study")
    (study / "figures" / ".abcd1234.confidence.svg").write_text("half")
    (study / "figures" / "my own.svg").write_text("mine")
    for table in study.glob("**/validation.csv"):
        table.unlink()
    write_cohort_report(study)
    assert [path.name for path in (study / "figures").iterdir()] == ["my own.svg"]


def test_a_page_that_cannot_be_written_leaves_the_old_one(made_cohort):
    study = made_cohort(made_cohort.case("A1"))
    (study / "report.html").write_text("old")
    (study / "figures").write_text("a file in the way")
    with pytest.raises(InputError, match="expected a folder with room that can be written"):
        write_cohort_report(study)
    assert (study / "report.html").read_text() == "old"


def test_a_cohort_of_failures_has_a_page(made_cohort):
    case = made_cohort.case
    folder = made_cohort(case("A1", status="failed", reason="no contour"), case("A2", status=""))
    text = re.sub(r"\s+", " ", Seen(write_cohort_report(folder)).text)
    assert "1 case failed; 1 case not registered yet." in text
    assert "No pullback was registered." in text


def test_riskiest_cases_come_first_and_what_is_signed_off_is_not_asked_for(made_cohort):
    case = made_cohort.case
    folder = made_cohort(
        case("A1", errors={"nonrigid": {"B1": (1.5, 0.0)}}),
        case("A2", verdict="review"),
        case("A3", verdict="failed"),
        case("A4", verdict="review", errors={"nonrigid": {"B1": (2.5, 0.0)}}),
        case("A5", verdict="failed"),
        *[case(f"B{i}") for i in range(6)],
    )
    (folder / "cases" / "B5" / "registration.json").write_text("{")
    sign_off = SignOff("rejected", "reader", "2026-01-01T00:00:00Z")
    save_review(folder / "cases" / "A5", Review("A5", sign_off=sign_off), None)
    listed = triage.suspects(read_cohort(folder))
    assert [(each.case_id, each.verdict) for each in listed] == [
        ("B5", "broken"),
        ("A3", "failed"),
        ("A4", "review"),
        ("A2", "review"),
        ("A1", "good"),
        # One of those that ask for nothing, so that there are six.
        ("B0", "good"),
    ]
    assert [bool(each.picture) for each in listed] == [False, True, True, True, True, True]
    assert "rejected 1 of them" in paragraphs(read_cohort(folder))[1]


def test_only_so_many_pictures_are_drawn(made_cohort, monkeypatch):
    monkeypatch.setattr(triage, "MOST_PICTURES", 2)
    cases = [made_cohort.case(f"A{i}", verdict="review") for i in range(4)]
    assert [bool(each.picture) for each in triage.suspects(read_cohort(made_cohort(*cases)))] == [
        True,
        True,
        False,
        False,
    ]


def test_methods_count_patients_vessels_and_pullbacks_and_say_why_some_are_excluded(made_cohort):
    case = made_cohort.case
    cohort = read_cohort(
        made_cohort(
            case("A1", "P1", "LAD", errors={"nonrigid": {"B1": (0.1, 1.0)}}, guides=("B1",)),
            case("A2", "P1", "LAD", provenance={"coreg": "0.2.0", "device": "cpu"}),
            case("A3", "P1", "RCA"),
            case("A4", "P2", "LAD", status="failed", reason="killed by signal 9"),
        )
    )
    first, second, *_ = paragraphs(cohort)
    assert first == (
        "4 pullbacks of 3 vessels in 2 patients were to be registered to coronary CT angiography. "
        "3 pullbacks of 2 vessels in 1 patient were registered. 1 pullback was excluded: killed by signal 9 "
        "(n = 1)."
    )
    assert "coreg 0.1.0 (n = 2); 0.2.0 (n = 1)" in second
    assert "1 landmark guided the registration of 1 pullback." in second
    assert differing(cohort) == ["Not all cases were made with the same coreg: 0.1.0 (n = 2); 0.2.0 (n = 1)."]


@pytest.mark.slow
def test_a_thousand_cases_are_reported_in_a_minute(made_cohort):
    errors = {name: {f"B{i}": (0.1 * i, 1.0) for i in range(5)} for name in ("nonrigid", "rigid", "dtw")}
    folder = made_cohort(*(made_cohort.case(f"A{i}", f"P{i // 2}", errors=errors) for i in range(1000)))
    start = time.monotonic()
    write_cohort_report(folder)
    assert time.monotonic() - start < 60.0


def test_what_is_only_segmented_leads_to_its_page(made_cohort):
    folder = made_cohort(made_cohort.case("A1"))
    with (folder / "cohort.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    with (folder / "cohort.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*row, "stage"])
        writer.writeheader()
        writer.writerow({**row, "stage": "segment"})
    (folder / "cases" / "A1" / "segmentation").mkdir()
    (folder / "cases" / "A1" / "segmentation" / "ccta.html").write_text("a page")
    text = write_cohort_report(folder).read_text()
    assert 'href="cases/A1/segmentation/ccta.html"' in text
    assert "Not registered yet" in text
    assert "What to look at" not in text
