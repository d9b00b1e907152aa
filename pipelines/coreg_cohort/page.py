"""The page of a cohort: what became of it, what to look at, how large the errors are, and how it was made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from coreg.io.files import replaced_file, unusable, write_text
from coreg.report.html import Head, Part, Progress, rendered, silent
from coreg.report.style import as_svg_uri, look, pdf_bytes, svg_bytes
from coreg.report.tables import Card, interval_text, number
from coreg.stretches import counted
from coreg_cohort import figures
from coreg_cohort.comparison import (
    Spread,
    difference_table,
    differences,
    spread_table,
    spreads,
    trust_table,
    trusts,
)
from coreg_cohort.listings import all_cases, failures
from coreg_cohort.measured import read_cohort
from coreg_cohort.measured_case import Cohort
from coreg_cohort.methods_text import differing, paragraphs, settings_table, version_table
from coreg_cohort.triage import Suspect, asks, suspects

PAGE, FIGURES = "report.html", "figures"
STAGE = "report: tables and figures"
TEMPLATE = ("coreg_cohort", "cohort.html.j2")
# With fewer patients a bootstrap of patients is known to give intervals that are too narrow.
FEW_PATIENTS = 10
NAMES = ("errors-by-patient", "frame-agreement", "cumulative-errors", "confidence")
_LEFTOVER = re.compile(rf"\.[a-z0-9_]{{8}}\.({'|'.join(NAMES)})\.(svg|pdf)")


def write_cohort_report(folder: Path, *, progress: Progress | None = None) -> Path:
    """Write the report of a cohort: ``report.html`` and vector figures in ``figures``.

    Each file is written whole or not at all, the page last.

    Parameters
    ----------
    folder : Path
        That ``coreg cohort run`` wrote. Reviews in it count.
    progress : callable, optional
        Takes a stage's name and the share that is done.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If there is no result in the folder, or it cannot be written.
    """
    tell = progress or silent
    cohort = read_cohort(folder, progress=tell)
    tell(STAGE, 0.0)
    try:
        drawn = _write_figures(folder / FIGURES, cohort, tell)
        write_text(folder / PAGE, cohort_html(cohort, drawn))
    except OSError as error:
        raise unusable(
            folder, "", found=error.strerror or error, expected="a folder with room that can be written"
        ) from error
    tell(STAGE, 1.0)
    return folder / PAGE


def _write_figures(folder: Path, cohort: Cohort, progress: Progress) -> dict[str, str]:
    """Write all figures as SVG and PDF, and return those that there are as data URIs, by name."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name):
            path.unlink(missing_ok=True)
    uris = {}
    for i, (name, draw) in enumerate(zip(NAMES, _drawers(cohort), strict=True)):
        with look():
            figure = draw()
            kinds = {} if figure is None else {"svg": svg_bytes(figure), "pdf": pdf_bytes(figure)}
        if not kinds:
            # One of an earlier report would tell of something else.
            for kind in ("svg", "pdf"):
                (folder / f"{name}.{kind}").unlink(missing_ok=True)
        for kind, content in kinds.items():
            with replaced_file(folder / f"{name}.{kind}") as temporary:
                temporary.write_bytes(content)
        if kinds:
            uris[name] = as_svg_uri(kinds["svg"])
        progress(STAGE, (i + 1) / (len(NAMES) + 1))
    return uris


def _drawers(cohort: Cohort) -> Iterator[Callable[[], Figure | None]]:
    yield lambda: figures.paired(cohort)
    yield lambda: figures.bland_altman(cohort)
    yield lambda: figures.cumulative(cohort)
    yield lambda: figures.confidence(cohort, trusts(cohort))


def cohort_html(cohort: Cohort, drawn: dict[str, str]) -> str:
    """Make the page.

    Parameters
    ----------
    cohort : Cohort
        What was read.
    drawn : dict of str to str
        Figures as data URIs by their name in `NAMES`.
    """
    found, shown = spreads(cohort), suspects(cohort)
    listings = {"failures": failures(cohort), "cases": all_cases(cohort)}
    parts = [
        *([_triage_part(cohort, shown)] if shown else []),
        *_comparison_parts(cohort, found),
        *_figure_parts(cohort, drawn),
        *([_failure_part(cohort)] if listings["failures"].rows else []),
        _cases_part(),
        Part("methods", "Methods, to paste", _METHODS),
        Part("made", "How it was made", _MADE, (), (version_table(cohort), settings_table(cohort)), True),
    ]
    return rendered(
        _head(cohort),
        _cards(cohort, found),
        parts,
        template=TEMPLATE,
        suspects=shown,
        listings=listings,
        paragraphs=paragraphs(cohort),
    )


