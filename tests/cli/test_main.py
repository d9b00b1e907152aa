import os
import signal
import subprocess
import sys
import time

import pytest

from coreg.cli.main import status_of
from coreg.errors import InputError, RegistrationError

COMMANDS = ("demo", "init", "register", "validate", "phantom", "info")


def failing(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status"),
    [(InputError("case.toml: id: found 3"), 3), (RegistrationError("global start: no overlap"), 4)],
)
def test_failures_that_are_no_bugs_are_one_line(error, status, capsys):
    assert status_of(failing(error)) == status
    assert capsys.readouterr().err == f"coreg: {error}\n"


def test_a_bug_is_one_line_that_says_how_to_see_more(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["coreg", "info", "x"])
    assert status_of(failing(ZeroDivisionError("division by zero"))) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "ZeroDivisionError: division by zero" in err
    assert "-v" in err


def test_a_bug_shows_its_traceback_if_asked(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["coreg", "info", "x", "-v"])
    assert status_of(failing(ZeroDivisionError("division by zero"))) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(coreg, command):
    done = coreg(command, "--help")
    assert done.status == 0
    assert f"Example: coreg {command}" in done.out
    assert "research use only" in " ".join(done.out.split())
    for option in ("--seed", "--json", "--verbose", "--quiet"):
        assert option in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("segment",),
        ("register", "case.toml"),
        ("register", "case.toml", "--out", "x", "--method", "affine"),
        ("register", "case.toml", "--out", "x", "--method", "rigid", "--use-landmarks"),
        ("register", "case.toml", "--out", "x", "--device", "tpu"),
        ("register", "case.toml", "--out", "x", "--threads", "0"),
        ("demo", "--seed", "-1"),
    ],
)
def test_wrong_usage_is_status_2_without_traceback(coreg, arguments):
    done = coreg(*arguments)
    assert done.status == 2
    assert "Error:" in done.err
    assert "Traceback" not in done.err


def test_an_unknown_method_is_told_which_there_are(coreg):
    told = coreg("register", "c", "--out", "x", "--method", "affine").err
    for name in ("nonrigid", "rigid", "dtw", "dp", "bspline"):
        assert f"'{name}'" in told


def test_version_is_printed(coreg):
    assert coreg("--version").out.startswith("coreg 0.")


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys\nfrom coreg.cli.main import main\nsys.argv = ['coreg', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'torch', 'scipy', 'matplotlib', 'rich', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        seconds.append(time.perf_counter() - start)
        assert done.returncode == 0, done.stderr
    # A tenth of a second by itself; the promise is half a second, also on a busy machine.
    assert min(seconds) < 0.5


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_run_that_is_ended_says_so_by_its_status_and_leaves_nothing(tmp_path, number, status):
    process = subprocess.Popen(
        [sys.executable, "-c", "from coreg.cli.main import main; main()", "demo", "--out", "new/demo"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert "synthetic patient" in process.stderr.readline()
    time.sleep(0.3)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert ("interrupted" in err) == (status == 130)
    assert "Traceback" not in err
    assert not [each for each in tmp_path.rglob("*") if each.is_file()]


def ended_by(code, **options):
    """Run code as the command's work, in a process of its own."""
    start = "import signal, time, weakref\nfrom coreg.cli import main as cli\n"
    command = [sys.executable, "-c", f"{start}{code}\ncli.app = work\ncli.main()\n"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30, **options)


def test_an_end_that_comes_while_an_object_is_removed_is_not_lost():
    done = ended_by(
        "def work():\n"
        "    thing = set()\n"
        "    seen = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))\n"
        "    del thing\n"
        "    time.sleep(20)\n"
    )
    assert (done.returncode, done.stderr) == (143, "")


def test_a_terminal_that_is_closed_does_not_end_a_run_under_nohup():
    done = ended_by(
        "def work():\n    signal.raise_signal(signal.SIGHUP)\n",
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_handlers_of_the_caller_are_left_as_they_were(coreg):
    before = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    assert coreg("--version").status == 0
    assert (signal.getsignal(signal.SIGTERM), sys.unraisablehook) == before
