"""The methods that are compared, by name: each takes a case, and its exact poses if it is an oracle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from compare_ablation import ABLATIONS, Ablation
from compare_oracles import from_true_poses, from_true_start, true_rigid

from coreg.case import Case
from coreg.catheter_path import VirtualCatheterPath
from coreg.registration import register
from coreg.registration.baselines import REASONS
from coreg.registration.register import Method as RegisterMethod
from coreg.report.methods import method_title
from coreg.result import Registration

Run = Callable[[Case, VirtualCatheterPath | None], Registration]
Group = Literal["methods", "oracles", "ablation"]

OURS = "nonrigid"


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes
    ----------
    title : str
        In tables.
    group : str
        methods, oracles (they know the truth) or ablation (ours with one thing changed).
    run : callable
        Takes a case and its exact poses, which only oracles look at.
    """

    title: str
    group: Group
    run: Run


def _registered(method: RegisterMethod, case: Case, _truth: VirtualCatheterPath | None) -> Registration:
    return register(case, method=method)


def _ablated(ablation: Ablation, case: Case, _truth: VirtualCatheterPath | None) -> Registration:
    return ablation.run(case)


def _methods() -> dict[str, Method]:
    """All that `register` offers, the oracles and the ablations."""
    found = {
        name: Method(method_title(name), "methods", partial(_registered, name))
        for name in get_args(RegisterMethod)
    }
    for name in (OURS, *REASONS):
        title = f"{method_title(name)}, true start"
        found[f"true-start-{name}"] = Method(title, "oracles", partial(from_true_start, name))
    found["true-rigid"] = Method("true straight lines", "oracles", true_rigid)
    found["true-poses"] = Method("coreg, refined from the true poses", "oracles", from_true_poses)
    for each in ABLATIONS:
        found[each.name] = Method(each.title, "ablation", partial(_ablated, each))
    return found


METHODS = _methods()


def chosen(text: str) -> tuple[str, ...]:
    """Names of methods from a list of names and groups; ours, which all are compared with, comes first.

    Raises
    ------
    ValueError
        If a name is neither.
    """
    names = [OURS]
    for part in text.split(","):
        group = [name for name, method in METHODS.items() if method.group == part]
        if not group and part not in METHODS:
            msg = f"found {part!r}, expected some of methods, oracles, ablation, {', '.join(METHODS)}"
            raise ValueError(msg)
        names += group or [part]
    return tuple(dict.fromkeys(names))
