import subprocess

import pytest

from coreg.errors import InputError
from coreg_cohort.slurm import SlurmOptions, job_script, read_slurm_options

TOML = """
queue = "gpu"
account = "cardio"
walltime = "04:00:00"
cores = 4
memory = "24 GB"
gpus = 1
interface = "ib0"
directives = ["--qos=long", "--exclude=node7"]
commands = ["module load cuda", "source venv/bin/activate"]
"""


def read(tmp_path, text):
    path = tmp_path / "slurm.toml"
    path.write_text(text)
    return read_slurm_options(path)


def test_options_are_read(tmp_path):
    options = read(tmp_path, TOML)
    assert options.queue == "gpu"
    assert (options.cores, options.gpus, options.processes) == (4, 1, 1)
    assert options.directives == ("--qos=long", "--exclude=node7")


def test_an_empty_comment_leaves_the_defaults(tmp_path):
    assert read(tmp_path, "# nothing special here\n") == SlurmOptions()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('acount = "a"', r"slurm.toml: acount: found an unknown key \(did you mean account\?\)"),
        ("cores = 0", "cores: found 0, expected a whole number from 1"),
        ("cores = true", "cores: found True, expected a whole number"),
        ('gpus = "1"', "gpus: found '1', expected a whole number from 0"),
        ('walltime = "4 hours"', "walltime: found '4 hours', expected a time such as"),
        ('memory = "lots"', "memory: found 'lots', expected a size such as"),
        ('directives = "--qos=long"', "directives: found '--qos=long', expected a list of texts"),
        ('queue = "a\\nrm -r x"', "queue: found .*, expected a text of one line"),
        ("queue = ", "broken TOML"),
        ("cores = 2\nprocesses = 4", "processes: found 4 for 2 cores, expected no more than one to a core"),
    ],
)
def test_bad_options_are_refused(tmp_path, text, match):
    with pytest.raises(InputError, match=match):
        read(tmp_path, text)


def directives(script):
    return [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]


def worker_command(script):
    return next(line for line in script.splitlines() if "dask_worker" in line).split()


def test_a_cpu_job_asks_for_cores_and_memory_and_runs_a_case_to_a_process():
    script = job_script(SlurmOptions(queue="long", account="cardio", cores=8, processes=4, memory="32 GiB"))
    assert directives(script) == [
        "-J coreg-cohort",
        "-p long",
        "-A cardio",
        "-n 1",
        "--cpus-per-task=8",
        "--mem=32G",
        "-t 08:00:00",
    ]
    command = worker_command(script)
    assert command[command.index("--nthreads") + 1] == "1"
    assert command[command.index("--nworkers") + 1] == "4"


def test_a_gpu_job_asks_for_one_gpu_and_runs_one_case_at_a_time(tmp_path):
    script = job_script(read(tmp_path, TOML))
    assert "--gres=gpu:1" in directives(script)
    assert "--cpus-per-task=4" in directives(script)
    assert "--qos=long" in directives(script)
    lines = script.splitlines()
    assert lines.index("module load cuda") < lines.index(" ".join(worker_command(script)))
    command = worker_command(script)
    assert command[command.index("--nthreads") + 1] == "1"
    assert command[command.index("--interface") + 1] == "ib0"
    assert "--nworkers" not in command


def test_the_script_is_one_that_a_shell_can_read():
    checked = subprocess.run(["bash", "-n"], input=job_script(SlurmOptions(gpus=1)), text=True, check=False)
    assert checked.returncode == 0
