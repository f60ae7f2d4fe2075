"""Steps composed of kernels timed alone: the computed charge for norms and activations, and what is not in the sum."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roofline import timed
from roofline.resolve import Request, resolve
from roofline.specs.figure import Figure
from roofline.system import System


def system(model: str, hardware: str, tp: int = 1) -> System:
    return resolve(Request(hardware, model, "tensorrt-llm", chips=tp, tp=tp), 1.0, 1024.0)


@pytest.mark.parametrize(
    ("model", "hardware", "tp", "tokens", "published_us"),
    [
        # `other_ms` per layer in a public sweep. Llama-3.1-70B, T = 2,048, B200: three kernels, 9 us, and
        # (8 x 8,192 + 3 x 28,672) x 2 B x 2,048 at 0.8 x 7.7 TB/s = 101 us.
        ("llama-3.1-70b", "b200", 1, 2048, 109.9),
        ("llama-3.1-70b", "h100", 8, 4096, 242.5),
        # Experts keep their activation: two norms of Qwen3-30B-A3B, 6 us + 8 x 2,048 x 2 B x 2,048 at 6.16 TB/s.
        ("qwen3-30b-a3b", "b200", 1, 2048, 17.0),
    ],
)
def test_the_computed_charge_of_public_sweeps(
    model: str, hardware: str, tp: int, tokens: int, published_us: float
) -> None:
    one = system(model, hardware, tp)
    layers = one.model.n_layers
    assert 1e6 * timed._charge(one, float(tokens)) / layers == pytest.approx(published_us, rel=0.02)


def test_host_and_small_kernels_are_not_in_the_sum() -> None:
    one = system("llama-3.1-8b", "h100")
    engine = replace(one.engine, host_per_step=Figure(1.0), launches_per_layer=Figure(1e3))
    slow = replace(one, rates=replace(one.rates, engine=engine))
    assert timed.step_seconds(slow, "decode", 8.0, 1024.0) == timed.step_seconds(one, "decode", 8.0, 1024.0)


def test_the_sum_is_its_parts_and_the_charge() -> None:
    one = system("deepseek-v3", "h200", 8)
    parts = sum(timed.part_seconds(one, "decode", 8.0, 1024.0, (name,)) for name in ("gemm", "attn", "moe", "comm"))
    assert parts + timed._charge(one, 8.0) == pytest.approx(timed.step_seconds(one, "decode", 8.0, 1024.0))
    mixer = timed.part_seconds(one, "decode", 8.0, 1024.0, timed.PARTS["mixer_ms"])
    alone = [timed.part_seconds(one, "decode", 8.0, 1024.0, (name,)) for name in ("gemm", "attn")]
    assert mixer == pytest.approx(sum(alone))


def test_sums_of_llama_4_hold_one_all_reduce_a_layer() -> None:
    # Maverick has 48 layers, every one with two all-reduces under TP 8; the public sums hold 48. The logits stay.
    one = system("llama-4-maverick", "h200", 8)
    rows = timed._rows(one.decode, ("comm",), short=True)
    assert sum(r.count for r in rows if r.op == "all-reduce") == 48
    assert sum(r.count for r in timed._rows(one.decode, ("comm",), short=False) if r.op == "all-reduce") == 96
    assert not any(r.op.startswith("shared_") for r in timed._rows(one.decode, ("gemm",), short=True))


def test_eight_bit_products_pay_for_their_inputs() -> None:
    one = resolve(Request("h100", "llama-3.1-8b", "tensorrt-llm", weights="fp8"), 1.0, 1024.0)
    free = replace(one, rates=replace(one.rates, engine=replace(one.engine, isolated_quantise=Figure(0.0))))
    quantise = one.engine.isolated_quantise
    assert quantise is not None
    # Four products in each of 32 layers; the LM head stays in 16 bits.
    extra = timed.step_seconds(one, "decode", 8.0, 1024.0) - timed.step_seconds(free, "decode", 8.0, 1024.0)
    assert extra == pytest.approx(128 * quantise.value, rel=1e-6)


def test_a_decode_kernel_alone_takes_its_gap_longer() -> None:
    one = system("llama-3.1-8b", "h100")
    close = replace(one, rates=replace(one.rates, engine=replace(one.engine, isolated_gap=Figure(0.0))))
    gap = one.engine.isolated_gap
    assert gap is not None
    # Four products and an attention in each of 32 layers, and the LM head: 161 kernels, nothing between chips.
    extra = timed.step_seconds(one, "decode", 8.0, 1024.0) - timed.step_seconds(close, "decode", 8.0, 1024.0)
    assert extra == pytest.approx(161 * gap.value, rel=1e-6)
