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
from coreg_cohort.unattended import Where, planned, run_planned


def register(case_path, out, case_id, seconds):
    """Write what depends on the case alone, a file now and a file later."""
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
        (folder / "registration.json").write_text(json.dumps({"case_id": case_id}))
        time.sleep(seconds)
        digest = hashlib.sha256(text.encode()).hexdigest()
        (folder / "frames.csv").write_text(digest * 1000)
    return {"verdict": "good", "reasons": [], "landmarks": 1, "error_mm": int(digest[:4], 16) / 1e5}


def run(manifest, out, *, seconds=0.05, workers=2, settings=None, version="1", **limits):
    """Run what is to do; the plan and the records."""
    plan = planned(manifest, out, settings or {}, version)
    where = Where(workers=workers, **limits)
    records = run_planned(
        plan, register, lambda case: (case.case_path, out, case.case_id, seconds), where, version=version
    )
    return plan, records


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
