"""Runs the command line in this process, as ``main`` would."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from coreg.cli import main as cli


@pytest.fixture
def coreg(monkeypatch, capsys):
    """Call with arguments; returns status, out, err, and data where out is JSON."""

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["coreg", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        out, err = capsys.readouterr()
        data = json.loads(out) if "--json" in arguments and out else None
        return SimpleNamespace(status=stop.value.code or 0, out=out, err=err, data=data)

    return run


@pytest.fixture(scope="session")
def sample():
    """The synthetic case that comes with the repository."""
    return Path(__file__).resolve().parents[2] / "sample_data" / "sample-OCT"


@pytest.fixture
def told(coreg):
    """Describe a file; returns the data for machines."""

    def told(path):
        done = coreg("info", path, "--json")
        assert done.status == 0, done.err
        return done.data

    return told
