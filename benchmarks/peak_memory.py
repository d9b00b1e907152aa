"""Run a command; print its seconds and its peak memory in GB as the last line.

    python benchmarks/peak_memory.py COMMAND ARGUMENTS...

A process begins with the peak of the one that started it, so this one is small and imports nothing large.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time


def main() -> None:
    """Run the command and wait for it."""
    begin = time.perf_counter()
    # The command comes from the benchmark itself, and no shell reads it.
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    print(f"{seconds:.3f} {usage.ru_maxrss / 1e6:.3f}")
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
