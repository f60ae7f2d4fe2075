"""Write calibration/intervals.toml and calibration/held_out.csv from errors on rows that no fit had seen.

    python bench/make_intervals.py DATA_FOLDER CONFIGURATIONS.jsonl CHIPS.jsonl [MODELS.jsonl SOURCES.jsonl]

The files are those of the folder that ``bench/fit_constants.py --held-out`` wrote:
log errors on configurations, and on whole chips, models and sources, that were left out of the fit.

An interval is the shortest range that held `LEVEL` of such errors in the finest group that has enough of them: chip,
engine and kind of FFN; engine and kind of FFN; chip and engine; engine; all. Where the chip was never fitted the errors
are those on left-out chips; where only the model was not, those on left-out models. Where neither chip nor engine was,
they are those of the constants before any fit, and no narrower than those on left-out chips.
Separate pools, and engines on another vendor's chips than those they were fitted on, take part in no fit, so that
today's constants have not seen them either.

Whether the intervals hold is measured on rows that neither the fit nor the interval has seen: the groups of rows are
divided in ten, and each tenth is held against the intervals of the other nine; chips are left out one by one.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]

from fit_constants import excluded, group_of, measured, sample, shape_of  # noqa: E402 (it chooses the priors, which the others must see)
from roofline import calibrate, catalog  # noqa: E402
from roofline.interval import NEW_MODEL, WORDS, cells, ffn_kind  # noqa: E402
from roofline.measurements import read_csv  # noqa: E402
from roofline.validate import QUESTIONS, SPATIAL_QUESTIONS, kind_of  # noqa: E402

#: Share of held-out errors inside a range: a little above nine in ten, because the shortest range of a finite sample is
#: a little too short for the next row.
LEVEL = 0.915
#: The same for chips and models that were left out: the rows of one err together, so that a new chip is further off
#: than a new row of the chips seen.
LEVEL_NEW = 0.97
#: A group of its own needs so many held-out rows.
ENOUGH = 30


@dataclass(frozen=True)
class Row:
    """A row left out of a fit: its class, where it ran, and ln(measured / predicted) of its time."""

    kind: str
    chip: str
    engine: str
    ffn: str
    model: str  # its shape
    source: str
    group: str
    error: float

    @property
    def question(self) -> str:
        return QUESTIONS.get(self.kind, "decode")

    def cells(self) -> list[str]:
        return cells(self.chip, self.engine, self.ffn, elsewhere=False)


def bounds(errors: list[float], level: float = LEVEL) -> tuple[float, float]:
    """Return the shortest range of factors on the predicted time that holds `level` of the errors, n + 1 in mind.

    It always holds the prediction itself.
    """
    ordered = sorted(errors)
    n = len(ordered)
    size = min(n, math.ceil(level * (n + 1)))
    low, high = min(
        ((ordered[i], ordered[i + size - 1]) for i in range(n - size + 1)), key=lambda ends: ends[1] - ends[0]
    )
    return round(math.exp(min(low, 0.0)), 3), round(math.exp(max(high, 0.0)), 3)


def table(found: Iterable[Row], enough: int = ENOUGH, level: float = LEVEL) -> dict[str, dict[str, tuple]]:
    """Return the factors of each question and group that has enough rows."""
    groups: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in found:
        for cell in row.cells():
            groups[row.question][cell].append(row.error)
    return {
        question: {cell: bounds(e, level) for cell, e in sorted(by.items()) if len(e) >= enough or cell == "any"}
        for question, by in groups.items()
    }


def read(path: str, known: dict[str, object]) -> list[Row]:
    """Return the rows of a file of residuals."""
    found = []
    for line in Path(path).read_text().splitlines():
        _, kind, chip, engine, model, name, error = json.loads(line)
        if name in known:
            m = known[name]
            found.append(Row(kind, chip, engine, _ffn(model), shape_of(m), m.source, str(group_of(m)), -error))
    return found


def _ffn(model: str) -> str:
    return ffn_kind(catalog.model(model))


def fitted(left_out: dict[str, list[Row]]) -> list[Row]:
    """Return the rows that calibrated intervals are made from: one's way to measure is often new as well."""
    return [row for what in ("configurations", "sources") for row in left_out.get(what, ())]


def predicted(found: list) -> list[Row]:
    """Return rows with the errors of the constants that are in force."""
    kept, _ = calibrate.usable(found)
    errors = [calibrate.log_error(m) for m in kept]
    return [
        Row(kind_of(m), m.hardware, m.engine, _ffn(m.model), shape_of(m), m.source, str(group_of(m)), -e)
        for m, e in zip(kept, errors, strict=True)
    ]


def coverage(rows: list[Row], by: str, others: list[Row]) -> dict[str, tuple[float, float]]:
    """Return, by kind of row, how many intervals made without a row's own group held, and their median factor.

    Parameters
    ----------
    rows : list of Row
        What is held against the intervals.
    by : str
        Attribute of a row that names its group; configurations are taken in ten parts.
    others : list of Row
        What the intervals are made from, less the group.
    """
    names = sorted({getattr(row, by) for row in rows})
    random.Random(3).shuffle(names)
    fold = {name: i % 10 if by == "group" else i for i, name in enumerate(names)}
    seen: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    level = LEVEL_NEW if by in ("chip", "model") else LEVEL
    for one in sorted(set(fold.values())):
        factors = table((row for row in others if fold.get(getattr(row, by)) != one), level=level)
        check(seen, [row for row in rows if fold[getattr(row, by)] == one], factors)
    return {kind: summary(pairs) for kind, pairs in seen.items()}


