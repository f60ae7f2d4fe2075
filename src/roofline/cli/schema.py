"""`roofline schema`."""

from __future__ import annotations

import click


@click.command("schema")
@click.argument("kind", type=click.Choice(["hardware", "hardware-class", "model", "engine", "workload"]))
def schema_command(kind: str) -> None:
    """JSON Schema of a spec file, for editors and checkers."""
    from roofline.specs.schema import schema_text

    click.echo(schema_text(kind), nl=False)