def _open(cohort: Cohort) -> int:
    """Count the results that a person must look at and nobody has signed off."""
    usable = {each.case_id for each in cohort.of_state("done", "broken")}
    return sum(asks(each) and each.sign_off is None for each in cohort.work if each.folder.name in usable)


def _head(cohort: Cohort) -> Head:
    total = len(cohort.cases)
    failed, waiting = len(cohort.of_state("failed")), len(cohort.of_state("waiting"))
    to_review = _open(cohort)
    patients = len({each.patient for each in cohort.cases})
    told = [
        f"{counted(to_review, 'result asks', '')} for a look" if to_review == 1 else "",
        f"{to_review} results ask for a look" if to_review > 1 else "",
        f"{counted(failed, 'case')} failed" if failed else "",
        f"{counted(waiting, 'case')} not registered yet" if waiting else "",
    ]
    meaning = "; ".join(filter(None, told)) or "All are done, and none asks for a look"
    return Head(
        f"Cohort {cohort.folder.resolve().name}",
        [counted(total, "pullback"), counted(patients, "patient")],
        "review" if any(told) else "good",
        meaning + ".",
        notes=_notes(cohort),
    )


def _notes(cohort: Cohort) -> list[str]:
    notes = [*cohort.notes, *differing(cohort)]
    measured = {each.patient for each in cohort.cases if len(each.errors_by(cohort.method))}
    if 0 < len(measured) < FEW_PATIENTS:
        notes.append(
            f"Errors were measured in {counted(len(measured), 'patient')} only: with fewer than "
            f"{FEW_PATIENTS} the intervals are too narrow, and tests hardly find anything."
        )
    by_reader = sum(each.by_reader for each in cohort.of_state("done"))
    if by_reader:
        notes.append(
            f"Of {counted(by_reader, 'pullback')} errors are measured at the landmarks that a reader "
            "accepted or corrected. Readers saw the registration: these are no independent measurements."
        )
    rejected = [each.case_id for each in cohort.cases if each.review and each.review.decision == "rejected"]
    if rejected:
        notes.append(f"Rejected by a reader, and counted all the same: {', '.join(rejected)}.")
    if any(each.guides for each in cohort.cases):
        notes.append(
            "Some results were guided by landmarks. Fit residuals are not counted as errors; a landmark left "
            "out is measured on a path that the other landmarks guided, which no other method had."
        )
    return notes


def _cards(cohort: Cohort, found: Sequence[Spread]) -> list[Card]:
    done, broken = len(cohort.of_state("done")), len(cohort.of_state("broken"))
    decided = Counter(each.review.decision for each in cohort.cases if each.review and each.review.decision)
    signed = f"{decided.total()} signed off"
    if decided["rejected"]:
        signed += f", {decided['rejected']} of them rejected"
    failed, waiting = len(cohort.of_state("failed")), len(cohort.of_state("waiting"))
    others = [
        f"{broken} cannot be read" if broken else "",
        f"{waiting} not registered yet" if waiting else "",
    ]
    return [
        Card("done", f"{done} of {len(cohort.cases)}", "; ".join(filter(None, others))),
        Card("failed", str(failed), "reasons below" if failed else ""),
        Card("to review", str(_open(cohort)), signed),
        *(_error_card(each) for each in found if each.method == cohort.method),
        *([] if found else [Card("at landmarks", "not measured", _why_not_measured(cohort))]),
    ]


def _why_not_measured(cohort: Cohort) -> str:
    return "no case pairs a landmark" if cohort.of_state("done") else "no case is registered"


