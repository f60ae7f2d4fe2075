"""`roofline cost`."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from roofline import axes, catalog, evaluate
from roofline.cli import options as shared
from roofline.cli.output import emit
from roofline.cost.owner import Terms
from roofline.errors import RooflineError, suggest
from roofline.units import parse_quantity

if TYPE_CHECKING:
    from roofline.cost.breakeven import ApiPrice
    from roofline.cost.copies import Load, Rules
    from roofline.lengths import Lengths
    from roofline.specs.workload import Workload

_OWNER: dict[str, tuple[str, str]] = {
    "capex": ("USD", "Owned: all-in capital of one chip, e.g. 40000 or 1MUSD; by default from the chip's file."),
    "years": ("1", "Owned: life of the chip; 4 by default."),
    "wacc": ("1", "Owned: cost of capital per year, 0.1 or 10%; 10 % by default."),
    "residual": ("1", "Owned: worth at the end as a share of the capital; 0 by default."),
    "opex": ("USD", "Owned: fixed cost of one chip and year; 0 by default."),
    "usd_per_kwh": ("1", "Electricity [USD/kWh]; 0.0929 by default (EIA, US industrial, 2026-01)."),
    "pue": ("1", "Power of the site over that of the machines; 1.2 by default."),
    "colo": ("1", "Owned: space per kW and month, power apart [USD]; 150 by default."),
}
#: Options that make a load, besides --isl; any of them turns the point into a service.
_LOAD = ("profile", "trace", "spread", "osl", "cache_hit", "rate", "ttft", "tpot", "drafted", "versus_api", "samples")


def _owner_options(command: shared.Command) -> shared.Command:
    for name, (_, text) in reversed(_OWNER.items()):
        command = click.option(f"--{name.replace('_', '-')}", metavar="X", help=text)(command)
    return command


@click.command("cost")
@shared.where_options
@shared.point_options("--batch", "--context", "--isl")
@click.option("--profile", help="Load: a workload profile; `roofline workload list` shows them.")
@click.option("--trace", type=click.Path(path_type=Path), help="Load: a CSV of requests: isl, osl and maybe cached.")
@click.option("--spread", help="Load: lengths vary around their means: uniform:0.2 (±20 %) or lognormal:0.8 (σ).")
@click.option("--osl", help="Load: answer tokens per request.")
@click.option("--cache-hit", type=float, help="Load: share of the input that a prefix cache serves, 0 to 1.")
@click.option("--rate", type=float, help="Load: requests per second in the mean; utilisation and replicas follow.")
@click.option("--average-to-peak", type=float, help="Mean over peak load; the profile's, else 0.35.")
@click.option("--batch-share", type=float, default=0.0, help="Share of the requests that may wait for idle hours.")
@shared.promise_options
@click.option("--drafted", type=int, help="Speculation: tokens drafted per step.")
@click.option("--accepted", type=float, help="Speculation: tokens a step yields in the mean.")
@click.option("--disaggregated", is_flag=True, help="Prefill and decode on pools of their own.")
@click.option("--prefill-pool", metavar="dp=32,ep=32", help="Shape of the prefill pool; implies --disaggregated.")
@click.option("--hit-tier", type=int, default=0, help="Memory tier that holds cached prefixes (0 = nearest).")
@click.option("--residence", type=float, default=300.0, help="Seconds from one use of a prefix to the next.")
@click.option("--versus-api", metavar="IN,OUT", help="API prices in $/M (IN,OUT or IN,CACHED,OUT), `list`, or a model.")
@click.option("--staff", type=float, default=0.0, help="People who run one's own machines [USD/month].")
@click.option("--samples", type=int, help="Draw the uncertain inputs so often: 10, 50 and 90 %, and a tornado.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws; the same gives the same numbers.")
@_owner_options
@shared.money_options
@shared.output_options
@click.pass_context
def cost_command(context_: click.Context, /, batch: str, context: str, isl: str, **options: Any) -> None:
    """Dollars per million input, cached and output tokens, on every price basis that the chip's file has.

    Of a load (--profile, --trace, or --isl with --osl) rent is divided among kinds of tokens, and a request rate gives
    replicas and utilisation. Without one, a point is priced: prefill and decode apart, each as if the machine did
    nothing else.

    \b
    roofline cost --hw h100 --model llama-3.3-70b --chips 4 --weights fp8 --profile chat --rate 20 --tpot 30ms
    roofline cost --hw b200 --model gpt-oss-120b --isl 8k --osl 1k --versus-api 0.15,0.60 --samples 100000
    roofline cost --hw h100,mi300x --model llama-3.3-70b --batch 64 --utilisation 0.4
    """
    unsaid = click.core.ParameterSource.DEFAULT
    given = {name for name in context_.params if context_.get_parameter_source(name) is not unsaid}
    terms = _terms(options)
    if any(options[name] is not None for name in _LOAD) or options["disaggregated"] or options["prefill_pool"]:
        _load_cost(batch, isl if "isl" in given else None, given, terms, options)
        return
    for name in ("average_to_peak", "accepted"):
        if options[name] is not None:
            raise RooflineError(f"--{name.replace('_', '-')} belongs to a load; give --profile, or --isl and --osl")
    price = shared.money(options)
    requests = list(shared.requests(options))
    batches, contexts, lengths = (
        axes.counts(batch, "--batch"),
        axes.counts(context, "--context"),
        axes.counts(isl, "--isl"),
    )
    shared.check_size(len(requests) * len(batches) * len(contexts) * len(lengths) * 7)
    basis = price.basis or ("owned" if terms.capex is not None and price.usd_per_hour is None else None)
    paid = (price.usd_per_hour, basis, price.utilisation)
    records = evaluate.cost(requests, batches, contexts, lengths, *paid, terms)
    emit("cost", records, format=options["format"], strict=options["strict"])


def _terms(options: dict[str, Any]) -> Terms:
    """Take the owner's terms out of the options."""
    found: dict[str, float] = {}
    for name, (dimension, _) in _OWNER.items():
        text = options.pop(name)
        if text is not None:
            try:
                found[name] = parse_quantity(text, dimension)
            except RooflineError as error:
                raise RooflineError(f"--{name.replace('_', '-')}: {error}") from None
    return Terms(**found)


