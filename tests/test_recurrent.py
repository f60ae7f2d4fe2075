"""Layers with a recurrent state: what a prefill does with them, and how many sequences their states leave room for."""

from __future__ import annotations

import pytest

from roofline.constants import engine_key
from roofline.errors import RooflineError
from roofline.resolve import Request, resolve


def test_a_prefill_takes_a_recurrence_in_chunks() -> None:
    # Qwen3-Next: 32 heads of 128 x 128; 6 FLOPs an element, and five products of 64 tokens over 32 x 128 outputs.
    found = resolve(Request("h100", "qwen3-next-80b-a3b", "sglang", chips=4, tp=1, pp=4))
    decode, prefill = ([row for row in table.rows if row.op == "state"] for table in (found.decode, found.prefill))
    layers, elements = 36, 32 * 128 * 128
    assert sum(row.count * row.flops_token for row in decode) == layers * 6 * elements
    chunked = layers * (6 * elements + 5 * 2 * 64 * 32 * 128)
    assert sum(row.count * row.flops_token for row in prefill) == pytest.approx(chunked)
    assert sum(row.count for row in prefill) == 5 * sum(row.count for row in decode)
    # What is kept of a sequence crosses memory once a step in both.
    assert sum(row.count * row.bytes_sequence for row in prefill) == pytest.approx(
        sum(row.count * row.bytes_sequence for row in decode)
    )


@pytest.mark.parametrize(
    ("hw", "model", "rate", "tpot"),
    [
        ("h200", "qwen3.5-35b-a3b", 18_642, 28.08),
        ("b200", "qwen3.5-35b-a3b", 38_729, 22.47),
        ("b300", "qwen3.5-35b-a3b", 48_944, 33.54),
        ("h200", "qwen3.5-27b", 6_312, 39.26),
        ("b200", "qwen3.5-27b", 12_164, 31.61),
        ("b300", "qwen3.5-27b", 14_298, 46.23),
    ],
)
def test_states_set_apart_limit_a_batch(hw: str, model: str, rate: float, tpot: float) -> None:
    """SGLang 0.5.16, 8,192 in and 1,024 out, one chip, BF16, 0.8 of its memory filled (SGLang cookbook, Qwen3.6).

    Printed are total tokens a second and ms per output token; a request decodes 1,023 of its 9,216 tokens, so that
    rate/9,216 x 1,023 x tpot requests decode at a time. One pool for states and cache would hold 2 to 3 times as many.
    """
    running = rate / 9_216 * 1_023 * tpot / 1e3
    asked = Request(hw, model, "sglang@2026-07", weights="bf16", chips=1, set=("engine.kv_memory=0.8",))
    found = resolve(asked)
    assert running < found.memory.max_batch(8_192 + 512) < 1.4 * running
    assert found.memory.kv_room / found.memory.kv_bytes_per_chip(8_192 + 512) > 2.0 * running


@pytest.mark.parametrize("figure", ["state_slots", "max_batch", "prefill_tokens", "poll_steps"])
def test_counts_are_at_least_one(figure: str) -> None:
    with pytest.raises(RooflineError, match=f"{figure}: 0 is out of range; it must be at least 1"):
        resolve(Request("h200", "qwen3.5-27b", "sglang", set=(f"engine.{figure}=0",)))


def test_releases_that_differ_in_limits_are_as_fast() -> None:
    now, spring = (
        resolve(Request("h200", "qwen3-next-80b-a3b", f"sglang@{date}", chips=4)) for date in ("2026-07", "2026-03")
    )
    assert engine_key(now) == engine_key(spring) == "sglang"
    assert spring.memory.max_batch(8192) > now.memory.max_batch(8192)
