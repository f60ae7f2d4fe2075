"""`roofline calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline.errors import RooflineError


@click.command("calibrate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--hw", "hardware", help="Chip, where the file does not name it (load generators' files never do).")
@click.option("--model", help="Model, where the file does not name it.")
@click.option("--engine", help="Engine, where the file does not name it.")
@click.option(
    "--chips",
    "n_chips",
    type=int,
    default=1,
    show_default=True,
    help="Chips that served it, for load generators' files.",
)
@click.option("--tp", type=int, help="Tensor parallel degree, for load generators' files.")
@click.option("--weights", help="Format of the weights, for load generators' files.")
@click.option("--kv", help="Format of the KV cache, for load generators' files.")
@click.option(
    "--fit", "fields", help="Constants to fit, e.g. host_per_step,weights; by default all that rows speak of."
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="Catalogue folder to write to; default: your own."
)
@click.option("--overwrite", is_flag=True, help="Replace files of the folder that exist.")
def calibrate_command(file: Path, fields: str | None, output: Path | None, overwrite: bool, **deployment: Any) -> None:
    """Fit a chip's and an engine's constants to your own benchmark file.

    FILE has the columns of measurements/*.csv, or is the result of `vllm bench serve`, SGLang's bench_serving, AIPerf
    or GenAI-Perf. Chips and engines with their new constants are written as catalogue files, which come before the
    shipped ones; each records the file, its rows, and the error before and after.

    \b
    roofline calibrate benchmarks.csv
    roofline calibrate vllm-result.json --hw h100 --chips 8 --tp 8 --weights fp8 --output ./catalogue
    """
    from roofline import calibration

    rows = calibration.read_rows(file, **deployment)
    wanted = [name.strip() for name in fields.split(",")] if fields else None
    found = calibration.run(rows, wanted, lambda text: click.echo(text, err=True))
    before, after = found.median_errors
    click.echo(f"{len(found.fit.rows)} of {len(rows)} rows, median error {before:.1%} before and {after:.1%} after")
    folder = output or calibration.user_folder()
    for path in calibration.write(found, file, folder, overwrite=overwrite):
        click.echo(f"wrote {path}")
    if not found.fit.values:
        raise RooflineError(f"{file}: its rows speak of none of the constants asked for")
