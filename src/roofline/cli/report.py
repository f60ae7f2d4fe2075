"""`roofline report`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from roofline import axes, catalog
from roofline.cli import chart
from roofline.cli import options as shared
from roofline.cli.plot import read_records
from roofline.errors import RooflineError

#: Options that say where the report goes, not what is in it.
_WHERE_TO = ("output", "overwrite")


@click.command("report")
@shared.optional_where_options
@shared.point_options("--batch", "--context", "--isl")
@shared.money_options
@click.option(
    "--records",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Report on the JSON that `plan`, `serve`, `decode` or `sweep` printed instead (- reads stdin).",
)
@click.option("--output", "-o", required=True, type=click.Path(path_type=Path), help="File, .html.")
@shared.overwrite_option
def report_command(
    batch: str,
    context: str,
    isl: str,
    records: Path | None,
    output: Path,
    overwrite: bool,
    **options: Any,
) -> None:
    """One HTML file that fetches nothing: question, assumptions, answer, charts, tables, sources, uncertainty, version.

    \b
    roofline report --hw wse3,h100,b200 --model llama4-maverick -o report.html
    roofline plan ... --format json | roofline report --records - -o plan.html
    """
    if output.suffix.lower() not in (".html", ".htm"):
        raise RooflineError(f"{output}: a report is an HTML file; give it the ending .html")
    chart.ready(output.with_suffix(".html"), overwrite=True)
    from roofline.report import files, html

    files.free(output, overwrite=overwrite)
    command = _command(click.get_current_context())
    price = shared.money(options)
    if records is not None:
        if options["hw"] or options["model"]:
            raise RooflineError("--records already says what ran where; leave out --hw and --model")
        from roofline.report import answers

        text = sys.stdin.read() if str(records) == "-" else catalog.read_text(records)
        document = answers.document(read_records(text, str(records)), command)
    else:
        for name in ("hw", "model"):
            if not options[name]:
                raise click.UsageError(f"Missing option '--{name}' (or give --records).")
        from roofline.report import comparison

        requests = list(shared.requests(options))
        sizes = [axes.counts(text, flag) for text, flag in ((batch, "--batch"), (context, "--context"), (isl, "--isl"))]
        if any(len(values) != 1 for values in sizes):
            raise RooflineError("report takes one batch, one context and one prompt length")
        if len(requests) > MOST:
            raise RooflineError(f"{len(requests)} deployments asked for; a report has room for {MOST}")
        point = comparison.Point(
            sizes[0][0], sizes[1][0], sizes[2][0], price.usd_per_hour, price.basis, price.utilisation
        )
        document = comparison.document(requests, point, command)
    files.write(output, html.page(document).encode())
    click.echo(f"wrote {output}", err=True)


#: Deployments that a page can show side by side.
MOST = 12


def _command(context: click.Context) -> str:
    """Return the command that makes the report again: what was given, in the order of `--help`."""
    words = ["roofline", "report"]
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name)
        if name in _WHERE_TO or given is None or given.name != "COMMANDLINE":
            continue
        flag, value = parameter.opts[0], context.params[name]
        for one in value if isinstance(value, tuple) else (value,):
            words += [flag] if isinstance(one, bool) else [flag, str(one)]
    return shlex.join(words)
