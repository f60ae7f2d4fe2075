"""Every figure behind an answer, grouped by where it comes from, for a report's list of sources."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from roofline import catalog
from roofline.report import spec
from roofline.report.record import Record
from roofline.report.table import Block


def blocks(hardware: Iterable[str], models: Iterable[str], engines: Iterable[str]) -> list[Block]:
    """Return one table per chip, model and engine: source, how sure, when read, and the figures it gave.

    Parameters
    ----------
    hardware, models, engines : iterable of str
        Names or paths.
    """
    found = []
    for name in dict.fromkeys(hardware):
        records = spec.hardware_records(name)
        found.append(Block(f"Chip {catalog.label('hardware', name)}", _HEADER, _rows(records)))
    for name in dict.fromkeys(models):
        model = catalog.model(name)
        row = [model.source or "-", model.kind or "-", model.checked or "-", f"architecture of {model.name}"]
        found.append(Block(f"Model {catalog.label('models', name)}", _HEADER, [row]))
    for name in dict.fromkeys(engines):
        found.append(Block(f"Engine {catalog.label('engines', name)}", _HEADER, _rows(spec.engine_records(name))))
    if found:
        found[-1].notes.append("Base units: B, B/s, FLOP/s, s, W, USD, USD/h; shares have none.")
    return found


_HEADER = ["source", "kind", "read", "figures"]


def _rows(records: Sequence[Record]) -> list[list[str]]:
    groups: dict[tuple[str, str, str], list[str]] = {}
    for r in records:
        key = (r.get("source", "-"), r.get("kind", "-"), r.get("checked", "-"))
        note = f" ({r['note']})" if "note" in r else ""
        groups.setdefault(key, []).append(f"{r['figure']} = {r['value']:.6g}{note}")
    return [[*key, "; ".join(figures)] for key, figures in groups.items()]
