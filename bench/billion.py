"""A sweep of 10^9 points to a Zarr dataset: seconds of evaluation and of writing, and peak memory.

The points are 1,000 bandwidths x 125 batches x 8,000 contexts of one model on one chip.

    python bench/billion.py FOLDER [--kill SECONDS]

With --kill the sweep is killed after so many seconds and run again, and the bytes of the two datasets are compared.
The folder needs about 4 GB, twice that with --kill.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

CODE = """
import json, resource, sys
import roofline
bandwidths = [f"{4 + i / 200} TB/s" for i in range(1000)]
seen = roofline.sweep(
    "b200",
    "llama-3.1-8b",
    batch=range(1, 126),
    context=range(1, 8001),
    vary={"hw.memory.0.bandwidth": bandwidths},
    output=sys.argv[1],
)
seen["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps(seen))
"""


def run(path: Path) -> dict[str, float]:
    """Sweep in a process of its own; return its times and peak memory."""
    found = subprocess.run([sys.executable, "-c", CODE, str(path)], check=True, capture_output=True, text=True)
    seen: dict[str, float] = json.loads(found.stdout)
    return seen


def digest(folder: Path) -> str:
    """Return a digest of every file of a folder."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found.update(str(path.relative_to(folder)).encode())
            with path.open("rb") as file:
                while part := file.read(1 << 24):
                    found.update(part)
    return found.hexdigest()


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kill", type=float)
    options = parser.parse_args()
    whole = options.folder / "whole.zarr"
    shutil.rmtree(whole, ignore_errors=True)
    seen = run(whole)
    speed = seen["points"] / seen["evaluation_seconds"] / 1e6
    print(f"evaluation {seen['evaluation_seconds']:.1f} s ({speed:.0f} M/s)")
    print(f"encoding and writing {seen['writing_seconds']:.1f} s")
    print(f"peak memory {seen['peak_bytes'] / 2**20:.0f} MiB")
    if options.kill:
        cut = options.folder / "cut.zarr"
        shutil.rmtree(cut, ignore_errors=True)
        process = subprocess.Popen([sys.executable, "-c", CODE, str(cut)], stdout=subprocess.DEVNULL)
        time.sleep(options.kill)
        process.send_signal(signal.SIGKILL)
        process.wait()
        journal = options.folder / ".cut.zarr.part" / "journal"
        print(f"killed with {len(journal.read_text().splitlines()) - 1} of 1,000 chunks done")
        run(cut)
        print("the same bytes" if digest(cut) == digest(whole) else "DIFFERENT BYTES")


if __name__ == "__main__":
    main()
