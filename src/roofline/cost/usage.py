"""Tokens of an agent session: measured profiles, a growing conversation, or what a coding agent logged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roofline import catalog
from roofline.errors import RooflineError


@dataclass(frozen=True, slots=True)
class Call:
    """The tokens of one model call, or of several alike.

    Attributes
    ----------
    fresh, cached, written : float
        Input that is charged in full, read from the prefix cache, and written to it [tokens].
    output : float
        [tokens]
    count : int
        How many such calls.
    """

    fresh: float
    cached: float
    written: float
    output: float
    count: int = 1

    @property
    def input(self) -> float:
        """All input of one call [tokens]."""
        return self.fresh + self.cached + self.written


@dataclass(frozen=True, slots=True)
class Session:
    """The calls of one session, a name for them, where the figures come from, and what to know about them."""

    calls: tuple[Call, ...]
    name: str
    source: str
    notes: tuple[str, ...] = ()

    def total(self, kind: str) -> float:
        """Return the sum over all calls of `fresh`, `cached`, `written`, `output` or `input` [tokens]."""
        return float(sum(getattr(call, kind) * call.count for call in self.calls))


def profile(name: str) -> Session:
    """Return the session of a workload profile: its calls, all of mean length; one call where it counts no turns.

    Raises
    ------
    RooflineError
        If no profile has that name; the message suggests the nearest.
    """
    spec = catalog.workload(name)
    isl, hits = spec.isl.mean.value, spec.cache_hit.value
    turns = round(spec.turns.value) if spec.turns else 1
    call = Call(isl * (1 - hits), isl * hits, 0.0, spec.osl.mean.value, turns)
    return Session((call,), spec.name, spec.source or "", (spec.note.rstrip("."),) if spec.note else ())


def growing(system: int, new: int, output: int, turns: int) -> Session:
    """Return a conversation that is sent again whole with every turn, its past read from the cache.

    Parameters
    ----------
    system : int
        System prompt and tools, S [tokens].
    new, output : int
        New input a and generated tokens o of one turn [tokens].
    turns : int
        T.

    Notes
    -----
    Reads are (T-1)·S + (a+o)·T(T-1)/2: they grow with the square of the turns. Writes are S + T·(a+o), output T·o.
    """
    step = new + output
    calls = [
        Call(0.0, (system + turn * step) if turn else 0.0, step + (0 if turn else system), output)
        for turn in range(turns)
    ]
    words = f"system {system:,}, {new:,} new and {output:,} output tokens per turn, {turns:,} turns"
    return Session(tuple(calls), words, "reads (T-1)S + (a+o)T(T-1)/2, writes S + T(a+o), output To")


def flat(isl: int, osl: int, hit_rate: float, turns: int) -> Session:
    """Return so many calls alike, a share of whose input is read from the cache.

    Raises
    ------
    RooflineError
        If the hit rate is not from 0 to 1.
    """
    if not 0 <= hit_rate <= 1:
        raise RooflineError(f"--cache-hit: {hit_rate} is out of range; a hit rate is from 0 to 1")
    call = Call(isl * (1 - hit_rate), isl * hit_rate, 0.0, osl, turns)
    words = f"{turns:,} calls of {isl:,} input ({hit_rate:.0%} cached) and {osl:,} output tokens"
    return Session((call,), words, "as given")


def logged(paths: Sequence[Path]) -> Session:
    """Read what a coding agent logged: Claude Code's JSONL, or Codex's token_count events.

    Claude Code repeats a message while it streams: the last entry of a message id counts, over all files. Codex logs
    running totals, with cached tokens inside input: differences count, and a total that falls starts anew.

    Raises
    ------
    RooflineError
        If a line is cut off or a count is wrong (the message names the line), or if there are no counts at all.
    """
    messages: dict[object, Call] = {}
    hour: dict[object, float] = {}
    calls: list[Call] = []
    for path in paths:
        before = len(messages) + len(calls)
        past = (0.0, 0.0, 0.0)
        for where, entry in _entries(path):
            usage = _claude(entry)
            if usage is not None:
                identity = entry["message"].get("id") or where
                messages[identity] = Call(
                    _count(usage, "input_tokens", where),
                    _count(usage, "cache_read_input_tokens", where),
                    _count(usage, "cache_creation_input_tokens", where),
                    _count(usage, "output_tokens", where),
                )
                hour[identity] = _hour_writes(usage, where)
                before = -1
            elif (total := _codex(entry)) is not None:
                now = tuple(
                    _count(total, name, where) for name in ("input_tokens", "cached_input_tokens", "output_tokens")
                )
                if any(new < old for new, old in zip(now, past)):
                    past = (0.0, 0.0, 0.0)
                input, cached, output = (new - old for new, old in zip(now, past))
                past = (now[0], now[1], now[2])
                if cached > input:
                    raise RooflineError(
                        f"{where}: {cached:,.0f} cached of {input:,.0f} input tokens: a hit rate above 1"
                    )
                if input or output:
                    calls.append(Call(input - cached, cached, 0.0, output))
        if len(messages) + len(calls) == before:
            raise RooflineError(f"{path}: no token counts; expected Claude Code JSONL or Codex token_count events")
    found = [call for call in [*messages.values(), *calls] if call.input or call.output]
    if not found:
        raise RooflineError(f"{paths[0]}: every token count is zero")
    long = sum(hour.values())
    notes = (
        (f"{long:,.0f} tokens went to the one-hour cache; they are billed here at the listed five-minute price",)
        if long
        else ()
    )
    return Session(tuple(found), f"{len(found):,} logged calls", ", ".join(path.name for path in paths), notes)


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    lines = catalog.read_text(path).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError:
            how = "; the file seems to be cut off there" if number == len(lines) else ""
            raise RooflineError(f"{path}: line {number}: not a whole JSON record{how}") from None
        if isinstance(entry, dict):
            yield f"{path}: line {number}", entry


def _claude(entry: dict[str, Any]) -> dict[str, Any] | None:
    message = entry.get("message")
    usage = message.get("usage") if isinstance(message, dict) else None
    return usage if isinstance(usage, dict) else None


def _hour_writes(usage: dict[str, Any], where: str) -> float:
    detail = usage.get("cache_creation")
    return _count(detail, "ephemeral_1h_input_tokens", where) if isinstance(detail, dict) else 0.0


def _codex(entry: dict[str, Any]) -> dict[str, Any] | None:
    payload = entry.get("payload", entry)
    if not isinstance(payload, dict) or payload.get("type") != "token_count":
        return None
    info = payload.get("info")
    total = info.get("total_token_usage") if isinstance(info, dict) else None
    return total if isinstance(total, dict) else None


def _count(usage: dict[str, Any], name: str, where: str) -> float:
    value = usage.get(name) or 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise RooflineError(
            f"{where}: {name}: {value!r} is not a number of tokens; it must be a whole number, 0 or more"
        )
    return float(value)
