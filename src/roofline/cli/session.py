"""`roofline session`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from roofline import axes
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.cli.price import late, snapshot_and_when, when_options
from roofline.cost import usage
from roofline.errors import RooflineError
from roofline.units import parse_count

_GROWING = ("system", "new", "out")
_FLAT = ("isl", "osl", "cache_hit")


@click.command("session")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--profile", help="A workload profile's calls; by default coding-agent.")
@click.option("--system", metavar="TOKENS", help="Growing session: system prompt and tools.")
@click.option("--new", metavar="TOKENS", help="Growing session: new input tokens per turn.")
@click.option("--out", metavar="TOKENS", help="Growing session: output tokens per turn.")
@click.option("--isl", metavar="TOKENS", help="Calls alike: input tokens of each.")
@click.option("--osl", metavar="TOKENS", help="Calls alike: output tokens of each.")
@click.option("--cache-hit", type=float, help="Calls alike: share of input read from the cache, 0 to 1.")
@click.option("--turns", metavar="N", help="Turns, or calls, of one session.")
@click.option("--model", help="Only these models; commas between names. All of the snapshot by default.")
@click.option("--provider", help="Only this provider.")
@click.option(
    "--mix", type=click.Path(path_type=Path), help="File of quality and latency floors: solve the cheapest mix."
)
@click.option("--budget", type=float, help="Dollars for all sessions; a mix that costs more is refused.")
@click.option(
    "--sessions", type=int, default=1, show_default=True, help="Sessions that the mix and the budget are for."
)
@when_options
@shared.output_options
def session_command(
    files: tuple[Path, ...],
    model: str | None,
    provider: str | None,
    mix: Path | None,
    budget: float | None,
    sessions: int,
    at: str | None,
    as_of: str | None,
    prices: Path | None,
    **options: Any,
) -> None:
    """What an agent session costs on every model, cheapest first; or the cheapest mix of models.

    FILES are logs of Claude Code (JSONL) or Codex (token_count events); without them a session is a measured profile,
    a growing conversation, or calls that are all alike.

    \b
    roofline session --profile coding-agent
    roofline session --system 20k --new 1500 --out 400 --turns 40
    roofline session ~/.claude/projects/mine/*.jsonl --model claude-opus-4.7,kimi-k3
    roofline session --mix floors.toml --sessions 1000 --budget 2000
    """
    if sessions < 1:
        raise RooflineError(f"--sessions: {sessions} is out of range; it must be 1 or more")
    if budget is not None and not 0 <= budget < float("inf"):
        raise RooflineError(f"--budget: {budget} is not a number of dollars; it must be 0 or more")
    work = _session(files, options)
    snapshot, when = snapshot_and_when(prices, at, as_of)
    from roofline.cost.quotes import quotes
    from roofline.cost.session import price_all

    names: list[str | None] = [*axes.names(model, "--model")] if model else [None]
    rows = [row for name in names for row in quotes(snapshot, when, name, provider)]
    records = price_all(work, rows, when)
    warnings = late(snapshot, when)
    if mix is None and budget is None:
        emit("session", [record | {"warnings": [*record["warnings"], *warnings]} for record in records], **options)
        return
    from roofline.cost import mix as solver

    usd = {record["model"]: record["session_usd"] for record in records}
    if mix is not None:
        floors = solver.read(mix, snapshot.model)
    else:
        floors = solver.Floors((solver.Task("all"),), tuple(solver.Candidate(name, {}) for name in usd), "--budget")
    by_model = {record["model"]: record for record in records}
    keep = (
        "provider",
        "session",
        "session_source",
        "context_fits",
        "longest_call_tokens",
        "at",
        "source",
        "price_date",
    )
    found = solver.cheapest(floors, usd, sessions, budget)
    told = {"warnings": [*work.notes, *warnings]}
    mixed = [one | {name: by_model[one["model"]][name] for name in keep} | told for one in found]
    emit("mix", mixed, **options)


def _session(files: tuple[Path, ...], options: dict[str, Any]) -> usage.Session:
    """Return the session that the options describe, taking them out of `options`."""
    profile, turns = options.pop("profile"), options.pop("turns")
    grows = {name: options.pop(name) for name in _GROWING}
    alike = {name: options.pop(name) for name in _FLAT}
    given = {
        "files": bool(files),
        "--profile": profile is not None,
        "--system, --new, --out": any(value is not None for value in grows.values()),
        "--isl, --osl, --cache-hit": any(value is not None for value in alike.values()),
    }
    chosen = [name for name, is_given in given.items() if is_given]
    if len(chosen) > 1:
        raise RooflineError(f"{' and '.join(chosen)} each describe a session; give one of them")
    if turns is not None and chosen not in (["--system, --new, --out"], ["--isl, --osl, --cache-hit"]):
        raise RooflineError("--turns goes with --system, --new, --out or with --isl, --osl, --cache-hit")
    if files:
        return usage.logged(files)
    if given["--system, --new, --out"]:
        system, new, out, count = (_tokens(grows | {"turns": turns}, name) for name in (*_GROWING, "turns"))
        if count > 100_000:
            raise RooflineError(f"--turns: {count:,} is out of range; it must be at most 100,000")
        return usage.growing(system, new, out, count)
    if given["--isl, --osl, --cache-hit"]:
        isl, osl, count = (_tokens(alike | {"turns": turns}, name) for name in ("isl", "osl", "turns"))
        return usage.flat(isl, osl, alike["cache_hit"] or 0.0, count)
    return usage.profile(profile or "coding-agent")


def _tokens(texts: dict[str, Any], name: str) -> int:
    if texts[name] is None:
        others = ", ".join(f"--{one.replace('_', '-')}" for one in texts if one != name)
        raise RooflineError(f"--{name} is missing; it goes with {others}")
    return parse_count(texts[name], f"--{name}")