def _load_cost(batch: str, isl: str | None, given: set[str], terms: Terms, options: dict[str, Any]) -> None:
    """Price a load."""
    from roofline import costing

    if "context" in given:
        raise RooflineError("--context is for points; of a load it follows from --isl and --osl")
    if options["rate"] is not None and "utilisation" in given:
        raise RooflineError("--utilisation follows from --rate; give one of them")
    price = shared.money(options)
    loads = _loads(isl, options)
    rules = _rules(batch if "batch" in given else None, options)
    reader = _pool(options["prefill_pool"]) if options["prefill_pool"] else {} if options["disaggregated"] else None
    staff, versus = options["staff"], options["versus_api"]
    if not 0 <= staff < math.inf:
        raise RooflineError(f"--staff: {staff:g} is out of range; it must be zero or more")
    sampling = None
    if options["samples"] is not None:
        busy = price.utilisation if "utilisation" in given else None
        sampling = costing.Sampling(options["samples"], options["seed"], busy or loads[0].average_to_peak)
    requests = list(shared.requests(options))
    shared.check_size(len(requests) * len(loads) * 8)
    basis = price.basis or ("owned" if terms.capex is not None and price.usd_per_hour is None else None)
    records = []
    for request in requests:
        for load in loads:
            api = _api(versus, request.model, load.isl) if versus else None
            purse = costing.Purse(price.usd_per_hour, basis, price.utilisation, terms, api, staff)
            records += costing.cost([request], load, rules, purse, reader, sampling)
    emit("load-cost", records, format=options["format"], strict=options["strict"])


def _loads(isl: str | None, options: dict[str, Any]) -> list[Load]:
    """Return the loads that the options describe: a profile or trace, what is given beside it taking precedence."""
    from roofline.cost.copies import Load
    from roofline.cost.fleet import AVERAGE_TO_PEAK

    profile, trace, osl, hit = (options[name] for name in ("profile", "trace", "osl", "cache_hit"))
    if profile is not None and trace is not None:
        raise RooflineError("--profile and --trace each describe a load; give one of them")
    if hit is not None and not 0 <= hit <= 1:
        raise RooflineError(f"--cache-hit: {hit:g} is out of range; it is a share of the input, from 0 to 1")
    spec: Workload | None = None
    name = None
    if trace is not None:
        from roofline.trace import read_trace

        spec, name = read_trace(trace), trace.name
    elif profile is not None:
        spec, name = catalog.workload(profile), catalog.label("workloads", profile)
    if spec is None and osl is None:
        raise RooflineError("a load needs its lengths; give --profile, --trace, or --isl and --osl")
    inputs = [float(one) for one in axes.counts(isl, "--isl")] if isl else [spec.isl.mean.value if spec else 4096.0]
    if osl:
        answers = [float(one) for one in axes.counts(osl, "--osl")]
    else:
        assert spec is not None
        answers = [spec.osl.mean.value]
    ratio = options["average_to_peak"]
    if ratio is None:
        # Work that nobody waits for has no peak.
        ratio = spec.average_to_peak.value if spec and spec.average_to_peak else AVERAGE_TO_PEAK
        ratio = 1.0 if spec and spec.offline else ratio
    if not 0 < ratio <= 1:
        raise RooflineError(f"--average-to-peak: {ratio:g} is out of range; it must be above 0 and at most 1")
    rate, share = options["rate"], options["batch_share"]
    if rate is not None and not 0 < rate < 1e12:
        raise RooflineError(f"--rate: {rate:g} is out of range; it must be above 0 requests per second")
    if not 0 <= share <= 1:
        raise RooflineError(f"--batch-share: {share:g} is out of range; it must be from 0 to 1")
    first = Load(
        isl=inputs[0],
        osl=answers[0],
        hit=hit if hit is not None else spec.cache_hit.value if spec else 0.0,
        average_to_peak=ratio,
        rate=rate,
        batch_share=share,
        profile=name,
        source=spec.source if spec else None,
    )
    return [
        replace(first, isl=one, osl=other, lengths=_varied(one, other, first.hit, spec, options))
        for one in inputs
        for other in answers
    ]


