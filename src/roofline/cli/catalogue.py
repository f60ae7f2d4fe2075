"""`roofline hw|model|engine|workload list|show|validate`, and `roofline model import`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline import axes, catalog
from roofline.cli.output import emit
from roofline.errors import RooflineError
from roofline.report import spec

_FORMAT = click.option(
    "--format",
    type=click.Choice(["table", "json", "jsonl", "csv", "md", "parquet"]),
    default="table",
    show_default=True,
    help="Table for people; the rest are flat records in base units.",
)


def _group(name: str, family: catalog.Family, word: str) -> click.Group:
    """Return the group of one family with the commands that all families share."""

    @click.group(name, help=f"{word.capitalize()}s of the catalogue: list, show, validate.")
    def group() -> None: ...

    @group.command("list", help=f"List every {word}, with the folder it comes from.")
    @_FORMAT
    def list_command(**options: Any) -> None:
        emit("list", spec.listing(family), **options)

    @group.command("validate", help=f"Check {word} files (all of the catalogue where none is named).")
    @click.argument("names", nargs=-1)
    def validate_command(names: tuple[str, ...]) -> None:
        chosen = names or tuple(str(path) for _, _, path in catalog.files(family))
        problems = []
        for one in chosen:
            try:
                spec.load(family, one)
            except RooflineError as error:
                problems.append(str(error))
        for problem in problems:
            click.echo(f"Error: {problem}", err=True)
        click.echo(f"{len(chosen) - len(problems)} of {len(chosen)} {word} files are valid")
        if problems:
            raise click.exceptions.Exit(1)

    return group


hw_command = _group("hw", "hardware", "chip")
model_command = _group("model", "models", "model")
engine_command = _group("engine", "engines", "engine")
workload_command = _group("workload", "workloads", "workload profile")


@hw_command.command("show")
@click.argument("name")
@_FORMAT
def hw_show(name: str, **options: Any) -> None:
    """Show every figure of a chip in base units, with its source."""
    emit("figures", spec.hardware_records(name), **options)


@engine_command.command("show")
@click.argument("name")
@_FORMAT
def engine_show(name: str, **options: Any) -> None:
    """Show every figure of an engine in base units, with its source."""
    emit("figures", spec.engine_records(name), **options)


@workload_command.command("show")
@click.argument("name")
@_FORMAT
def workload_show(name: str, **options: Any) -> None:
    """Show every figure of a workload profile, with its source."""
    emit("figures", spec.workload_records(name), **options)


@model_command.command("show")
@click.argument("name")
@click.option("--context", default="8k", show_default=True, help="Cached tokens of one sequence.")
@click.option("--kv", default="bf16", show_default=True, help="Format of the KV cache.")
@click.option("--weights", help="Format of the weights; by default as shipped.")
@_FORMAT
def model_show(name: str, context: str, kv: str, weights: str | None, **options: Any) -> None:
    """Show a model's parameters, KV cache of one sequence, shape and source.

    Active parameters are those that one token multiplies: without the input embedding table.
    """
    contexts = axes.counts(context, "--context")
    emit("model", [spec.model_record(name, tokens, kv, weights) for tokens in contexts], **options)


@model_command.command("import")
@click.argument("config", type=click.Path(path_type=Path))
def model_import(config: Path) -> None:
    """Turn a Hugging Face config.json into a model file (TOML on stdout)."""
    from roofline.huggingface import import_config, to_toml

    table = import_config(catalog.read_text(config), str(config))
    catalog.model_from_table(table, str(config))
    click.echo(to_toml(table), nl=False)
