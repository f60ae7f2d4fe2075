"""`roofline mcp`."""

from __future__ import annotations

import click

from roofline.errors import RooflineError


@click.command("mcp")
def mcp_command() -> None:
    """Tools for agents over standard input and output: estimate, fit, plan, list, explain.

    \b
    roofline mcp
    """
    try:
        from roofline.agents import server
    except ImportError:
        raise RooflineError("tools for agents need one more package: pip install 'roofline[mcp]'") from None
    server().run()
