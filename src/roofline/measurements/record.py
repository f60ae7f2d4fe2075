"""One measured number with everything that its source says about how it was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: How a number was taken. static_batch: one batch, prefill and every decode step; offline_throughput: the queue is
#: always full; concurrency: so many clients, each sends its next request when the last is answered; disagg: prefill
#: and decode on separate chips; server: requests arrive at a rate; step_decode, step_prefill: kernel time of one step.
MODES = (
    "static_batch",
    "offline_throughput",
    "concurrency",
    "disagg",
    "server",
    "prefill_only",
    "decode_only",
    "min_latency",
    "step_decode",
    "step_prefill",
    "pipeline_full",
    "kernel",
)

#: Modes that describe no whole step or request; their rows are kept, and whoever predicts skips them.
SKIPPED_MODES = ("kernel",)

#: What was measured; the unit is the end of the name. ``gemm_ms`` to ``comm_ms`` are parts of a step of kernels timed
#: one by one (``mixer_ms``: products and attention together). ``total_tok_s`` counts input and output tokens,
#: ``tok_s_total_undefined`` is a rate whose source does not say what it counts, ``itl_ms`` is read as ``tpot_ms``.
METRICS = (
    "output_tok_s_total",
    "output_tok_s_per_gpu",
    "total_tok_s",
    "tok_s_user",
    "tpot_ms",
    "ttft_ms",
    "input_tok_s",
    "input_tok_s_per_gpu",
    "e2e_latency_ms",
    "latency_ms",
    "latency_us",
    "gemm_ms",
    "attn_ms",
    "mixer_ms",
    "moe_ms",
    "comm_ms",
    "tok_s_total_undefined",
    "itl_ms",
)

#: Metrics that are another's name.
METRIC_ALIASES = {"itl_ms": "tpot_ms"}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured number; text is empty and a number None where the source does not say.

    Attributes
    ----------
    hardware, model, engine, engine_version : str
        Names as the file has them; the caller looks them up.
    mode, metric : str
        One of `MODES` and of `METRICS` (aliases resolved).
    value : float
        The measured number, above zero [unit in the metric's name].
    row : int
        Line of the file that the row begins on, counted from 1 (a CSV header is line 1).
    n_chips, tp, pp, dp, ep, moe_tp : int or None
        Chips and how the model is split over them.
    weight_precision, kv_precision, act_precision, moe_precision : str
        Number formats as the file writes them.
    isl, osl : int or None
        Input and output tokens of a request, the rounded mean where lengths vary [tokens]; 0 where a phase has none.
    batch : int or None
        Sequences at once: the batch, or the number of concurrent requests.
    spec_decode : str
        ``true``, ``false``, ``unknown`` or empty: whether tokens were speculated.
    cores : str
        Region of a spatial chip, for example ``660x660``.
    extra : mapping of str to str
        Columns this class has no field for, such as ``gemm_ms``; for a load generator's file also ``request_rate``
        [requests/s], ``max_concurrency``, ``requests`` and ``acceptance_length`` [tokens per step], where it tells.
    raw : mapping of str to str
        The whole input row as text, in the order of its columns.
    """

    hardware: str
    model: str
    mode: str
    metric: str
    value: float
    row: int
    id: str
    source: str
    source_ref: str
    date: str
    n_chips: int | None
    tp: int | None
    pp: int | None
    dp: int | None
    ep: int | None
    engine: str
    engine_version: str
    weight_precision: str
    kv_precision: str
    act_precision: str
    isl: int | None
    osl: int | None
    batch: int | None
    spec_decode: str
    cores: str
    notes: str
    moe_precision: str
    moe_tp: int | None
    extra: Mapping[str, str]
    raw: Mapping[str, str]
