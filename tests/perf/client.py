"""One client in a process of its own, pinned to its core: a job as JSON in, what it saw as JSON out."""

import importlib
import os
import sys
from dataclasses import replace
from pathlib import Path

from job import Said, job_of

STATUS = Path("/proc/self/status")


def main() -> int:
    """Run the job in the first argument; only the libraries of the client that it names are loaded."""
    job = job_of(sys.argv[1])
    if job.core is not None:
        os.sched_setaffinity(0, {job.core})
    said: Said = importlib.import_module(f"client_{job.client}").run(job)
    sys.stdout.write(replace(said, peak_rss=peak_rss()).to_json())
    return 0


def peak_rss() -> int | None:
    """Bytes, from VmHWM: ru_maxrss would begin with what the parent had at the fork."""
    if not STATUS.exists():
        return None
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


if __name__ == "__main__":
    sys.exit(main())
