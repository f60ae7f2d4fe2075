"""What the tool says for a measured row: the deployment the row names, the workload its mode means, its own metric."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from roofline import admission, open_loop, pools, serving, timed, unstated, workload
from roofline.interval import Interval
from roofline.row import SkippedError, as_scheduled, batch_of, lengths, past_of, request_of, splits, system_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from roofline.system import System
    from roofline.workload import Service

#: Metrics that count all chips of a row.
TOTALS = ("output_tok_s_total", "total_tok_s", "input_tok_s")
#: Modes whose queue is never empty; an open loop is published at the highest rate that it stands.
_FULL = ("offline_throughput", "server")
_RATES = ("output_tok_s_total", "output_tok_s_per_gpu", "total_tok_s")
#: One pool of a disaggregated row's notes: "prefill 4x(tp1 adp4 ep4)".
_POOL = re.compile(r"(prefill|decode) (\d+)x\(tp(\d+) adp(\d+) ep(\d+)\)")


@dataclass(frozen=True, slots=True)
class Prediction:
    """A predicted value in the row's own metric.

    Attributes
    ----------
    value : float
        In the unit that the metric names.
    rising : bool
        True where more is faster: a rate. False for a time.
    system : System
        What the row was resolved to.
    served : Interval, optional
        Spatial chips as served, speculation undisclosed: the range of such services.
    busy : float
        Share of the service's time that goes to prefills.
    """

    value: float
    rising: bool
    system: System
    served: Interval | None = None
    busy: float = 0.0


def predict(m: Any, adjust: Callable[[System], System] | None = None) -> Prediction:
    """Return the prediction for a measurement.

    Parameters
    ----------
    m : Measurement
    adjust : callable, optional
        Changes the system before it is evaluated: other constants, for a fit.

    Raises
    ------
    SkippedError
        With the reason, where the row cannot be predicted.
    """
    if m.spec_decode == "true":
        raise SkippedError("speculative decoding, with no word on how many tokens were drafted and accepted")
    if m.mode == "kernel":
        raise SkippedError("a single kernel, not a model")
    if m.metric == "tok_s_total_undefined":
        raise SkippedError("the source does not define its throughput")
    if m.mode == "disagg":
        return _disaggregated(m, adjust)
    if m.mode in _FULL:
        return _saturated(m, adjust)
    system = system_of(request_of(m))
    if adjust is not None:
        system = adjust(system)
    if system.spatial:
        return _spatial(m, system)
    if m.mode not in _PREDICTORS:
        raise SkippedError(f"mode {m.mode!r} is not predicted")
    found = _PREDICTORS[m.mode](m, system)
    if m.metric in TOTALS and m.n_chips and m.n_chips < system.deployment.dp:
        # Told per server of a wider group.
        found = replace(found, value=found.value * m.n_chips / system.deployment.chips)
    return found


def _from_service(m: Any, system: System, service: Service) -> Prediction:
    """Read the row's metric off a service."""
    chips = system.deployment.chips
    out = service.output_tokens_per_second
    rates = {
        "output_tok_s_total": out,
        "output_tok_s_per_gpu": out / chips,
        "total_tok_s": service.requests_per_second * (service.isl + service.osl),
        "input_tok_s": service.requests_per_second * service.isl,
        "input_tok_s_per_gpu": service.requests_per_second * service.isl / chips,
        "tok_s_user": 1.0 / service.tpot,
    }
    if m.metric in rates:
        return Prediction(rates[m.metric], True, system, busy=service.busy)
    times = {
        "ttft_ms": service.ttft,
        "tpot_ms": service.tpot,
        "itl_ms": service.tpot,
        "e2e_latency_ms": service.latency,
    }
    if m.metric in times:
        # The first token of a batch is all prefill.
        busy = 1.0 if m.mode == "static_batch" and m.metric == "ttft_ms" else service.busy
        return Prediction(times[m.metric] * 1e3, False, system, busy=busy)
    raise SkippedError(f"metric {m.metric!r} does not belong to mode {m.mode!r}")


def _static(m: Any, system: System) -> Prediction:
    if m.metric == "ttft_ms" and m.osl is None and m.isl is not None:
        return _prefill(m, system)
    isl, osl = lengths(m)
    batch = batch_of(m)
    service = workload.static_batch(system, batch, isl, osl)
    if m.metric == "e2e_latency_ms":
        return Prediction(1e3 * batch / service.requests_per_second, False, system)
    return _from_service(m, system, service)


def _concurrency(m: Any, system: System) -> Prediction:
    isl, osl = lengths(m)
    system = as_scheduled(system, unstated.scheduler(m, system.deployment.dp))
    return _from_service(m, system, workload.closed_loop(system, batch_of(m), isl, osl, alike=not unstated.varied(m)))


def _saturated(m: Any, adjust: Callable[[System], System] | None) -> Prediction:
    """Predict a full queue; where the row leaves the split out, that of the fastest: nobody publishes another."""
    isl, osl = lengths(m)
    if m.mode == "server" and m.metric not in _RATES:
        raise SkippedError("the row states no request rate")
    batch = float(m.batch) if m.batch and m.mode != "server" else None
    limits = unstated.limits(m) if m.mode == "server" else None
    found: list[Prediction] = []
    reason: SkippedError | None = None
    for asked in splits(m):
        try:
            system = system_of(asked)
        except SkippedError as error:
            reason = error
            continue
        if adjust is not None:
            system = adjust(system)
        if system.spatial:
            return _spatial(m, system)
        service = workload.saturated(system, isl, osl, batch)
        if limits is not None:
            service = open_loop.within(system, isl, osl, *limits) or service
        found.append(_from_service(m, system, service))
    if not found:
        raise reason or SkippedError("the row states no deployment that holds the model")
    return max(found, key=lambda one: one.value) if found[0].rising else found[0]


