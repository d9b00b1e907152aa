"""The page of a comparison: a section per level and modality, in it the methods and the ablation."""

from __future__ import annotations

from collections.abc import Sequence

from compare_methods import METHODS, OURS
from compare_paired import compared, paired_table
from compare_results import CaseResult
from compare_tables import coverage_table, error_table, failure_table, trust_table

Groups = dict[str, list[CaseResult]]

PARTS = (("Methods", ("methods", "oracles")), ("Ablation", ("ablation",)))


def page(results: Sequence[CaseResult], *, about: str, made: str) -> str:
    """Write all results in Markdown.

    Parameters
    ----------
    results : sequence of CaseResult
        Of any levels, modalities and methods.
    about : str
        What comes first: how to read the tables.
    made : str
        With what the page was made.
    """
    parts = [about.strip(), made]
    for level, modality in dict.fromkeys((each.level, each.modality) for each in results):
        mine = [each for each in results if (each.level, each.modality) == (level, modality)]
        parts += [f"## {modality}, level {level}", _cohort(mine)]
        for heading, wanted in PARTS:
            groups = of_all(by_title(mine, wanted))
            if len(groups) > 1 or (groups and "methods" in wanted):
                parts += [f"### {heading}", *_fewer(groups, mine), *_tables(groups)]
    return "\n\n".join(parts) + "\n"


def by_title(results: Sequence[CaseResult], wanted: Sequence[str]) -> Groups:
    """Cases by the title of their method, in the registry's order: ours, and the groups that are wanted."""
    groups: Groups = {}
    for name, method in METHODS.items():
        mine = [each for each in results if each.method == name]
        if mine and (name == OURS or method.group in wanted):
            groups[method.title] = mine
    return groups


def of_all(groups: Groups) -> Groups:
    """Keep the cases that every method was run on: tables compare the same cases."""
    shared = (
        set.intersection(*({each.case for each in mine} for mine in groups.values())) if groups else set()
    )
    return {title: [each for each in mine if each.case in shared] for title, mine in groups.items()}


def _fewer(groups: Groups, results: Sequence[CaseResult]) -> list[str]:
    """Say on how many cases, where they are not all."""
    cases = {each.case for mine in groups.values() for each in mine}
    return [f"{len(cases)} of the cases."] if len(cases) < len({each.case for each in results}) else []


def _cohort(results: Sequence[CaseResult]) -> str:
    mine = [each for each in results if each.method == OURS]
    marks = sum(len(each.landmark_id) for each in mine)
    frames = sum(len(each.frames["frame"]) for each in mine)
    cases = dict.fromkeys(each.case for each in results)
    patients = {each.patient for each in results}
    first, last = next(iter(cases)), list(cases)[-1]
    return (
        f"{len(cases)} cases of {len(patients)} patients ({first} to {last}), {marks} landmarks, "
        f"{frames} frames."
    )


def _tables(groups: Groups) -> list[str]:
    """Tables with their captions; those with nothing to say are left out."""
    spread = "mean absolute error [95 % interval] / bias / median / 95th percentile / worst; in space no bias"
    ours = METHODS[OURS].title
    tables = (
        (f"Landmarks: {spread}.", error_table(groups, "landmarks")),
        (f"All frames: {spread}.", error_table(groups, "frames")),
        ("Failures, time and memory.", failure_table(groups)),
        (f"Mean absolute error minus that of *{ours}*, by patient.", paired_table(compared(groups, ours))),
        ("Frames that the method calls reliable, and its others: mean absolute error.", trust_table(groups)),
        ("Share of the frames within the stated uncertainty.", coverage_table(groups)),
    )
    return [f"{caption}\n\n{table}" for caption, table in tables if table]
