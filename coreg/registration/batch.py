"""Many cases at once: their paths are refined together, in one torch program."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial

import torch

from coreg.case import Case
from coreg.registration.coarse_to_fine import Progress, Subject, searched
from coreg.registration.each_case import Each, in_threads, or_error
from coreg.registration.register import at_once, rigid_start, silent, torch_device
from coreg.registration.resolve import finished, one_torch_thread
from coreg.registration.scene import prepare_scene
from coreg.registration.search import Candidates
from coreg.result import Registration
from coreg.settings import RegistrationSettings

# On a CPU each case of a batch takes some 0.15 GB in all. A core is busy with one case's paths, and its cache
# holds no more; a GPU is not.
TOGETHER = {"cuda": 64, "cpu": 1}


def register_many(
    cases: Sequence[Case],
    *,
    settings: RegistrationSettings | Sequence[RegistrationSettings] | None = None,
    device: str = "auto",
    threads: int = 1,
    together: int | None = None,
    progress: Progress | None = None,
) -> list[Registration | Exception]:
    """Place many pullbacks in their CCTAs by the nonrigid method, without guides.

    Every case gets the result that `register` gives it, but for rounding.

    Parameters
    ----------
    cases : sequence of Case
        They may differ in length, modality and everything else.
    settings : RegistrationSettings or sequence of RegistrationSettings, optional
        Of all cases, or one of each case.
    device : str
        ``auto`` takes a CUDA device where there is one; ``cpu``; ``cuda``.
    threads : int
        That prepare cases and judge results beside each other, which is not torch's work.
    together : int
        How many cases are refined as one batch; memory grows with it. By default 64 on a CUDA device and
        1 on a CPU, which gains nothing from more.
    progress : callable, optional
        Takes a stage's name and the share of all work that is done.

    Returns
    -------
    list of Registration or Exception
        One of each case, in order. A case that cannot be registered has its error here instead, such as
        `InputError` or `RegistrationError`; the others go on without it. Where a batch itself ends in an
        error, such as for want of memory, its cases are registered one by one, with a warning that says why.

    Raises
    ------
    ValueError
        If there is no such device, ``together`` is not positive, or settings and cases differ in number.

    Examples
    --------
    >>> register_many([])
    []
    """
    where, tell = torch_device(device), progress or silent
    together = TOGETHER[where.type] if together is None else together
    if together < 1:
        msg = f"together: {together} cases cannot be refined as one batch; expected 1 or more"
        raise ValueError(msg)
    wanted = _settings_of_each(settings, len(cases))
    outcomes: dict[int, Registration | Exception] = {}
    # Alike in length, cases need little padding.
    order = sorted(range(len(cases)), key=lambda i: cases[i].pullback.length_mm)
    with one_torch_thread(), in_threads(threads) as each:
        for begin in range(0, len(order), together):
            chunk = order[begin : begin + together]
            share = partial(_share, tell, begin / len(order), len(chunk) / len(order))
            parts = [(cases[i], wanted[i]) for i in chunk]
            outcomes.update(zip(chunk, _registered(parts, where, share, each), strict=True))
    return [outcomes[i] for i in range(len(cases))]


def _settings_of_each(
    settings: RegistrationSettings | Sequence[RegistrationSettings] | None, count: int
) -> list[RegistrationSettings]:
    if settings is None or isinstance(settings, RegistrationSettings):
        return [settings or RegistrationSettings()] * count
    if len(settings) != count:
        msg = f"settings: {len(settings)} for {count} cases; expected one of each case, or one of all"
        raise ValueError(msg)
    return list(settings)


def _share(tell: Progress, begin: float, size: float, stage: str, share: float) -> None:
    tell(stage, begin + size * share)


def _registered(
    parts: Sequence[tuple[Case, RegistrationSettings]], device: torch.device, tell: Progress, each: Each
) -> list[Registration | Exception]:
    tell("CCTA: centerlines and lumens", 0.0)
    prepared = list(each(or_error(partial(_subject, device)), parts))
    subjects = [one for one in prepared if isinstance(one, Subject)]
    stages = _searched(subjects, tell, each)
    judged = iter(each(or_error(_judged), zip(subjects, stages, strict=True)))
    return [one if isinstance(one, Exception) else next(judged) for one in prepared]


def _subject(device: torch.device, part: tuple[Case, RegistrationSettings]) -> Subject:
    case, settings = part
    scene = prepare_scene(case, settings, device)
    return Subject(scene, scene.seen, rigid_start(scene))


def _searched(
    subjects: Sequence[Subject], tell: Progress, each: Each
) -> list[dict[str, Candidates] | Exception]:
    """Search all cases as one batch; where that ends in an error, each for itself, so that one has it."""
    try:
        return list(searched(subjects, tell=tell, beside=at_once, each=each))
    except Exception as error:  # the caller finds it in the case's place: a bug must not end a run of hours
        if len(subjects) == 1:
            return [error]
        # Told, since results are the same: a batch that never works would show in nothing else.
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(f"a batch of {len(subjects)} cases ended in {what}; now one by one", stacklevel=2)
        return [stages for one in subjects for stages in _searched([one], silent, each)]


def _judged(part: tuple[Subject, dict[str, Candidates] | Exception]) -> Registration:
    subject, stages = part
    if isinstance(stages, Exception):
        raise stages
    return finished(subject.scene, subject.rigid, stages, ()).registration
