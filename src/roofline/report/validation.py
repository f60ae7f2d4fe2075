"""Tables and files of a validation."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from roofline.report import files
from roofline.report.table import Block
from roofline.units import significant
from roofline.validate import Checked, skipped, summary, with_results

_HEADINGS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "n": ("rows", lambda v: f"{v:,}"),
    "median_absolute_error": ("median error", lambda v: f"{v:.1%}"),
    "mean_absolute_error": ("mean error", lambda v: f"{v:.1%}"),
    "bias": ("bias", lambda v: f"x{v:.2f}"),
    "within_20_percent": ("within 20 %", lambda v: f"{v:.0%}"),
    "interval_coverage": ("90 % interval holds", lambda v: f"{v:.0%}"),
    "interval_factor": ("interval x/÷", lambda v: f"{v:.2f}"),
}


def page(checked: Sequence[Checked], by: Sequence[str], worst: int) -> list[Block]:
    """Return the errors by group, what was skipped, and the worst rows."""
    records = [*summary(checked, by)]
    predicted = [one for one in checked if not one.skipped]
    if not predicted:
        return [Block("No row could be predicted", notes=[f"{n} rows: {reason}" for reason, n, _ in skipped(checked)])]
    total = summary(predicted, [])[0]
    header = [*by, *(title for title, _ in _HEADINGS.values())]
    rows = [
        [str(r[name]) for name in by] + [show(r[key]) if key in r else "-" for key, (_, show) in _HEADINGS.items()]
        for r in records
    ]
    rows.append(
        ["all", *[""] * (len(by) - 1), *(show(total[k]) if k in total else "-" for k, (_, show) in _HEADINGS.items())]
    )
    notes = ["error = |predicted / measured - 1|, bias = median of predicted / measured, each in the row's own metric"]
    blocks = [Block("", header, rows, notes)]
    reasons = skipped(checked)
    if reasons:
        count = sum(n for _, n, _ in reasons)
        lines = [[f"{n:,}", f"line {line}", reason] for reason, n, line in reasons]
        blocks.append(Block(f"{count:,} rows without a prediction", ["rows", "first on", "because"], lines))
    if worst:
        blocks.append(_worst(predicted, worst))
    return blocks


def _worst(predicted: Sequence[Checked], count: int) -> Block:
    chosen = sorted(predicted, key=lambda one: -max(one.ratio, 1 / one.ratio))[:count]
    rows = []
    for one in chosen:
        m = one.measurement
        shape = f"tp {m.tp or '-'}, batch {m.batch or '-'}, {m.isl or '-'}/{m.osl or '-'}"
        rows.append(
            [
                m.id or f"line {m.row}",
                m.hardware,
                m.engine,
                m.model,
                m.mode,
                m.metric,
                shape,
                significant(m.value),
                significant(one.predicted or 0),
                f"x{one.ratio:.2f}",
            ]
        )
    header = ["row", "chip", "engine", "model", "mode", "metric", "shape", "measured", "predicted", "ratio"]
    return Block("Worst rows", header, rows)


def write_rows(checked: Sequence[Checked], path: Path) -> None:
    """Write every row with its prediction as CSV; the file appears whole or not at all.

    Raises
    ------
    RooflineError
        If the file cannot be written.
    """
    records = [with_results(one) for one in checked]
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: "" if v is None else v for k, v in record.items()} for record in records)
    files.write(path, text.getvalue().encode())