def check(seen: dict, rows: list[Row], factors: dict) -> None:
    for row in rows:
        group = factors.get(row.question)
        if group:
            low, high = next(group[cell] for cell in row.cells() if cell in group)
            seen[row.kind].append((low <= math.exp(row.error) <= high, math.sqrt(high / low)))


def summary(pairs: list[tuple[bool, float]]) -> tuple[float, float]:
    return sum(held for held, _ in pairs) / len(pairs), median(factor for _, factor in pairs)


def spatial(folder: Path) -> dict[str, tuple[float, float]]:
    """Return the factors of wafers without speculation, by question; an LPU is told as served."""
    rows = [
        m
        for m in read_csv(folder / "measurements_sram.csv")
        if m.hardware.startswith("wse") and m.spec_decode == "false"
    ]
    kept, _ = calibrate.usable(rows)
    found: dict[str, list[float]] = defaultdict(list)
    for m in kept:
        found[SPATIAL_QUESTIONS.get(m.mode, "decode")].append(-calibrate.log_error(m))
    return {question: bounds(errors) for question, errors in sorted(found.items())}


def shipped_constants() -> None:
    """Leave the priors: what follows is predicted with the constants that ship."""
    os.environ.pop("ROOFLINE_PATH", None)
    from roofline import row as rows

    for cached in (rows.system_of, catalog.class_defaults):
        cached.cache_clear()


def main() -> None:
    folder, files = Path(sys.argv[1]), dict(zip(("configurations", "chips", "models", "sources"), sys.argv[2:]))
    every = measured(folder)
    known = {m.id: m for m in every}
    left_out = {what: read(path, known) for what, path in files.items()}
    prior = predicted(sample([m for m in every if not excluded(m)], 3))
    shipped_constants()
    pools = [row for row in predicted([m for m in every if m.mode == "disagg"]) if "pools" in row.kind]
    young = predicted([m for m in every if m.mode != "disagg" and m.spec_decode == "false" and excluded(m)])

    rows = fitted(left_out)
    chips, engines = Counter(row.chip for row in rows), Counter(row.engine for row in rows)
    shapes = Counter(row.model for row in rows)
    vendors = {f"{row.engine} {catalog.hardware(row.chip).vendor}" for row in rows if engines[row.engine] >= 8}
    tables = {
        "calibrated": table(rows),
        NEW_MODEL: table(left_out["models"], level=LEVEL_NEW),
        "transferred": table(left_out["chips"], level=LEVEL_NEW),
        "spec-sheet": table(prior, sys.maxsize),
    }
    for question, factors in tables["spec-sheet"].items():
        far = tables["transferred"].get(question, factors)["any"]
        factors["any"] = (min(factors["any"][0], far[0]), max(factors["any"][1], far[1]))
    for word in tables:
        tables[word] |= table(pools, sys.maxsize)
    for question, factors in table(young, sys.maxsize).items():
        tables["transferred"].setdefault(question, {})["elsewhere"] = factors["any"]
    lines = [
        "# Made by bench/make_intervals.py; do not edit.",
        'note = "Factors on a predicted time: nine in ten held-out measured times lay between them."',
        f"chips = {json.dumps(sorted(name for name, n in chips.items() if n >= 8))}",
        f"engines = {json.dumps(sorted(name for name, n in engines.items() if n >= 8))}",
        f"engine_vendors = {json.dumps(sorted(vendors))}",
        f"shapes = {json.dumps(sorted(name for name, n in shapes.items() if n >= 8))}",
        "",
        "[spatial]",
        *(f"{question} = {list(pair)}" for question, pair in spatial(folder).items()),
    ]
    for question in dict.fromkeys(QUESTIONS.values()):
        for word in (*WORDS, NEW_MODEL):
            factors = tables[word].get(question) or tables["calibrated"][question]
            lines += ["", f"[{question}.{word}]", *(f'"{cell}" = {list(pair)}' for cell, pair in factors.items())]
    (ROOT / "calibration" / "intervals.toml").write_text("\n".join(lines) + "\n")
    write_held_out(left_out, pools)


def write_held_out(left_out: dict[str, list[Row]], pools: list[Row]) -> None:
    """Write calibration/held_out.csv: errors and interval coverage on what was left out, by kind of row."""
    found = ["left_out,kind,n,median_absolute_error,bias,interval_coverage,interval_factor"]
    by = {"configurations": "group", "chips": "chip", "models": "model", "sources": "source"}
    for what, rows in left_out.items():
        found += _lines(what, rows, coverage(rows, by[what], rows if what in ("chips", "models") else fitted(left_out)))
    found += _lines("never fitted", pools, coverage(pools, "group", pools))
    (ROOT / "calibration" / "held_out.csv").write_text("\n".join(found) + "\n")
    print("\n".join(found))


def _lines(what: str, rows: list[Row], held: dict[str, tuple[float, float]]) -> list[str]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.kind].append(row.error)
    lines = []
    for kind, errors in sorted(groups.items()):
        wrong, bias = median(abs(math.expm1(-e)) for e in errors), math.exp(-median(errors))
        # Where one group is all there is, nothing else can say how wide its interval should be.
        seen = ",".join(f"{value:.3f}" for value in held[kind]) if kind in held else ","
        lines.append(f'{what},"{kind}",{len(errors)},{wrong:.3f},{bias:.3f},{seen}')
    return lines


if __name__ == "__main__":
    main()