def _prefill(m: Any, system: System) -> Prediction:
    if m.isl is None:
        raise SkippedError("the row states no prompt length")
    isl = float(max(1, m.isl))
    batch = float(m.batch or 1)
    if m.batch is None and m.metric.startswith("input_tok_s") and system.deployment.dp > 1:
        # A rate of ranks side by side is that of full steps on each.
        batch = system.deployment.dp * max(1.0, serving.prefill_chunk(system) // isl)
    seconds = serving.prefill_seconds(system, batch, isl, past_of(m)) + admission.host_seconds(system, isl)
    rate = batch * isl / seconds
    if m.metric == "input_tok_s_per_gpu":
        rate /= system.deployment.chips
    if m.metric in ("input_tok_s", "input_tok_s_per_gpu"):
        return Prediction(rate, True, system)
    if m.metric in ("ttft_ms", "e2e_latency_ms"):
        return Prediction(1e3 * seconds, False, system)
    raise SkippedError(f"metric {m.metric!r} does not belong to mode {m.mode!r}")


def _decode(m: Any, system: System) -> Prediction:
    if m.isl is None:
        raise SkippedError("the row states no context")
    isl, osl = float(m.isl), float(m.osl or 1)
    batch = batch_of(m)
    step = workload.mean_decode(system, batch, max(1.0, isl), osl)
    return _from_service(m, system, workload.Service(step, step, batch / (osl * step), batch, isl, osl))


def _low_latency(m: Any, system: System) -> Prediction:
    if m.metric == "ttft_ms":
        return _prefill(m, system)
    isl, osl = lengths(m)
    service = workload.static_batch(system, batch_of(m), isl, osl)
    if m.metric == "e2e_latency_ms":
        return Prediction(1e3 * service.latency, False, system)
    return _from_service(m, system, service)


def _disaggregated(m: Any, adjust: Callable[[System], System] | None) -> Prediction:
    shapes = {name: tuple(map(int, rest)) for name, *rest in _POOL.findall(m.notes or "")}
    if set(shapes) != {"prefill", "decode"}:
        raise SkippedError("the row does not state the shapes of its pools")
    isl, osl = lengths(m)

    def pool(name: str) -> pools.Pool:
        copies, tp, dp, ep = shapes[name]
        system = system_of(
            replace(request_of(m), chips=tp * dp, tp=tp, pp=1, dp=dp, ep=ep if (tp * dp) % ep == 0 else 1)
        )
        return pools.Pool(adjust(system) if adjust else system, copies)

    prefill, decode = pool("prefill"), pool("decode")
    service = pools.disaggregated(prefill, decode, batch_of(m), isl, osl)
    return _from_service(m, decode.system, service)


def _step(m: Any, system: System) -> Prediction:
    """Predict kernel time alone: the row holds no host time."""
    if m.isl is None:
        raise SkippedError("the row states no lengths")
    phase = "decode" if m.mode == "step_decode" else "prefill"
    if m.metric in timed.PARTS:
        seconds = timed.part_seconds(system, phase, batch_of(m), float(m.isl), timed.PARTS[m.metric])
        if seconds <= 0:
            raise SkippedError(f"a step of this deployment has no {m.metric[:-3]} kernels")
        return Prediction(seconds * 1e3, False, system)
    seconds = timed.step_seconds(system, phase, batch_of(m), float(m.isl))
    if m.metric not in ("latency_ms", "latency_us"):
        raise SkippedError(f"metric {m.metric!r} does not belong to mode {m.mode!r}")
    return Prediction(seconds * (1e3 if m.metric == "latency_ms" else 1e6), False, system)


def _spatial(m: Any, system: System) -> Prediction:
    """Predict a wafer or LPU: without speculation where the row says so, else as such services are seen to deliver."""
    if m.mode in ("prefill_only", "static_batch") or m.metric == "ttft_ms":
        return _prefill(m, system) if m.mode != "static_batch" else _static(m, system)
    context = float(m.isl or 1024)
    batch = float(m.batch or 1)
    if m.mode == "pipeline_full":
        seconds = serving.decode_seconds(system, 1.0, context) / batch
        return Prediction(1.0 / seconds, True, system)
    served = serving.as_served(system, batch)
    if m.spec_decode == "false" or served is None:
        return Prediction(1.0 / serving.decode_seconds(system, batch, context), True, system)
    worst = Interval(1.0 / served.worst, served.worst, "calibrated")
    return Prediction(1.0 / served.seconds, True, system, worst)


_PREDICTORS: dict[str, Callable[[Any, System], Prediction]] = {
    "static_batch": _static,
    "concurrency": _concurrency,
    "prefill_only": _prefill,
    "decode_only": _decode,
    "min_latency": _low_latency,
    "step_decode": _step,
    "step_prefill": _step,
}
