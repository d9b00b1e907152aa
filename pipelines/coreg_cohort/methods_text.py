"""How a cohort was registered and measured, in words that a paper can take, and with what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from coreg.io.registration_json import VERDICTS
from coreg.report.methods import method_title
from coreg.report.tables import Table, flat_table
from coreg.stretches import counted
from coreg.validation.cluster_bootstrap import RESAMPLES
from coreg_cohort.comparison import SEED
from coreg_cohort.measured_case import Cohort, MeasuredCase

# What of a registration's provenance differs by case in every cohort, or is no version.
_NOT_VERSIONS = ("inputs_sha256", "notes", "case_id", "command")
# What of the settings belongs to a case: its landmarks.
_OF_A_CASE = ("guides", "locked")
# For which pullbacks were excluded; a paper has no room for more.
MOST_REASONS = 6


def paragraphs(cohort: Cohort) -> list[str]:
    """Write the methods of a paper: the cohort, the registration, the measurements and the statistics."""
    return [
        _cohort_text(cohort),
        _registration_text(cohort),
        *_measuring_texts(cohort),
    ]


def _cohort_text(cohort: Cohort) -> str:
    done = cohort.of_state("done")
    text = f"{_who(cohort.cases)} {_were(len(cohort.cases))} to be registered to coronary CT angiography. "
    text += f"{_who(done)} {_were(len(done))} registered."
    excluded = cohort.of_state("failed", "broken")
    if excluded:
        reasons = Counter(map(_why, excluded)).most_common()
        listed = [f"{reason} (n = {count})" for reason, count in reasons[:MOST_REASONS]]
        others = sum(count for _, count in reasons[MOST_REASONS:])
        listed += [f"other reasons (n = {others})"] if others else []
        text += f" {counted(len(excluded), 'pullback')} {_were(len(excluded))} excluded: {'; '.join(listed)}."
    return text


def _why(case: MeasuredCase) -> str:
    if case.state == "broken":
        return "the result cannot be read"
    return "; ".join(case.reasons).rstrip(".")


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _who(cases: Sequence[MeasuredCase]) -> str:
    """Count pullbacks, and the vessels and patients they are of."""
    vessels = {(each.patient, each.vessel) for each in cases}
    patients = {each.patient for each in cases}
    parts = counted(len(vessels), "vessel"), counted(len(patients), "patient")
    return f"{counted(len(cases), 'pullback')} of {parts[0]} in {parts[1]}"


def _registration_text(cohort: Cohort) -> str:
    done = cohort.of_state("done")
    if not done:
        return "No pullback was registered."
    made = versions(cohort)
    with_what = ", ".join(
        f"{name} {made[name]}" for name in ("python", "numpy", "scipy", "torch", "SimpleITK") if name in made
    )
    settings = [each.settings for each in done]
    program, device = made.get("coreg", "of unknown version"), made.get("device", "an unknown device")
    methods = _values(method_title(each.method) for each in done)
    seeds = _values(_text(each.get("seed")) for each in settings)
    text = (
        f"Pullbacks were registered with coreg {program} (for research use only; {with_what}) on {device}; "
    )
    text += f"method: {methods}; seed {seeds}. "
    text += _sources(done)
    guided = [each for each in done if each.guides]
    if guided:
        marks = sum(len(each.guides) for each in guided)
        text += (
            f" {counted(marks, 'landmark')} guided the registration of {counted(len(guided), 'pullback')}."
        )
    else:
        text += " No landmark guided a registration."
    verdicts = Counter(each.verdict for each in done)
    found = ", ".join(f"{name} (n = {verdicts[name]})" for name in VERDICTS if verdicts[name])
    text += f" The program's own verdict was {found}."
    decided = Counter(each.review.decision for each in done if each.review and each.review.decision)
    if decided:
        text += (
            f" Readers {' and '.join(f'{name} {count}' for name, count in sorted(decided.items()))} of them."
        )
    return text


def _sources(cases: Sequence[MeasuredCase]) -> str:
    """Say where the lumens came from, as far as the files tell."""
    names = (("ccta_lumen", "CCTA"), ("pullback_lumen", "pullback"))
    told = [
        f"{what} {_values(_text(each.provenance[name]) for each in cases if name in each.provenance)}"
        for name, what in names
        if any(name in each.provenance for each in cases)
    ]
    return f"Where the lumen came from: {', '.join(told)}." if told else ""


def _measuring_texts(cohort: Cohort) -> list[str]:
    names = cohort.methods
    if not names:
        return ["No landmark was measured."]
    measured = [each for each in cohort.cases if len(each.errors_by(cohort.method))]
    marks = sum(len(each.errors_by(cohort.method)) for each in measured)
    text = f"Errors were measured at {counted(marks, 'landmark')} of {_who(measured)}, found minus expected: "
    text += "along the vessel as the withdrawal between the annotated frame and the frame whose plane passes "
    text += "through the landmark picked in the CCTA, and about the catheter as the angle between the two. "
    residuals = sum(len(each.residuals) for each in cohort.cases)
    if residuals:
        text += f"At {counted(residuals, 'landmark')} that guided a registration, the error is that of a "
        text += "registration without it where one was made; fit residuals are not counted. "
    by_reader = sum(each.by_reader for each in measured)
    if by_reader:
        text += (
            f"Of {counted(by_reader, 'pullback')} the landmarks were those that a reader of the registration "
        )
        text += "accepted or corrected. "
    others = [method_title(each) for each in names if each != cohort.method]
    if others:
        text += f"The same cases were registered by {' and by '.join(others)}. "
    statistics = (
        "Absolute errors are given as mean, SD, median, quartiles and 95th percentile, with the mean "
    )
    statistics += "signed error as bias; intervals are 95 % BCa bootstrap intervals of "
    statistics += f"{RESAMPLES} draws of whole patients (seed {SEED}). Agreement of frames is given by "
    statistics += (
        "Bland and Altman's limits (mean difference ± 1.96 SD), which treat landmarks as independent."
    )
    if others:
        statistics += " Methods were compared at the landmarks measured by both, on means of patients: mean "
        statistics += "difference and Hedges' g for paired values, with intervals as above, and two-sided "
        statistics += "Wilcoxon signed-rank tests, P values adjusted by Holm's method for all comparisons."
    return [text.strip(), statistics]


def versions(cohort: Cohort) -> dict[str, str]:
    """What the results were made with, by name; several values come with the number of cases of each."""
    done = cohort.of_state("done")
    names = dict.fromkeys(name for each in done for name in each.provenance if name not in _NOT_VERSIONS)
    return {
        name: _values(_text(each.provenance[name]) for each in done if name in each.provenance)
        for name in names
        if not any(isinstance(each.provenance.get(name), (Mapping, list)) for each in done)
    }


def version_table(cohort: Cohort) -> Table:
    """List what the results were made with."""
    return Table(
        ("made with", "value"), [list(each) for each in versions(cohort).items()], words=(0, 1), long=True
    )


def settings_table(cohort: Cohort) -> Table:
    """List all settings; where cases differ, all values with the number of cases of each."""
    tables = [flat_table(_shared(each.settings)) for each in cohort.of_state("done")]
    rows = [{row[0]: row[1] for row in table.rows} for table in tables]
    names = dict.fromkeys(name for each in rows for name in each)
    values = [[name, _values(each[name] for each in rows if name in each)] for name in names]
    return Table(("setting", "value"), values, words=(0, 1), long=True)


def _shared(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _OF_A_CASE}


def differing(cohort: Cohort) -> list[str]:
    """Name the versions in which cases of one cohort differ, which a reader of its numbers must know."""
    found = {name: value for name, value in versions(cohort).items() if "; " in value}
    return [f"Not all cases were made with the same {name}: {value}." for name, value in found.items()]


def _values(texts: Iterable[str]) -> str:
    """Write the one value of all cases, or each with its count."""
    counts = Counter(texts)
    if len(counts) == 1:
        return next(iter(counts))
    return "; ".join(f"{text} (n = {count})" for text, count in sorted(counts.items()))


def _text(value: Any) -> str:
    return "not stated" if value is None else str(value)
