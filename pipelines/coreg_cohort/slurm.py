"""How Slurm is asked for workers: options from a TOML file, and the job script they make."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from coreg.errors import InputError
from coreg.io.files import read_text, unusable
from coreg.io.tables import nearest_name

_WALLTIME = re.compile(r"\d+(-\d+)?(:\d\d){0,2}")
_MEMORY = re.compile(r"\d+(\.\d+)? ?[KMGT]i?B", re.IGNORECASE)


@dataclass(frozen=True)
class SlurmOptions:
    """What each Slurm job asks for.

    Attributes
    ----------
    queue, account : str, optional
        Partition and account; by default the site's.
    walltime : str
        Most time of a job, as Slurm writes it. A case that it cuts off runs again in another job.
    cores : int
        Of a job.
    memory : str
        Of a job, such as "16 GB".
    processes : int
        Cases that a job runs at a time.
    gpus : int
        Of a job.
    interface : str, optional
        Network interface by which jobs reach this machine, such as "ib0".
    directives : tuple of str
        Further lines for ``#SBATCH``, such as "--qos=long".
    commands : tuple of str
        Shell lines before the worker starts, such as "module load cuda".
    logs : str, optional
        Folder of the jobs' own output.
    """

    queue: str | None = None
    account: str | None = None
    walltime: str = "08:00:00"
    cores: int = 1
    memory: str = "8 GB"
    processes: int = 1
    gpus: int = 0
    interface: str | None = None
    directives: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    logs: str | None = None


def read_slurm_options(path: Path) -> SlurmOptions:
    """Read options from a TOML file with the attributes of `SlurmOptions` as keys.

    Raises
    ------
    InputError
        If it cannot be read, a key is unknown, or a value is of another kind or out of range.
    """
    try:
        content = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise unusable(path, "", found=f"broken TOML ({error})", expected="options for Slurm") from error
    known = [each.name for each in fields(SlurmOptions)]
    for name in content:
        if name not in known:
            raise _unknown(path, name, known)
    options = SlurmOptions(**{name: _checked(path, name, value) for name, value in content.items()})
    if options.processes > options.cores:
        found = f"{options.processes} for {options.cores} cores"
        raise unusable(path, "processes", found=found, expected="no more than one to a core")
    return options


def _unknown(path: Path, name: str, known: list[str]) -> InputError:
    near = nearest_name(name, known)
    found = "an unknown key" + (f" (did you mean {near}?)" if near else "")
    return unusable(path, name, found=found, expected=", ".join(known))


def _checked(path: Path, name: str, value: Any) -> Any:
    if name in ("directives", "commands"):
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            return tuple(value)
        expected = "a list of texts"
    elif name in ("cores", "processes", "gpus"):
        least = 0 if name == "gpus" else 1
        if type(value) is int and value >= least:
            return value
        expected = f"a whole number from {least}"
    else:
        pattern, expected = _TEXTS.get(name, (re.compile(r".+"), "a text of one line"))
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
    raise unusable(path, name, found=repr(value), expected=expected)


_TEXTS = {
    "walltime": (_WALLTIME, 'a time such as "08:00:00", "1-12:00:00" or minutes'),
    "memory": (_MEMORY, 'a size such as "16 GB"'),
}


def job_keywords(options: SlurmOptions) -> dict[str, Any]:
    """Translate options to what dask_jobqueue's SLURM classes take."""
    gpus = [f"--gres=gpu:{options.gpus}"] if options.gpus else []
    return {
        "queue": options.queue,
        "account": options.account,
        "walltime": options.walltime,
        # Dask would run a case on each core; libraries use the others.
        "cores": options.processes,
        "processes": options.processes,
        "job_cpu": options.cores,
        "memory": options.memory,
        "interface": options.interface,
        "job_extra_directives": [*gpus, *options.directives],
        "job_script_prologue": list(options.commands),
        "log_directory": options.logs,
        "job_name": "coreg-cohort",
    }


def job_script(options: SlurmOptions) -> str:
    """Return the script that would be handed to sbatch; the scheduler's address is filled in then.

    No cluster is needed.
    """
    from dask_jobqueue.slurm import SLURMJob

    keywords = job_keywords(options) | {"log_directory": None}
    job = SLURMJob(scheduler="tcp://ADDRESS:PORT", name="NAME", **keywords)
    script: str = job.job_script()
    return script
