"""Methods compared on a cohort's landmarks: sizes of errors by method, and paired differences.

Values of one patient err together: intervals draw whole patients, tests are on means of patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coreg.report.methods import method_title
from coreg.report.tables import DASH, Table, interval_text, number, p_text
from coreg.validation import (
    Interval,
    PairedDifference,
    Summary,
    holm,
    mean_interval,
    median_interval,
    paired_difference,
    share_within,
    summary,
)
from coreg_cohort.measured_case import REVIEWED, Cohort, MeasuredCase, pooled

FloatArray = npt.NDArray[np.float64]

# Of the draws of the bootstrap, so that the same folder gives the same report.
SEED = 0


@dataclass(frozen=True)
class Measure:
    """One kind of error: its column, what it is, its unit, how many digits tell."""

    column: str
    title: str
    unit: str
    digits: int
    sd: str = ""


MEASURES = (
    Measure("error_mm", "along the vessel", "mm", 2, sd="sd_mm"),
    Measure("error_frames", "along the pullback", "frames", 1),
    Measure("error_deg", "rotation", "degrees", 1, sd="sd_deg"),
)


@dataclass(frozen=True)
class Spread:
    """Errors of one method in one measure.

    Attributes
    ----------
    method : str
        Its name, or "after review".
    measure : Measure
        Which.
    sizes : Summary
        Of the errors.
    mean, median, bias : Interval
        Mean and median absolute error, and mean signed error, with intervals clustered by patient.
    """

    method: str
    measure: Measure
    sizes: Summary
    mean: Interval
    median: Interval
    bias: Interval


@dataclass(frozen=True)
class Difference:
    """One method minus that of the results, at the landmarks that both have measured.

    Attributes
    ----------
    method : str
        The other one.
    measure : Measure
        Which.
    landmarks : int
        How many.
    paired : PairedDifference
        Of absolute errors, on means of patients.
    p_value : float
        Adjusted by Holm for all tests of the report.
    """

    method: str
    measure: Measure
    landmarks: int
    paired: PairedDifference
    p_value: float


@dataclass(frozen=True)
class Trust:
    """Stated standard deviations against errors: what share is within one and two of them."""

    measure: Measure
    landmarks: int
    median_sd: float
    within_1: Interval
    within_2: Interval


def spreads(cohort: Cohort) -> list[Spread]:
    """Summarise the errors of every method in every measure; of those after review too."""
    reviewed = [REVIEWED] if any(len(each.errors_by(REVIEWED)) for each in cohort.cases) else []
    return [
        spread(cohort.cases, method, measure)
        for method in (*cohort.methods, *reviewed)
        for measure in MEASURES
    ]


def spread(cases: Sequence[MeasuredCase], method: str, measure: Measure) -> Spread:
    """Summarise the errors of one method in one measure."""
    values, patients = pooled(cases, method, measure.column)
    return Spread(
        method,
        measure,
        summary(values, patients),
        mean_interval(np.abs(values), patients, seed=SEED),
        median_interval(np.abs(values), patients, seed=SEED),
        mean_interval(values, patients, seed=SEED),
    )


def differences(cohort: Cohort) -> list[Difference]:
    """Compare every other method with that of the results, in every measure."""
    pairs = [(name, measure) for name in cohort.methods if name != cohort.method for measure in MEASURES]
    found = [_paired(cohort, name, measure.column) for name, measure in pairs]
    adjusted = holm([each.p_value for _, each in found])
    return [
        Difference(name, measure, count, each, float(p))
        for (name, measure), (count, each), p in zip(pairs, found, adjusted, strict=True)
    ]


def _paired(cohort: Cohort, method: str, column: str) -> tuple[int, PairedDifference]:
    theirs, ours, patients = [np.zeros(0)], [np.zeros(0)], [np.zeros(0, dtype=str)]
    for case in cohort.cases:
        one, other = case.errors_by(method), case.errors_by(cohort.method)
        _, at, mine = np.intersect1d(
            np.array(one.id, dtype=str), np.array(other.id, dtype=str), return_indices=True
        )
        theirs.append(np.abs(getattr(one, column)[at]))
        ours.append(np.abs(getattr(other, column)[mine]))
        patients.append(np.full(len(at), case.patient))
    first, second = np.concatenate(theirs), np.concatenate(ours)
    both = int(np.isfinite(first - second).sum())
    return both, paired_difference(first, second, np.concatenate(patients), seed=SEED)


def trusts(cohort: Cohort) -> list[Trust]:
    """Hold the standard deviations that the results state against their errors; empty if they state none."""
    found = []
    for measure in MEASURES:
        if not measure.sd:
            continue
        error, patients = pooled(cohort.cases, cohort.method, measure.column)
        sd, _ = pooled(cohort.cases, cohort.method, measure.sd)
        known = np.isfinite(error) & np.isfinite(sd)
        if known.any():
            shares = [share_within(error, sd, patients, times=k, seed=SEED) for k in (1.0, 2.0)]
            found.append(Trust(measure, int(known.sum()), float(np.median(sd[known])), *shares))
    return found


def title_of(method: str) -> str:
    """Name a method in tables and figures."""
    return REVIEWED if method == REVIEWED else method_title(method)


def spread_table(found: Sequence[Spread]) -> Table:
    """Write the errors of all methods, a row per measure, named by its unit, and method."""
    header = [
        *("error in", "method", "landmarks", "patients", "mean [95 %]", "SD", "median [95 %]"),
        *("quartiles", "95th percentile", "bias [95 %]", "not met"),
    ]
    ordered = sorted(found, key=lambda each: MEASURES.index(each.measure))
    return Table(header, [_spread_row(each) for each in ordered], words=(0, 1))


def _spread_row(each: Spread) -> list[str]:
    digits, sizes = each.measure.digits, each.sizes
    quartiles = f"{number(sizes.quartile_1, digits)} to {number(sizes.quartile_3, digits)}"
    return [
        each.measure.unit,
        title_of(each.method),
        str(sizes.values),
        str(sizes.clusters),
        interval_text(each.mean, digits),
        number(sizes.sd, digits),
        interval_text(each.median, digits),
        quartiles if sizes.values else DASH,
        number(sizes.percentile_95, digits),
        interval_text(each.bias, digits, signed=True),
        str(sizes.missing),
    ]


def difference_table(found: Sequence[Difference], ours: str) -> Table:
    """Write paired differences, a row per measure and other method."""
    header = [
        *("error in", "method", "landmarks", "patients", f"more than {title_of(ours)} [95 %]"),
        *("Hedges' g [95 %]", "patients with more", "P (Wilcoxon, Holm)"),
    ]
    ordered = sorted(found, key=lambda each: MEASURES.index(each.measure))
    return Table(header, [_difference_row(each) for each in ordered], words=(0, 1))


def _difference_row(each: Difference) -> list[str]:
    paired = each.paired
    return [
        each.measure.unit,
        title_of(each.method),
        str(each.landmarks),
        str(paired.clusters),
        interval_text(paired.difference, each.measure.digits, signed=True),
        interval_text(paired.effect, signed=True),
        f"{paired.higher} of {paired.clusters}",
        p_text(each.p_value),
    ]


def trust_table(found: Sequence[Trust]) -> Table:
    """Write how far stated standard deviations can be trusted."""
    header = ("error", "landmarks", "median SD", "within 1 SD [95 %]", "within 2 SD [95 %]")
    rows = [
        [
            f"{each.measure.title} ({each.measure.unit})",
            str(each.landmarks),
            number(each.median_sd, each.measure.digits),
            interval_text(each.within_1),
            interval_text(each.within_2),
        ]
        for each in found
    ]
    return Table(header, rows)
