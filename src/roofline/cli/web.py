"""`roofline web`."""

from __future__ import annotations

import click

from roofline.errors import RooflineError


@click.command("web")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
def web_command(host: str, port: int) -> None:
    """A page that answers "what if" by dragging, and the JSON interface behind it (/docs).

    \b
    roofline web --port 8080
    """
    try:
        import altair  # noqa: F401
        import uvicorn

        from roofline.web.app import create
    except ImportError:
        raise RooflineError("the page needs more packages: pip install 'roofline[web]'") from None
    click.echo(f"http://{host}:{port}", err=True)
    uvicorn.run(create(), host=host, port=port, log_level="warning", timeout_keep_alive=5)
