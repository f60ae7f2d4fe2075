"""What `plot` and every `--plot` share: check first, then draw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from roofline.report.record import Record
from roofline.resolve import Request


def ready(path: Path | None, *, overwrite: bool) -> None:
    """Check before the work that a chart can be drawn to a file, where one is asked for."""
    if path is not None:
        from roofline.report.charts import render

        render.ready(path, overwrite=overwrite)


def draw(
    kind: str,
    records: Sequence[Record],
    path: Path | None,
    requests: Sequence[Request] = (),
    size: tuple[int, int] = (560, 360),
) -> None:
    """Draw records to a file, where one is asked for, and say so on stderr."""
    if path is None:
        return
    from roofline.report import charts
    from roofline.report.charts import render, sources

    told = [f"What if: {', '.join(requests[0].set)}."] if requests and requests[0].set else []
    told += [f"Note: {text}." for text in dict.fromkeys(w for r in records for w in r.get("warnings", ()))]
    chart = charts.spec(kind, records, notes=told, sources=sources.of(requests), width=size[0], height=size[1])
    render.save(chart, path)
    click.echo(f"wrote {path}", err=True)
