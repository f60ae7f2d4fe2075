"""A plan as flat records: the cheapest, the fastest, the runners-up, the near misses and the frontiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roofline import serving
from roofline.interval import interval
from roofline.planning import launch
from roofline.report.record import Record, clean, inputs, with_interval

if TYPE_CHECKING:
    from roofline.planning.option import Goal, Option
    from roofline.planning.search import Answer


def records(answer: Answer, goal: Goal) -> list[Record]:
    """Return one record per option, each with its `role`."""
    found: list[Record] = []
    for role, option in (("cheapest", answer.cheapest), ("fastest", answer.fastest)):
        if option is not None:
            found.append(_record(role, option, answer, goal) | _commands(option))
    for option, reason in answer.others:
        found.append(_record("runner-up", option, answer, goal) | {"reason": reason})
    for miss in answer.misses:
        promise = goal.ttft if miss.limit == "TTFT" else goal.tpot
        words = f"{miss.limit} is {miss.factor:.2f} times the promised {promise:g} s"
        found.append(_record("near-miss", miss.option, answer, goal) | {"reason": words})
    found += [_record("frontier", option, answer, goal) for option in answer.frontier]
    found += [_record("chip-frontier", option, answer, goal) for option in answer.chip_frontier]
    return [clean(record) for record in found]


def _record(role: str, option: Option, answer: Answer, goal: Goal) -> Record:
    load, system = goal.load, option.decode.system
    record = inputs(system, "no_speculation" if system.spatial else "predicted")
    record |= {"role": role, "pools": "shared" if option.prefill is None else "separate", "dcp": system.deployment.dcp}
    record |= {"copies": option.decode.copies, "batch": option.decode.batch}
    if option.decode.speculation is not None:
        record |= {"drafted_tokens": option.decode.speculation.drafted}
        record |= {"accepted_tokens_per_step": option.decode.speculation.accepted}
    if option.prefill is not None:
        first = option.prefill
        d = first.system.deployment
        record |= {"prefill_hardware": first.system.names[0], "prefill_engine": first.system.names[2]}
        record |= {"prefill_chips": d.chips, "prefill_copies": first.copies, "prefill_batch": first.batch}
        record |= {f"prefill_{name}": getattr(d, name) for name in ("tp", "pp", "dp", "ep")}
        record |= {"prefill_weights_dtype": d.weights}
    rent = option.usd_per_hour / 3600.0
    record |= {
        "total_chips": option.chips,
        "isl": load.isl,
        "osl": load.osl,
        "past_tokens": load.past,
        "promised_ttft_seconds": goal.ttft,
        "promised_tpot_seconds": goal.tpot,
        "ttft_seconds": option.ttft,
        "tpot_seconds": option.tpot,
        "tokens_per_second_per_user": option.speed,
        "requests_per_second": option.carried,
        "tokens_per_second": option.carried * load.osl,
        "tokens_per_second_per_chip": option.carried * load.osl / option.chips,
        "utilisation": option.carried / option.capacity,
        "usd_per_hour": option.usd_per_hour,
        "usd_per_million_tokens": rent / option.carried / (load.isl + load.osl) * 1e6,
        "usd_per_million_output_tokens": rent / option.carried / load.osl * 1e6,
    }
    price = answer.prices[system.names[0]]
    record |= {"price_basis": price.basis, "price_date": price.date}
    record |= {"points": answer.points, "deployments": answer.deployments}
    times = {k: v for k, v in record.items() if k != "ttft_seconds"}
    first = option.prefill or option.decode
    prefill = serving.prefill_seconds(first.system, 1.0, max(1.0, load.isl - load.past), load.past)
    busy = min(1.0, option.carried * prefill / first.copies)
    record |= with_interval(times, interval(system, "tpot", 0.0 if option.prefill else busy))
    bounds = with_interval({"ttft_seconds": option.ttft}, interval(first.system, "ttft", busy))
    return record | {k: v for k, v in bounds.items() if k != "confidence"} | {"warnings": list(system.warnings)}


def _commands(option: Option) -> Record:
    load = option.goal.load
    context = int(load.isl + load.osl)
    role = "decode" if option.prefill else None
    then = option.decode
    found: Record = {"command": launch.command(then.system, then.batch, context, role, then.speculation)}
    if option.prefill is not None:
        found["prefill_command"] = launch.command(option.prefill.system, option.prefill.batch, context, "prefill")
    return found
