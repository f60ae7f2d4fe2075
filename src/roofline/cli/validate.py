"""`roofline validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline.cli import chart
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.errors import RooflineError


@click.command("validate")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--by", default="kind", show_default=True, help="Columns that make a group, e.g. hardware,engine.")
@click.option("--rows", type=click.Path(path_type=Path), help="Write every row with its prediction to this CSV file.")
@click.option("--page", type=click.Path(path_type=Path), help="Write the accuracy page (Markdown) to this file.")
@click.option("--worst", default=0, show_default=True, help="Also list so many of the worst rows.")
@shared.plot_option
@shared.overwrite_option
@click.option(
    "--format",
    type=click.Choice(["table", "json", "jsonl", "csv", "md", "parquet"]),
    default="table",
    show_default=True,
    help="Table for people; the rest are flat records.",
)
def validate_command(
    file: Path | None,
    by: str,
    rows: Path | None,
    page: Path | None,
    worst: int,
    plot: Path | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Predictions against published or own measurements: error, bias and interval coverage by group.

    FILE is a CSV file with the columns of measurements/*.csv; without it the measurements that come with the package
    are replayed. A row that cannot be predicted is counted with its reason.

    \b
    roofline validate
    roofline validate my_benchmarks.csv --by hardware,engine --rows out.csv
    """
    from roofline import validate
    from roofline.measurements import read_csv
    from roofline.report import validation

    chart.ready(plot, overwrite=overwrite)
    columns = [name.strip() for name in by.split(",")]
    for name in columns:
        if name not in validate.GROUPS:
            raise RooflineError(f"--by {name!r} is not a column to group by; use {', '.join(validate.GROUPS)}")
    measured = read_csv(file) if file is not None else validate.shipped()
    checked = validate.check_all(measured)
    if plot is not None:
        chart.draw("validate", [validate.with_results(one) for one in checked], plot, size=(400, 400))
    if rows is not None:
        validation.write_rows(checked, rows)
        click.echo(f"{len(checked):,} rows in {rows}", err=True)
    if page is not None:
        from roofline.report import accuracy

        accuracy.write(checked, page)
        click.echo(f"wrote {page}", err=True)
        return
    if options["format"] == "table":
        from roofline.report import table

        table.render(validation.page(checked, columns, worst))
        return
    emit("validate", validate.summary(checked, columns), **options)
    for reason, count, line in validate.skipped(checked):
        click.echo(f"Skipped {count} rows (first on line {line}): {reason}", err=True)
