"""A cohort whose cases take a moment each; run as a program, so that it can be killed."""

import hashlib
import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

from coreg.errors import RegistrationError
from coreg.io.result_folder import replaced_folder
from coreg_cohort.plan import planned
from coreg_cohort.unattended import Together, Where, run_planned


def run_stages(case_path, out, case_id, seconds, stages, solved):
    """Write what depends on the case alone, a file now and a file later; or a segmentation alone."""
    folder = out / "cases" / case_id
    facts = {"ran": list(stages)}
    if "register" in stages:
        before = folder / "segmentation" / "segmentation.json"
        # A case that outlines all has nothing to segment.
        segmented = before.read_text() if "segment" not in stages and before.exists() else None
        facts |= register(case_path, out, case_id, seconds, segmented)
        facts["together"] = solved.read_text() if solved.exists() else ""
    elif "segment" in stages:
        with replaced_folder(folder, case_id) as made:
            segment(made, case_path, case_id)
    if "validate" in stages:
        facts["error_mm"] = int(hashlib.sha256(case_path.read_bytes()).hexdigest()[:4], 16) / 1e5
    return facts


def segment(folder, case_path, case_id):
    """Write what would be a segmentation."""
    (folder / "segmentation").mkdir()
    content = {"schema_version": 1, "case_id": case_id, "of": case_path.read_text()}
    (folder / "segmentation" / "segmentation.json").write_text(json.dumps(content))


def register_together(cases):
    """Leave a registration for each case, unless one of them breaks all."""
    texts = [case_path.read_text() for case_path, _ in cases]
    if any("breaks its batch" in each for each in texts):
        os.kill(os.getpid(), signal.SIGKILL)
    for case_path, solved in cases:
        solved.parent.mkdir(parents=True, exist_ok=True)
        solved.write_text(f"{case_path.parent.name} of {len(cases)}")
    return {"registered": len(cases)}


def register(case_path, out, case_id, seconds, segmented=None):
    """Write what would be a registration; ``segmented`` before, or now."""
    text = case_path.read_text()
    if "unmatched" in text:
        msg = "global start: the vessels have nothing in common"
        raise RegistrationError(msg)
    if "kills its worker" in text:
        os.kill(multiprocessing.parent_process().pid, signal.SIGKILL)
        time.sleep(30.0)
    if "hangs" in text:
        time.sleep(600.0)
    if "hungry" in text:
        # Not above: it is found only once a fixture has said where.
        from fake_work import take_memory

        take_memory(5.0)
    with replaced_folder(out / "cases" / case_id, case_id) as folder:
        if segmented is None:
            segment(folder, case_path, case_id)
        else:
            (folder / "segmentation").mkdir()
            (folder / "segmentation" / "segmentation.json").write_text(segmented)
        (folder / "registration.json").write_text(json.dumps({"schema_version": 1, "case_id": case_id}))
        time.sleep(seconds)
        digest = hashlib.sha256(text.encode()).hexdigest()
        (folder / "frames.csv").write_text(digest * 1000)
    return {"verdict": "good", "reasons": [], "landmarks": 1}


def run(manifest, out, *, seconds=0.05, workers=2, settings=None, version="1", batch=1, ended=None, **more):
    """Run what is to do; the plan and the records."""
    asked = {name: more.pop(name) for name in ("asked", "again") if name in more}
    plan = planned(manifest, out, settings or {}, version, **asked)
    together = Together(
        register_together,
        batch,
        lambda cases: ([(each.case_path, solved) for each, solved in cases],),
        lambda job, end: None if ended is None else ended.append((job.case_id, end.status)),
    )
    records = run_planned(
        plan,
        run_stages,
        lambda case, stages, solved: (case.case_path, out, case.case_id, seconds, stages, solved),
        Where(workers=workers, **more),
        version=version,
        together=together if batch > 1 else None,
    )
    return plan, records


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
