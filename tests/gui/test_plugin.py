"""What napari and the command line call."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

for extra in ("psygnal", "qtpy", "napari"):
    pytest.importorskip(extra, reason="the viewer needs the gui extra: pip install coreg[gui]")
pytest.importorskip("pytestqt")

WAIT_MS = 60_000


@pytest.fixture
def viewer(qtbot):
    import napari

    viewer = napari.Viewer(show=True)
    yield viewer
    viewer.close()
    qtbot.wait(50)


def coreg(*words, **environment):
    """Run the command line without a screen."""
    clean = {
        k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    }
    command = [sys.executable, "-W", "ignore", "-c", "from coreg.cli.main import main; main()", *words]
    return subprocess.run(
        command, env=clean | environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_manifest_is_valid_and_names_what_is_there():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("coreg")
    for command in manifest.contributions.commands:
        module, name = command.python_name.split(":")
        assert hasattr(__import__(module, fromlist=[name]), name)


def test_napari_lets_plugins_into_every_menu_that_is_named():
    from napari._app_model.constants._menus import is_menu_contributable
    from npe2 import PluginManifest

    menus = PluginManifest.from_distribution("coreg").contributions.menus
    assert menus
    assert all(is_menu_contributable(name) for name in menus)


def test_only_what_coreg_writes_is_read(patient, result, tmp_path):
    from coreg_napari.plugin import reader_of

    (tmp_path / "pyproject.csv").write_text("a,b\n")
    (tmp_path / "empty").mkdir()
    assert reader_of(str(patient)) is not None
    assert reader_of(str(patient / "case.toml")) is not None
    assert reader_of(str(result)) is not None
    assert reader_of(str(result / "registration.json")) is not None
    assert reader_of(str(tmp_path / "pyproject.csv")) is None
    assert reader_of(str(tmp_path / "empty")) is None
    assert reader_of([str(patient), str(result)]) is None


def test_a_result_that_is_dropped_on_napari_is_opened(viewer, result, qtbot):
    from coreg_napari.desk import Desk

    viewer.open(str(result), plugin="coreg")
    desk = Desk.of(viewer)
    qtbot.waitUntil(lambda: desk.window is not None, timeout=WAIT_MS)
    assert desk.window.session.case.id == "sample-OCT"
    desk.window.close()


def test_the_sample_opens_from_the_menu_and_leaves_no_layer_behind(viewer, patient, qtbot, monkeypatch):
    import coreg_napari.sample
    from coreg_napari.desk import Desk
    from coreg_napari.plugin import PLACEHOLDER

    monkeypatch.setattr(coreg_napari.sample, "sample_case", lambda _tell: patient)
    viewer.open_sample("coreg", "sample-oct")
    desk = Desk.of(viewer)
    qtbot.waitUntil(lambda: desk.window is not None, timeout=WAIT_MS)
    assert desk.window.session.case.id == "sample-OCT"
    assert PLACEHOLDER not in viewer.layers
    desk.window.close()


def test_the_keys_are_listed(viewer, result, qtbot):
    from coreg_napari.desk import Desk

    desk = Desk.of(viewer)
    assert "Open a case first" in desk.keys_text()
    desk.open(result)
    qtbot.waitUntil(lambda: desk.window is not None, timeout=WAIT_MS)
    lines = desk.keys_text().splitlines()
    keys = [line.split("\t")[0] for line in lines]
    assert len(set(keys)) == len(keys)
    assert "S\tsave" in lines
    desk.window.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only X and Wayland can be absent")
def test_without_a_screen_the_command_says_what_to_do(result):
    done = coreg("view", str(result))
    assert done.returncode == 3
    assert "no screen" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_path_with_nothing_is_refused_before_anything_starts():
    done = coreg("view", "nowhere-at-all")
    assert done.returncode == 3
    assert "nowhere-at-all: found nothing" in done.stderr


def test_without_the_gui_extra_the_command_says_what_to_install(tmp_path):
    # A package of that name that cannot be imported stands in for one that is not installed.
    (tmp_path / "napari.py").write_text("raise ImportError('No module named napari', name='napari')\n")
    done = coreg("view", str(Path(__file__).parent), PYTHONPATH=str(tmp_path), DISPLAY=":nowhere")
    assert done.returncode == 3
    assert "pip install 'coreg[gui]'" in done.stderr


def test_the_tutorial_names_the_sample_as_the_menu_does():
    from npe2 import PluginManifest

    manifest = PluginManifest.from_distribution("coreg")
    (sample,) = manifest.contributions.sample_data
    text = " ".join((Path(__file__).parents[2] / "docs" / "tutorial-review.md").read_text().split())
    assert f"*File > Open Sample > {sample.display_name} ({manifest.name})*" in text