def _varied(isl: float, osl: float, hit: float, spec: Workload | None, options: dict[str, Any]) -> Lengths | None:
    """Return how lengths vary around their means: as asked for, as a trace shows, or lognormal as a profile says."""
    from roofline import lengths

    spread, trace = options["spread"], options["trace"]
    if spread is not None:
        return lengths.spread(spread)(isl, osl, hit)
    if trace is not None:
        from roofline.trace import read_requests

        rows, own = read_requests(trace), options["cache_hit"] is None
        up, out = (mean * len(rows) / sum(row[k] for row in rows) for k, mean in ((0, isl), (1, osl)))
        return lengths.observed([(i * up, o * out, up * (c if own else hit * i)) for i, o, c in rows], trace.name)
    return lengths.profile(spec, hit, isl, osl) if spec is not None else None


def _rules(batch: str | None, options: dict[str, Any]) -> Rules:
    from roofline.cli.serve import _speculation
    from roofline.cost.copies import Rules

    if not 0 <= options["residence"] < 1e12:
        raise RooflineError(f"--residence: {options['residence']:g} is out of range; it must be zero or more seconds")
    sizes = axes.counts(batch, "--batch") if batch else [None]
    if len(sizes) > 1:
        raise RooflineError("--batch: a load takes one batch; leave it out for the largest that keeps the promises")
    return Rules(
        batch=None if sizes[0] is None else float(sizes[0]),
        ttft=options["ttft"],
        tpot=options["tpot"],
        hit_tier=options["hit_tier"],
        residence=options["residence"],
        speculation=_speculation(options["drafted"], options["accepted"]),
    )


def _pool(text: str) -> dict[str, int]:
    """Read ``dp=32,ep=32``."""
    known = ["chips", "tp", "pp", "dp", "ep", "dcp"]
    found: dict[str, int] = {}
    for item in axes.names(text, "--prefill-pool"):
        name, _, value = item.partition("=")
        if name not in known:
            raise RooflineError(f"--prefill-pool: unknown key {name!r}{suggest(name, known)}; write {', '.join(known)}")
        [found[name]] = axes.counts(value, f"--prefill-pool: {name}")
    return found


def _api(text: str, model: str, isl: float) -> ApiPrice:
    """Return an API's prices: two or three numbers, or the list price of a model."""
    from roofline.cost.breakeven import ApiPrice

    parts = [part.strip().removeprefix("$") for part in text.split(",")]
    if len(parts) == 1 and not parts[0][:1].isdigit() and parts[0][:1] != "-":
        return _list_price(model if parts[0] == "list" else parts[0], isl)
    return ApiPrice.read(text, "--versus-api")


def _list_price(model: str, isl: float) -> ApiPrice:
    from roofline.cost.breakeven import ApiPrice
    from roofline.cost.prices import snapshot
    from roofline.cost.quotes import When, middle, noon, ordinary, quotes

    known = snapshot()
    rows = quotes(known, When(noon(known.date)), model)
    found = middle(rows, isl)
    names = [f"usd_per_million_{kind}_tokens" for kind in ("input", "cached_input", "output")]
    fresh, cached, output = (float(found[name if name in found else names[0]]) for name in names)
    offers = len(ordinary(rows))
    return ApiPrice(fresh, cached, output, f"list price of {rows[0].model}, median of {offers} offers, {known.date}")
