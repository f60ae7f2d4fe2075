"""The `roofline` command: a group that loads a command's module only when it runs."""

from __future__ import annotations

import importlib
import os
import sys

import click

from roofline.errors import RooflineError, suggest

#: Command, module under roofline.cli, and the line that `roofline --help` shows.
COMMANDS = {
    "decode": ("decode", "Tokens per second of generating, what binds, power and dollars."),
    "prefill": ("prefill", "Time to read a prompt, and input tokens per second."),
    "fit": ("fit", "Where weights and KV cache sit, what fits, how many users."),
    "explain": ("explain", "The operation table behind a number."),
    "compare": ("compare", "Chips or models side by side."),
    "sensitivity": ("sensitivity", "What each figure is worth; the value that reaches a target."),
    "sweep": ("sweep", "A grid over any axes, to a table or file."),
    "serve": ("serve", "What users of a service see: TTFT, TPOT, throughput, dollars."),
    "plan": ("plan", "The cheapest and fastest deployment that keeps a promise."),
    "cost": ("cost", "Dollars per million tokens by price basis."),
    "price": ("price", "List prices: list, show, compare with the predicted cost."),
    "validate": ("validate", "Predictions against measurements, with the error of each group."),
    "plot": ("plot", "Charts: roofline, frontier, dollars, fit, step, validate, tornado."),
    "report": ("report", "One HTML file: question, answer, charts, tables, sources, uncertainty."),
    "session": ("session", "What an agent session costs on every model; the cheapest mix."),
    "calibrate": ("calibrate", "Fit constants to your own benchmark file."),
    "hw": ("catalogue", "Chips: list, show, validate."),
    "model": ("catalogue", "Models: list, show, validate, import."),
    "engine": ("catalogue", "Engines: list, show, validate."),
    "workload": ("catalogue", "Workload profiles: list, show, validate."),
    "web": ("web", "A page that answers what-if by dragging, and its JSON interface."),
    "mcp": ("mcp", "Tools for agents over standard input and output."),
    "schema": ("schema", "JSON Schema of a spec file."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the documentation."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module."""
        if cmd_name not in COMMANDS:
            near = suggest(cmd_name, list(COMMANDS))
            raise click.UsageError(f"No such command {cmd_name!r}{near}.", ctx)
        module = importlib.import_module(f"roofline.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="roofline", prog_name="roofline")
def cli() -> None:
    """LLM inference performance and cost for any chip, model, batch and context.

    \b
    roofline decode --hw wse3 --model llama4-maverick
    roofline decode --hw h100,b200 --model llama-3.3-70b --batch 1,2,4..64 --context 8k
    roofline explain --hw h100 --model deepseek-v3 --batch 32
    """


def run() -> None:
    """Run the command; user mistakes become one line on stderr and exit status 1."""
    try:
        status = cli.main(standalone_mode=False, auto_envvar_prefix="ROOFLINE_OPT")
        sys.stdout.flush()
    except RooflineError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader has seen enough (`roofline ... | head`): say nothing, and leave nothing for Python to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    # click returns the status of a command that ended itself.
    sys.exit(status if isinstance(status, int) else 0)
