"""How late this machine wakes a process that sleeps: no client and no server can be more punctual than that."""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

EVERY_NS = 5_000_000
SLEEPS = 400


def main() -> int:
    """Sleep on the core that is named, `SLEEPS` times to a moment; how late each ended, in nanoseconds."""
    if len(sys.argv) > 1:
        os.sched_setaffinity(0, {int(sys.argv[1])})
    with suppress(OSError):
        Path("/proc/self/timerslack_ns").write_text("1", encoding="ascii")  # Linux may else add 50 us
    due, late = time.monotonic_ns(), []
    for _ in range(SLEEPS):
        due += EVERY_NS
        time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
        late.append(time.monotonic_ns() - due)
    sys.stdout.write(json.dumps(sorted(late)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
