"""A comparison as a report: chips or models at one point, and over batches around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from roofline import ceilings, evaluate
from roofline.report import charts, pages, provenance
from roofline.report.charts import render, sources
from roofline.report.html import Document, Figure
from roofline.report.record import Record, estimated
from roofline.report.table import Block
from roofline.resolve import Request, resolve
from roofline.units import format_si, significant

#: Batches of the curves beside the one that is compared.
BATCHES = tuple(2**k for k in range(9))
CONTEXTS = tuple(1024 * 2**k for k in range(8))
#: Deployments that have a roofline and a step of their own in a report.
MOST_PANELS = 4
_PANEL = (400, 280)


#: Price options in the order in which `roofline.evaluate` takes them, and a request as asked, settled, and its end.
Money = tuple[float | None, str | None, float]
Held = tuple[Request, Request, str]


@dataclass(frozen=True, slots=True)
class Point:
    """What is compared: sequences, cached tokens of each, prompt tokens, and what a chip-hour costs."""

    batch: int
    context: int
    isl: int
    usd_per_hour: float | None = None
    basis: str | None = None
    utilisation: float = 1.0

    @property
    def money(self) -> Money:
        """The price options, in the order in which `roofline.evaluate` takes them."""
        return self.usd_per_hour, self.basis, self.utilisation


def held(requests: Sequence[Request], batch: int, context: int) -> list[Held]:
    """Return (as asked, with its chips settled, end of its scenario) for deployments that hold a point."""
    found = []
    for asked in requests:
        for request, end in evaluate.open_requests(asked):
            d = resolve(request, float(batch), float(context)).deployment
            shape: Record = {"chips": d.chips, "tp": d.tp, "pp": d.pp}
            found.append((asked, evaluate.at(request, shape), end))
    return found


def over_batches(requests: Sequence[Request], point: Point) -> list[Record]:
    """Return decode records of the compared deployments over batches, each on the chips that hold the point."""
    batches = sorted({*BATCHES, point.batch})
    return curves(held(requests, point.batch, point.context), batches, point.context, point.money)


def curves(deployments: Sequence[Held], batches: Sequence[int], context: int, money: Money) -> list[Record]:
    """Return decode records over batches of deployments whose chips are settled."""
    return [
        evaluate.marked(record, asked, end)
        for asked, request, end in deployments
        for record in evaluate.decode([request], batches, [context], *money)
    ]


def document(requests: Sequence[Request], point: Point, command: str = "") -> Document:
    """Return the report of a comparison.

    Parameters
    ----------
    requests : sequence of Request
        Deployments to compare; those that name no chips get the fewest that hold the point.
    point : Point
    command : str
        What makes the report again.
    """
    compared = evaluate.compare(requests, point.batch, point.context, point.isl, *point.money)
    curves = over_batches(requests, point)
    names = [_name(r, compared) for r in compared]
    models = list(dict.fromkeys(r["model"] for r in compared))
    told = " or ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    subject = f"{', '.join(models)} on " if len(models) == 1 else ""
    load = f"{point.batch:,} sequence{'s' * (point.batch > 1)} at once with {point.context:,} tokens of context each"
    doc = Document(
        title=f"{subject}{told}",
        question=_question(names, models, told, f"{load}, prompts of {point.isl:,} tokens"),
        answer=_answer(compared, names, curves, point),
        command=command,
    )
    doc.assumptions = [_assumptions(compared, names), _notes(requests, compared, point)]
    doc.charts = _charts(requests, point, curves)
    doc.tables = [*pages.blocks("compare", compared), _best_batches(curves, compared)]
    for block in doc.tables:
        # The notes stand among the assumptions.
        block.notes = [note for note in block.notes if not note.startswith("Note")]
    doc.uncertainty = [_uncertainty(compared, names)]
    hardware = [r.hw for r in requests]
    doc.sources = provenance.blocks(hardware, [r.model for r in requests], [r["engine"] for r in compared])
    return doc


def _question(names: list[str], models: list[str], told: str, load: str) -> str:
    if len(names) == 1:
        return f"What does {told} do with {models[0]}: {load}?"
    what = f"Which serves {models[0]} best" if len(models) == 1 else "Which is best"
    return f"{what}, {told}: {load}?"


def _name(r: Record, all_of_them: Sequence[Record]) -> str:
    """Return chips and whatever else tells a deployment from the others."""
    same = [one for one in all_of_them if all(one.get(k) == r.get(k) for k in ("hardware", "model", "proxy"))]

    def many(key: str) -> bool:
        return len({one.get(key) for one in same}) > 1

    parts = [f"{r['chips']:,} x {r['hardware']}"]
    if len({one["model"] for one in all_of_them}) > 1:
        parts.append(f"with {r['model']}")
    if "proxy" in r:
        parts.append(f"({r['scenario']} end, as {r['proxy']})")
    told = [f"{r[key]}" for key in ("engine", "weights_dtype") if many(key)]
    told += [f"KV {r['kv_dtype']}"] if many("kv_dtype") else []
    if not many("chips"):
        told += [f"{key} {r[key]}" for key in ("tp", "pp", "dp", "ep") if many(key)]
    return " ".join(parts) + (f" ({', '.join(told)})" if told else "")


def _best(records: Sequence[Record], key: str, lowest: bool = False) -> Record | None:
    rated = [r for r in records if r.get(key) is not None and r.get("estimate") != "naive_bandwidth"]
    return (min if lowest else max)(rated, key=lambda r: r[key]) if rated else None


def _answer(compared: list[Record], names: list[str], curves: list[Record], point: Point) -> list[str]:
    """Return the statements that a reader wants first: fastest, cheapest, cheapest when full, what is not certain."""
    at = f"batch {point.batch:,}"
    name = {id(r): n for r, n in zip(compared, names, strict=True)}
    served = [r for r in curves if r["estimate"] != "no_speculation" or not _is_served(r, curves)]
    lines = []
    speed = "tokens_per_second_per_user"
    fast = _best(compared, speed)
    if fast is not None:
        span = _span(fast, speed, significant)
        lines.append(f"Fastest for a user: {name[id(fast)]}, {significant(fast[speed])} tok/s{span} at {at}.")
        lines += _overlap(fast, compared, name)
    cheap = _best(compared, "usd_per_million_output_tokens", lowest=True)
    if cheap is not None:
        usd = cheap["usd_per_million_output_tokens"]
        span = _span(cheap, "usd_per_million_output_tokens", lambda v: f"${significant(v)}")
        lines.append(f"Cheapest at {at}: {name[id(cheap)]}, ${significant(usd)} per million output tokens{span}.")
    full = _best(served, "usd_per_million_output_tokens", lowest=True)
    if full is not None and full["batch"] != point.batch:
        lines.append(
            f"Cheapest over all batches: {_name(full, compared)} at batch {full['batch']:,.0f}, "
            f"${significant(full['usd_per_million_output_tokens'])} per million output tokens and "
            f"{significant(full[speed])} tok/s for each user."
        )
    for r in compared:
        if not r["fits"]:
            lines.append(f"{name[id(r)]} cannot hold this point.")
        elif "usd_per_hour" not in r:
            lines.append(f"{name[id(r)]} has no published price; give one with --usd-per-hour.")
    return lines or ["None of these deployments holds this point."]


def _is_served(r: Record, curves: Sequence[Record]) -> bool:
    return any(estimated(one) == "as_served" and one["hardware"] == r["hardware"] for one in curves)


def _span(r: Record, key: str, show: object) -> str:
    low, high = r.get(f"{key}_low"), r.get(f"{key}_high")
    return f" ({show(low)} to {show(high)})" if low is not None and high is not None else ""  # type: ignore[operator]


def _overlap(fast: Record, compared: Sequence[Record], name: dict[int, str]) -> list[str]:
    key = "tokens_per_second_per_user"
    if f"{key}_low" not in fast:
        return []
    # The ends of one closed model's scenario are no rivals.
    rivals = [
        r for r in compared if "proxy" not in r or r["hardware"] != fast["hardware"] or r["model"] != fast["model"]
    ]
    near = [name[id(r)] for r in rivals if r is not fast and r.get(f"{key}_high", 0.0) > fast[f"{key}_low"]]
    if not near:
        return []
    return [f"Its interval overlaps that of {' and that of '.join(near)}: their order is not certain."]


def _assumptions(compared: list[Record], names: list[str]) -> Block:
    def price(r: Record) -> str:
        if "usd_per_hour" not in r:
            return "-"
        dated = f", {r['price_date']}" if "price_date" in r else ""
        return f"${r['usd_per_hour'] / r['chips']:.2f} per chip-hour ({r['price_basis'].replace('-', ' ')}{dated})"

    rows = [
        ["deployment", *(f"{r['chips']:,} x {r['hardware']}, tp {r['tp']}, pp {r['pp']}" for r in compared)],
        ["weights, experts", *(f"{r['weights_dtype']}, {r['experts_dtype']}" for r in compared)],
        ["KV cache", *(f"{r['kv_dtype']} in {r['memory_tier']}" for r in compared)],
        ["engine", *(r["engine"] for r in compared)],
        ["price", *map(price, compared)],
        ["utilisation", *(f"{r['utilisation']:.0%}" if "utilisation" in r else "-" for r in compared)],
    ]
    return Block(header=["", *names], rows=rows)


def _notes(requests: Sequence[Request], compared: list[Record], point: Point) -> Block:
    notes = [
        "Every deployment is the fewest chips that hold the point, weights as the checkpoint ships them, and the "
        "vendor's usual engine, unless something else was asked for. Decode is at the stated context, prefill that of "
        "one prompt.",
    ]
    sets = sorted({one for r in requests for one in r.set})
    notes += [f"What if: {', '.join(sets)}."] if sets else []
    notes += [f"Note: {text}." for text in dict.fromkeys(w for r in compared for w in r.get("warnings", ()))]
    return Block(notes=notes)


def _charts(requests: Sequence[Request], point: Point, curves: list[Record]) -> list[Figure]:
    said = sources.of(requests)
    pinned = [request for _, request, _ in held(requests, point.batch, point.context)]
    drawn: list[tuple[str, list[Record], tuple[int, int]]] = []
    if any("tokens_per_second_per_user" in r for r in curves):
        drawn.append(("frontier", curves, (600, 360)))
        if any("usd_per_million_output_tokens" in r for r in curves):
            drawn.append(("dollars", curves, (600, 360)))
    some = pinned[:MOST_PANELS]
    size = _PANEL if len(some) > 1 else (600, 360)
    batches = sorted({*BATCHES, point.batch})
    drawn.append(("fit", evaluate.fit(some, batches, sorted({*CONTEXTS, point.context})), (440, 300)))
    steps = [r for one in some for r in evaluate.explain(one, "decode", point.batch, point.context, 0)]
    drawn.append(("step", steps, size))
    roofs = [r for one in some for r in ceilings.records(one, "decode", point.batch, point.context)]
    drawn.append(("roofline", roofs, size))
    found = []
    for kind, records, (width, height) in drawn:
        spec = charts.spec(kind, records, sources=said if kind != "step" else (), width=width, height=height)
        text = f"{spec['usermeta']['title']}: {spec['usermeta']['subtitle']}"
        found.append(Figure(render.svg(spec), text))
    return found


def _best_batches(curves: list[Record], compared: list[Record]) -> Block:
    """Return speed, throughput and cost over batches."""
    header = ["deployment", "batch", "tok/s per user", "tok/s per chip", "$/M output", "90 % interval, tok/s per user"]
    rows = []
    for r in curves:
        if r["estimate"] == "naive_bandwidth" or (r["estimate"] == "no_speculation" and _is_served(r, curves)):
            continue
        user, usd = r.get("tokens_per_second_per_user"), r.get("usd_per_million_output_tokens")
        what = _name(r, compared)
        span = _span(r, "tokens_per_second_per_user", significant).strip(" ()") or "-"
        if user is None:
            rows.append([what, f"{r['batch']:,.0f}", "does not fit", "-", "-", "-"])
            continue
        chip = significant(r["tokens_per_second_per_chip"])
        rows.append([what, f"{r['batch']:,.0f}", significant(user), chip, f"${significant(usd)}" if usd else "-", span])
    return Block("Over batches", header, rows)


def _uncertainty(compared: list[Record], names: list[str]) -> Block:
    header = ["", "tok/s per user", "low", "high", "first token", "low", "high", "how sure"]
    rows = []
    for r, name in zip(compared, names, strict=True):
        key = "tokens_per_second_per_user"
        sure = r.get("confidence") or ("as seen in published services" if "served_factor" in r else "-")
        speed = [significant(r[k]) if k in r else "-" for k in (key, f"{key}_low", f"{key}_high")]
        first = [format_si(r[k], "s") if k in r else "-" for k in _ends("ttft_seconds")]
        rows.append([name, *speed, *first, sure])
    notes = [
        "Ends of a 90 % interval: factors between measured and predicted time on published rows that no fit had seen. "
        "calibrated: chip and engine both took part in a fit; transferred: one of them; spec-sheet: neither.",
        "A wafer as served is read off published services whose speculation is not disclosed; its ends are the range "
        "of those readings.",
        "roofline validate replays the measurements; docs/accuracy.md has the errors group by group.",
    ]
    return Block(header=header, rows=rows, notes=notes)


def _ends(key: str) -> tuple[str, str, str]:
    return key, f"{key}_low", f"{key}_high"
