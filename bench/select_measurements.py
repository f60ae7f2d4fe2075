"""Choose the measurements that ship with the package: a few of every configuration, from sources that may be copied.

    python bench/select_measurements.py DATA_FOLDER

Writes measurements/published.csv: at most 1,245 rows that cover chips, models, engines and modes. Sources whose pages
forbid copying, and figures that are recalled or second-hand, are left out by rule.
"""

from __future__ import annotations

import csv
import random
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST = 1245
#: Published under Apache-2.0, MIT or BSD licences, or as papers whose figures may be cited.
PREFIXES = ("infx", "aic", "trtv", "trtlat", "trtdsr1", "anl", "anlq", "xj", "spark", "gptfast", "gaudi", "step")
PREFIXES += ("dsinfra", "sglang", "vllmblog", "tpu", "sram-wl", "aws")


def main() -> None:
    folder = Path(sys.argv[1])
    columns: list[str] = []
    groups = defaultdict(list)
    for name in ("measurements.csv", "measurements_sram.csv", "step_times.csv"):
        with (folder / name).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                columns += [c for c in row if c not in columns]
                wafer = row["source"].startswith("WaferLLM")
                if not (row["id"].startswith(PREFIXES) or wafer) or not row["source"]:
                    continue
                if row["spec_decode"] != "false" or "recalled" in row["notes"] + row["source"]:
                    continue
                key = ("mode", "metric", "hardware", "engine", "model", "weight_precision")
                groups[tuple(row[k] for k in key)].append(row)
    shuffle = random.Random(0)
    for members in groups.values():
        shuffle.shuffle(members)
    chosen, depth = [], 0
    while len(chosen) < MOST and depth < 20:
        layer = [members[depth] for members in groups.values() if len(members) > depth]
        shuffle.shuffle(layer)
        chosen += layer[: MOST - len(chosen)]
        depth += 1
    drop = {"gemm_ms", "attn_ms", "moe_ms", "comm_ms", "other_ms"}
    out = ROOT / "measurements" / "published.csv"
    with out.open("w", newline="", encoding="utf-8") as file:
        names = [c for c in columns if c not in drop]
        writer = csv.DictWriter(file, names, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(sorted(chosen, key=lambda r: r["id"]))
    print(f"{len(chosen)} rows of {len(groups)} groups in {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
