"""The snippets of README and docs run as they stand, one page after the other in one folder each."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "README.md",
    "docs/tutorial.md",
    "docs/how-to/read-frames.md",
    "docs/how-to/label-stacks.md",
    "docs/how-to/segment-pullback.md",
)


def snippets(page):
    return re.findall(
        r"^```(sh|python)\n(.*?)^```", (ROOT / page).read_text(), flags=re.DOTALL | re.MULTILINE
    )


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_snippets_run(coreg, monkeypatch, tmp_path, page):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "sample_data", "sample_data")
    shutil.copy("sample_data/sample-OCT/ccta_lumen.nii.gz", "ccta_lumen.nii.gz")
    if page.endswith("read-frames.md"):
        assert coreg("register", "sample_data/sample-OCT", "--out", "result").status == 0
    ran = 0
    for language, text in snippets(page):
        if language == "python":
            exec(compile(text, page, "exec"), {})  # noqa: S102 - our own pages
            ran += 1
            continue
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["coreg"] and "FILES..." not in words:
                done = coreg(*words[1:])
                assert done.status == 0, f"{line}: {done.err}"
                ran += 1
    assert ran >= 2


@pytest.mark.parametrize(
    "page", sorted(str(each.relative_to(ROOT)) for each in (ROOT / "docs").rglob("*.md"))
)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text()):
        if not target.startswith("http"):
            assert (ROOT / page).parent.joinpath(target).exists(), f"{page} links to {target}"


def test_pages_say_what_they_are_for():
    for page in ("README.md", "docs/README.md", "docs/tutorial.md", "docs/reference/outputs.md"):
        assert "research use only" in (ROOT / page).read_text()