def _error_card(each: Spread) -> Card:
    digits = each.measure.digits
    interval = interval_text(each.median, digits).partition(" ")[2]
    where = f"{counted(each.sizes.values, 'landmark')} of {counted(each.sizes.clusters, 'patient')}"
    unit = "°" if each.measure.unit == "degrees" else f" {each.measure.unit}"
    return Card(
        f"median error, {each.measure.title}",
        f"{number(each.median.estimate, digits)}{unit}",
        f"95 % interval {interval}; {where}" if interval else where,
    )


def _triage_part(cohort: Cohort, shown: Sequence[Suspect]) -> Part:
    missing = len(cohort.of_state("failed", "waiting"))
    caption = (
        "Riskiest first: results that cannot be read, then by verdict; of these first those with an error of "
        "1 mm or more, then by the margin: how much more the next best placement would cost. On the left the "
        "vessel from its ostium (dot), in it the catheter, orange where it is not to be trusted; on the "
        "right the distance of the two lumens along the pullback, and as bars the errors at landmarks along "
        "the vessel, both up to 1 mm."
    )
    if not _open(cohort) and shown:
        caption = f"No result asks for a look; those that come nearest to it. {caption}"
    if missing:
        caption += f" {counted(missing, 'case')} without a result: see below."
    return Part("triage", "What to look at", caption)


def _comparison_parts(cohort: Cohort, found: Sequence[Spread]) -> list[Part]:
    if not found:
        return []
    compared = differences(cohort)
    caption = (
        "Absolute errors at landmarks: along the vessel in mm and in frames, about the catheter in degrees; "
        "bias is the mean signed error, found minus expected. Landmarks that guided a result count only "
        "where they were left out. Not met are landmarks that no frame's plane passes through. Intervals are "
        "95 % and draw whole patients."
    )
    if compared:
        caption += (
            " Differences are paired at the landmarks that both methods have measured, on means of patients; "
            "above zero the other method errs more. Hedges' g is the mean difference over its standard "
            "deviation. P values are two-sided, by Wilcoxon's signed-rank test, adjusted for the whole table."
        )
    if any(each.method not in cohort.methods for each in found):
        caption += (
            " After review: the result as its reader left it, at landmarks that the reader accepted and that "
            "did not guide it. Readers saw them, so these are no independent measurements."
        )
    tables = [spread_table(found), *([difference_table(compared, cohort.method)] if compared else [])]
    return [Part("comparison", "Errors and methods", caption, (), tables)]


def _figure_parts(cohort: Cohort, drawn: dict[str, str]) -> list[Part]:
    titles = dict(zip(NAMES, _FIGURE_TITLES, strict=True))
    return [
        Part(
            name,
            titles[name][0],
            titles[name][1],
            (uri,),
            (trust_table(trusts(cohort)),) if name == "confidence" else (),
        )
        for name, uri in drawn.items()
    ]


def _failure_part(cohort: Cohort) -> Part:
    caption = "Cases without a result that counts. The name leads to the log, where there is one."
    if cohort.of_state("waiting"):
        caption += " Where it is only segmented, to the page of that; another one may lie beside it."
    title = "Failures" if cohort.of_state("failed", "broken") else "Not registered yet"
    return Part("failures", title, caption)


def _cases_part() -> Part:
    caption = "In the manifest's order, with mean absolute errors. The name leads to the case's own page."
    return Part("cases", "All cases", caption)


_FIGURE_TITLES = (
    (
        "Errors by patient",
        "Mean absolute error of each patient by each method; lines join one patient, bars and the numbers "
        "below are medians over patients. Scales are logarithmic.",
    ),
    (
        "Agreement of frames",
        "Bland-Altman: found minus expected frame. Lines are the mean difference and the limits of agreement "
        "(mean ± 1.96 SD), which treat landmarks as independent, though those of a patient are not.",
    ),
    ("Cumulative errors", "Share of the landmarks whose absolute error is at or below each size."),
    (
        "Confidence",
        "Absolute errors against the standard deviations that the registration states for the annotated "
        "frame, of landmarks that did not guide. Right ones would hold 68 % within one and 95 % within two.",
    ),
)
_METHODS = "Made of what the results' own files say. Check it before it is printed."
_MADE = "Versions and settings; where cases differ, each value with the number of cases."
