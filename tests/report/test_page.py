import base64
import dataclasses
from html.parser import HTMLParser

import numpy as np
import pytest

from coreg.landmarks import Landmark
from coreg.report import report_html, write_report
from coreg.result import Registration
from coreg.validation import frame_errors, landmark_errors


class Elements(HTMLParser):
    """Collects start tags and text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def page(case, registration, truth=None):
    errors = landmark_errors(registration.path, case.landmarks)
    truth_errors = None if truth is None else frame_errors(registration.path, truth)
    return report_html(case, registration, errors, truth_errors)


def text_of(html):
    return " ".join(" ".join(Elements(html).text).split())


@pytest.fixture(scope="module")
def html(case, registration, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, case, registration, landmark_errors(registration.path, case.landmarks))
    return path.read_text(encoding="utf-8")


def test_verdict_reasons_and_purpose_are_on_top(html):
    text = text_of(html)
    assert "review A person has to look" in text
    assert "The runner-up fits almost as well." in text
    assert "For research use only" in text
    assert "best other placement fits: turned by 180°, 0.0 mm further distal" in text
    assert html.index("The runner-up") < html.index("<img")


def test_notes_stand_apart_from_the_reasons_of_the_verdict(case, registration):
    html = report_html(case, registration, (), notes=("Positions of the file.", "Read.", "Read."))
    verdict = html[html.index('<div class="verdict') : html.index('<div class="notes">')]
    notes = html[html.index('<div class="notes">') : html.index('<div class="cards">')]
    assert "The runner-up fits almost as well." in verdict
    assert "Positions of the file." not in verdict
    assert text_of(notes) == "Notes Positions of the file. Read."
    assert '<div class="notes">' not in report_html(case, registration, ())


def test_progress_rises_from_nothing(case, registration):
    told = []
    report_html(case, registration, (), progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert {stage for stage, _ in told} == {"report: registration"}
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert shares[-1] < 1.0


def test_landmarks_are_told_from_branches_that_were_found(html):
    text = text_of(html)
    assert 'Side branches found in the images have names of their own, with "CCTA" or "pullback"' in text


def test_a_good_verdict_needs_no_reason(case, registration):
    html = page(case, dataclasses.replace(registration, verdict="good", reasons=()))
    assert 'class="verdict good"' in html


def test_text_of_inputs_is_escaped(case, registration):
    evil = "<script>alert('&')</script>$x$"
    landmark = dataclasses.replace(case.landmarks[0], id=evil)
    case = dataclasses.replace(case, id=evil, vessel=evil, patient=evil, landmarks=(landmark,))
    reasons = (evil,) * 41
    path = dataclasses.replace(registration.path, reason=reasons, reliable=np.zeros(41, bool))
    registration = dataclasses.replace(
        registration, path=path, reasons=(evil,), settings={evil: evil}, provenance={"inputs": {evil: evil}}
    )
    elements = Elements(page(case, registration))
    assert not [tag for tag, _ in elements.tags if tag == "script"]
    assert sum(evil in each for each in elements.text) >= 8


def test_page_holds_all_it_needs(html):
    tags = Elements(html).tags
    images = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert len(images) >= 6
    assert all(src.startswith("data:image/") for src in images)
    assert all(attributes["href"].startswith("#") for tag, attributes in tags if "href" in attributes)
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "object"}
    assert "url(" not in html
    assert len(html) < 6e6
    for src in images:
        assert b'href="http' not in base64.b64decode(src.split(",", 1)[1])


def test_same_registration_makes_the_same_page(case, registration, html):
    assert page(case, registration) == html


def test_landmark_errors_and_rigid_baseline_are_shown(html):
    # The landmark lies at 12.5 mm, frame 19; frame 20 at 12.0 mm was annotated: one frame, 0.5 mm.
    text = text_of(html)
    assert "B1 branch 20.0 19.0 -1.0 " in text
    # Rigid alone lies 0.6 mm further distal, which leaves 0.1 mm, and is turned by 0.2 rad.
    assert "rigid alone: 0.10 mm" in text
    assert "rigid alone: 11.5°" in text


def test_errors_against_the_truth_are_summed_up(case, registration, z_mm, tube):
    text = text_of(page(case, registration, truth=tube.path(z_mm - 0.3, turn_rad=-0.1)))
    assert "along the vessel (mm) 0.30 0.30 0.30 0.30" in text
    assert "rotation (degrees) 5.7 5.7 5.7 5.7" in text


def test_unreliable_frames_are_listed_with_their_reason(html):
    assert "no contour in this frame 2 7-8" in text_of(html)


def test_a_case_without_landmarks_says_that_errors_are_not_measured(case, registration):
    html = page(dataclasses.replace(case, landmarks=()), registration)
    assert 'id="landmarks"' not in html
    assert "at landmarks not measured" in text_of(html)


def test_half_landmarks_are_drawn_but_not_measured(case, registration):
    half = Landmark("B2", world_mm=np.array([1.5, 0.0, 5.0]))
    html = page(dataclasses.replace(case, landmarks=(*case.landmarks, half)), registration)
    assert "neither guide nor are measured: B2 (no frame)." in text_of(html)
    assert "B2 branch" not in text_of(html)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_failed_registration_still_gets_a_page(case, registration, z_mm, count, tube):
    posed = np.arange(len(z_mm)) < count
    failed: Registration = dataclasses.replace(
        registration,
        path=tube.path(z_mm, posed=posed),
        rigid_path=tube.path(z_mm, posed=posed),
        verdict="failed",
        hypotheses=(),
        margin=np.inf,
        residual_mm=np.full(len(z_mm), np.nan),
    )
    assert f"{count} of 41" in text_of(page(case, failed))


def test_a_surface_serves_as_well_as_a_label(case, registration, html, tube):
    of_surface = page(dataclasses.replace(case, lumen=tube.surface()), registration)
    assert of_surface.count("<img") == html.count("<img")


def test_the_rigid_placement_is_compared_only_where_nothing_guided_or_was_left_out(case, registration):
    errors = landmark_errors(registration.path, case.landmarks)
    left_out = [dataclasses.replace(errors[0], error_mm=0.9, error_deg=8.0)]
    both = text_of(report_html(case, registration, errors, left_out=left_out))
    first, second = (
        both.split("at landmarks left out, rotation")[0],
        both.split("at landmarks, along the vessel")[1],
    )
    assert "0.90 mm" in first.split("at landmarks left out, along the vessel")[1]
    assert "rigid alone" not in first
    assert "rigid alone: 0.10 mm" in second
    guided = dataclasses.replace(registration, settings={"guides": ["B1"]})
    text = text_of(report_html(case, guided, errors))
    assert "fit residual at guides, along the vessel 0.50 mm" in text
    assert "rigid alone" not in text


def test_the_cost_of_a_rigid_placement_is_left_out_beside_guided_ones(case, registration):
    guided = dataclasses.replace(registration, settings={"guides": ["B1"]})
    plain, told = (text_of(page(case, each)) for each in (registration, guided))
    assert "rigid 0.2 nonrigid 0.1" in plain
    assert "rigid 0.2" not in told
    assert "no landmark guides it, so it cannot be compared" in told


def test_how_sure_frames_are_stands_below_the_verdict_in_mm_and_degrees(case, registration):
    count = len(registration.path)
    path = dataclasses.replace(
        registration.path,
        arc_length_sd_mm=np.where(registration.path.reliable, 0.2, 9.0),
        rotation_sd_rad=np.radians(np.where(registration.path.reliable, 4.0, 90.0)),
    )
    html = page(case, dataclasses.replace(registration, path=path))
    verdict = text_of(html[html.index('<div class="verdict') : html.index('<div class="cards">')])
    assert f"over the {count - 2} reliable frames" in verdict
    assert "are 0.20 mm and 4.0° in the median, 0.20 mm and 4.0° at the 95th percentile" in verdict
    assert "not calibrated, and too small" in verdict
    assert "How sure a frame is, is not known" in text_of(page(case, registration))


def test_only_hashes_and_paths_break_anywhere(html):
    tables = [attributes.get("class") for tag, attributes in Elements(html).tags if tag == "table"]
    assert tables.count("long") == 3
    assert tables.count(None) >= 2
    assert html.count("overflow-wrap: anywhere") == 2
    assert ".long td { overflow-wrap: anywhere; }" in html


def test_a_landmark_among_frames_that_are_not_reliable_has_a_remark(case, registration, z_mm, tube):
    # B1 was annotated in frame 20, which is in the middle.
    reason = [
        "the rotation is not determined: the lumen is round here" if 15 <= i <= 22 else "" for i in range(41)
    ]
    path = tube.path(z_mm, reason=tuple(reason))
    text = text_of(page(case, dataclasses.replace(registration, path=path)))
    assert "frames around it are not reliable (rotation is not determined)" in text
    assert "frames around it" not in text_of(page(case, registration))
