"""How fast a whole study is registered from raw images, and how fast one that is done is looked through.

    python benchmarks/cohort.py --out dev
    python benchmarks/cohort.py --cases 40 --workers 2 --keep study --out benchmarks

Makes synthetic patients of level typical with images of both modalities and no outlines, seeds from 20 on,
and runs ``coreg cohort run`` on all of them; then again on every fifth with one worker, each case having the
machine to itself. Then a finished case is copied a thousand times, and the same command, and the report, run
over it. Writes ``cohort.md``. Nothing else should run on the machine.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from arguments import folder, whole_number

from coreg import __version__
from coreg.cli.cohort_case import CohortSettings
from coreg_cohort.folder import cohort_folder
from coreg_cohort.plan import planned
from coreg_cohort.records import Record, read_records, write_record

FIRST_SEED, EVERY = 20, 5
# The start of the first worker costs what the start of forty does.
WANTED_SHARE, WANTED_LOOK_S, WANTED_REPORT_S = 0.85, 10.0, 60.0


@dataclass(frozen=True)
class Study:
    """What a run of a study took and left."""

    seconds: float
    status: int
    records: dict[str, Record]


def command(*words: object) -> tuple[float, int]:
    """Run coreg; how long it took, and its exit status."""
    start = time.perf_counter()
    program = Path(sys.executable).with_name("coreg")
    done = subprocess.run([str(program), *map(str, words)], check=False)
    return time.perf_counter() - start, done.returncode


def run_study(manifest: Path, out: Path, workers: int) -> Study:
    """Run a study into a new folder."""
    shutil.rmtree(out, ignore_errors=True)
    seconds, status = command("cohort", "run", manifest, "--out", out, "--workers", workers)
    return Study(seconds, status, read_records(out))


def some_cases(manifest: Path) -> Path:
    """Write a manifest of every fifth case beside that of all."""
    with manifest.open(newline="") as file:
        rows = list(csv.reader(file))
    path = manifest.with_name("some.csv")
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([rows[0], *rows[1::EVERY]])
    return path


def thousand(one: Path, place: Path, count: int) -> tuple[Path, Path]:
    """Make a finished study of one finished case, so many times; its manifest and its folder."""
    inputs, out = place / "cases", place / "study"
    record = next(iter(read_records(one / "study").values()))
    source, result = one / record.case_id, one / "study" / "cases" / record.case_id
    rows = [("case_id", "case")]
    for i in range(count):
        name = f"C{i:04d}"
        _copy_named(source, inputs / name, record.case_id, name, ("case.toml",))
        _copy_named(result, out / "cases" / name, record.case_id, name, ("registration.json",))
        rows.append((name, f"cases/{name}"))
    manifest = place / "manifest.csv"
    with manifest.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    # What has just been written is not remembered: another change might not show.
    time.sleep(3.0)
    _enter(manifest, out, record)
    return manifest, out


def _copy_named(source: Path, target: Path, old: str, new: str, files: tuple[str, ...]) -> None:
    """Link a folder's files into another, those that have the case's id in them written anew."""
    shutil.copytree(source, target, copy_function=os.link)
    for name in files:
        text = (target / name).read_text().replace(f'"{old}"', f'"{new}"')
        (target / name).unlink()
        (target / name).write_text(text)


def _enter(manifest: Path, out: Path, record: Record) -> None:
    """Enter each case as done with what its inputs are now."""
    results = out.rename(out.with_name("results"))
    with cohort_folder(out, []):
        pass
    (results / "cases").rename(out / "cases")
    results.rmdir()
    plan = planned(manifest, out, asdict(CohortSettings()), __version__)
    for name, now in plan.fingerprints.items():
        stages = {stage: each for stage, each in asdict(now).items() if each is not None}
        write_record(out, replace(record, case_id=name, fingerprints=stages))


def page(args: argparse.Namespace, all_of: Study, alone: Study, looked: tuple[float, float] | None) -> str:
    """Write what was found as a page."""
    done = {name: each for name, each in all_of.records.items() if each.status == "done"}
    single = statistics.mean(each.seconds for each in alone.records.values())
    share = single * len(all_of.records) / (all_of.seconds * args.workers)
    beside = statistics.mean(all_of.records[name].seconds for name in alone.records)
    memory = sorted(each.peak_memory_gb for each in all_of.records.values())
    verdicts = Counter(each.facts["verdict"] for each in done.values())
    lines = [
        "# A study's speed",
        "",
        f"Made by `python benchmarks/cohort.py --cases {args.cases} --workers {args.workers}`: synthetic "
        f"patients from raw images of both modalities, {os.cpu_count()} CPU cores, "
        f"Python {platform.python_version()}.",
        "",
        "| what | found | wanted |",
        "| --- | --- | --- |",
        f"| cases done | {len(done)} of {args.cases} | all |",
        f"| exit status | {all_of.status} | 0 |",
        f"| verdicts | {', '.join(f'{count} {name}' for name, count in sorted(verdicts.items()))} | |",
        f"| the whole command, report and all | {all_of.seconds / 60:.1f} min | |",
        f"| a case alone on the machine, mean of {len(alone.records)} | {single:.1f} s | |",
        f"| the same cases, {args.workers} at a time | {beside:.1f} s | |",
        f"| throughput, of {args.workers} x that of a case alone | {share:.0%} | {WANTED_SHARE:.0%} |",
        f"| most memory of a case: median | {statistics.median(memory):.1f} GB | |",
        f"| most memory of a case: highest | {memory[-1]:.1f} GB | |",
    ]
    if looked is not None:
        lines += [
            f"| {args.finished:,} finished cases: nothing to do "
            f"| {looked[0]:.1f} s | {WANTED_LOOK_S:.0f} s |",
            f"| their report | {looked[1]:.1f} s | {WANTED_REPORT_S:.0f} s |",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the patients, run the studies, write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=whole_number(EVERY), default=10)
    parser.add_argument("--workers", type=whole_number(1), default=2)
    parser.add_argument("--finished", type=whole_number(0), default=1000, help="0 leaves it out")
    parser.add_argument("--keep", type=folder, help="folder for patients and results, used again if there")
    parser.add_argument("--out", type=folder, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = args.keep or Path(scratch)
        patients = place / "patients"
        if not (patients / "manifest.csv").exists():
            wanted = ("--seed", FIRST_SEED, "--count", args.cases, "--images")
            command("phantom", *wanted, "--out", patients)
        all_of = run_study(patients / "manifest.csv", place / "study", args.workers)
        alone = run_study(some_cases(patients / "manifest.csv"), place / "alone", 1)
        looked = look_through(place, args.finished) if args.finished else None
    args.out.mkdir(parents=True, exist_ok=True)
    text = page(args, all_of, alone, looked)
    print(text)
    (args.out / "cohort.md").write_text(text, encoding="utf-8")


def look_through(place: Path, count: int) -> tuple[float, float]:
    """Seconds that a finished study takes to be looked through, and its report."""
    one = place / "one"
    shutil.rmtree(one, ignore_errors=True)
    command("phantom", "--seed", FIRST_SEED, "--out", one, "--quiet")
    command("cohort", "run", one / "manifest.csv", "--out", one / "study", "--quiet")
    many = place / "many"
    shutil.rmtree(many, ignore_errors=True)
    manifest, out = thousand(one, many, count)
    report, _ = command("cohort", "report", out, "--quiet")
    look, _ = command("cohort", "run", manifest, "--out", out, "--dry-run")
    return look, report


if __name__ == "__main__":
    main()
