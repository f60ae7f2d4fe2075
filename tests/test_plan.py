"""The search of deployments against plain Python, hand arithmetic, and published prices."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import roofline
from roofline import open_loop, serving, workload
from roofline.cli.main import cli
from roofline.errors import RooflineError
from roofline.planning import frontier, launch, points, pools, search, shared, space
from roofline.planning.option import Goal
from roofline.planning.points import Load
from roofline.planning.space import Space
from roofline.resolve import Request, resolve

LOAD = Load(8192.0, 1024.0)
SMALL = Space(("h100", "b200"), ("llama-3.3-70b",), engines=("vllm",), pp=(1, 2), most_chips=16)


def evaluated(where: Space, load: Load = LOAD) -> list[points.Curve]:
    return points.curves(list(space.systems(where, load.isl + load.osl)), load)


def test_the_space_is_whole() -> None:
    # Llama 70B has 64 heads and 8 KV heads: TP 1, 2, 4, 8 inside a server of 8; PP 1, 2; decode context parallelism
    # needs copies of KV heads, which TP 8 has none of. What does not fit falls out: FP8 takes 72.7 GB with the two
    # ends in BF16, more than 90 % of one H100; BF16 takes 141 GB and so more than two of them.
    found = list(space.systems(replace(SMALL, chips=("h100",)), 9216.0))
    shapes = {(s.deployment.tp, s.deployment.pp) for s in found}
    assert shapes == {(1, 2), (2, 1), (2, 2), (4, 1), (4, 2), (8, 1), (8, 2)}
    assert all(s.deployment.weights == "fp8" for s in found if s.deployment.chips == 2)
    assert {s.deployment.dcp for s in found} == {1}
    assert len({(s.deployment, s.names) for s in found}) == len(found)


def test_no_engine_makes_a_checkpoint_wider() -> None:
    # gpt-oss is shipped in four bits: --quantization fp8 has nothing to load. What is shipped in 16 may be narrowed.
    for model, formats in (("gpt-oss-120b", {"bf16"}), ("llama-3.3-70b", {"bf16", "fp8"})):
        found = space.systems(Space(("mi325x",), (model,), ("vllm",), tp=(1,), pp=(1,)), 2048.0)
        assert {system.deployment.weights for system in found} == formats


def test_experts_and_copies_of_kv_heads_are_split() -> None:
    where = Space(("b200",), ("gpt-oss-120b",), engines=("vllm",), pp=(1,), most_chips=8)
    found = [s.deployment for s in space.systems(where, 4096.0)]
    assert {(d.tp, d.dp, d.ep) for d in found} >= {(1, 8, 8), (8, 1, 1), (8, 1, 8), (2, 4, 8)}
    # DeepSeek's latent cache is copied to every TP rank: context parallelism divides the copies.
    where = Space(("b200",), ("deepseek-v3",), engines=("vllm",), pp=(1,), dp=(1,), tp=(8,), most_chips=8)
    assert {s.deployment.dcp for s in space.systems(where, 4096.0)} == {1, 2, 4, 8}


def test_arrays_equal_plain_python() -> None:
    """5,000 points, each worked out again with the plain functions of the kernel."""
    where = Space(("h100", "b200", "mi300x", "wse3"), ("llama-3.3-70b",), weights=("fp8",), kv=("fp8",), pp=(1, 2))
    found = evaluated(where)
    pairs = [(one, index) for one in found for index in range(len(one.batch))]
    chosen = pairs[:: max(1, len(pairs) // 5000)][:5000]
    assert len(chosen) >= 4000
    for one, index in chosen:
        plain = open_loop.steady(one.system, float(one.batch[index]), LOAD.isl, LOAD.osl)
        assert one.tpot[index] == pytest.approx(plain.tpot, rel=1e-12)
        assert one.ttft[index] == pytest.approx(plain.ttft, rel=1e-12)
        assert one.rate[index] == pytest.approx(plain.requests_per_second, rel=1e-12)


@pytest.mark.parametrize("speculation", [None, workload.Speculation(3, 2.5)])
@pytest.mark.parametrize(
    ("model", "load"),
    [("gpt-oss-120b", Load(1024.0, 1024.0)), ("deepseek-v3", Load(20_000.0, 512.0, 4096.0)), ("llama-3.1-8b", LOAD)],
)
def test_arrays_equal_plain_python_everywhere(model: str, load: Load, speculation: workload.Speculation | None) -> None:
    """Experts, latents, windows, chunks of prompts, short prompts that share a step, cached prefixes, speculation."""
    where = Space(("b200", "mi300x"), (model,), pp=(1, 2), most_chips=16)
    every = list(space.systems(where, load.isl + load.osl))
    for system in every[:: max(1, len(every) // 25)]:
        one = points.curve(system, load, speculation)
        for index in {0, 1, 2, 6, len(one.batch) // 3, len(one.batch) - 1} & set(range(len(one.batch))):
            n = float(one.batch[index])
            plain = open_loop.steady(system, n, load.isl, load.osl, load.past, speculation)
            step = workload.mean_decode(system, n, load.isl, load.osl, speculation)
            assert one.step[index] == pytest.approx(step, rel=1e-12)
            assert one.tpot[index] == pytest.approx(plain.tpot, rel=1e-12)
            assert one.ttft[index] == pytest.approx(plain.ttft, rel=1e-12)
            assert one.rate[index] == pytest.approx(plain.requests_per_second, rel=1e-12)


def test_the_choice_equals_brute_force() -> None:
    """The cheapest of all points by a plain loop over plain Python."""
    goal = Goal(LOAD, ttft=2.0, tpot=0.025, most_chips=16)
    usd = {"h100": 2.95, "b200": 5.98}
    best = None
    count = 0
    for system in space.systems(SMALL, 9216.0):
        limit = int(workload.batch_limit(system, LOAD.isl, LOAD.osl))
        for n in range(1, min(limit, 160) + 1):
            count += 1
            seen = open_loop.steady(system, float(n), LOAD.isl, LOAD.osl)
            if seen.ttft <= 2.0 and seen.tpot <= 0.025:
                dollars = system.deployment.chips * usd[system.names[0]] / 3600 / seen.requests_per_second
                if best is None or dollars < best[0] * (1 - 1e-12):
                    best = (dollars, system.deployment, system.names, n)
    assert count > 3000
    assert best is not None
    found = min(shared.cheapest(evaluated(SMALL), goal, usd), key=lambda option: option.order)
    assert found.usd_per_request == pytest.approx(best[0], rel=1e-9)
    assert (found.decode.system.deployment, found.decode.system.names, found.decode.batch) == best[1:]


def test_steady_state_by_hand() -> None:
    # n = 4 requests decode together in steps of s, each prefilled in w: a copy turns over n / (n w + (osl - 1) s)
    # requests a second, is busy with prefill for the share rate x w, and a token takes s / (1 - that).
    system = resolve(Request("h100", "llama-3.3-70b", "vllm", tp=4, weights="fp8"))
    w = serving.prefill_seconds(system, 4.0, 8192.0) / 4.0
    s = workload.mean_decode(system, 4.0, 8192.0, 1024.0)
    seen = open_loop.steady(system, 4.0, 8192.0, 1024.0)
    assert seen.requests_per_second == pytest.approx(4.0 / (4.0 * w + 1023.0 * s))
    assert seen.tpot == pytest.approx(s / (1.0 - seen.requests_per_second * w))
    # Little's law: the requests in decode are the rate times the time they spend there.
    assert seen.requests_per_second * 1023.0 * seen.tpot == pytest.approx(4.0)
    again = open_loop.at_rate(system, seen.requests_per_second, 8192.0, 1024.0)
    assert again is not None
    assert again.batch == pytest.approx(4.0, rel=1e-6)


def test_pools_by_hand() -> None:
    goal = Goal(LOAD, ttft=2.0, tpot=0.02, rate=20.0)
    usd = {"h100": 2.95, "b200": 5.98}
    for option in pools.separate(evaluated(SMALL), goal, usd):
        assert option.prefill is not None
        step = workload.mean_decode(option.decode.system, option.decode.batch, LOAD.isl, LOAD.osl)
        assert option.tpot == pytest.approx(step)
        assert option.tpot <= 0.02
        assert option.ttft <= 2.0 * (1 + 1e-9)
        # Enough copies of each: a decode copy turns over batch / (1,023 steps).
        assert option.decode.copies == math.ceil(20.0 / (option.decode.batch / (1023.0 * step)) - 1e-9)
        alone = serving.prefill_seconds(option.prefill.system, option.prefill.batch, LOAD.isl)
        assert option.prefill.copies * option.prefill.batch / alone >= 20.0


def test_a_rate_takes_whole_copies() -> None:
    records = roofline.plan("h100", "llama-3.1-8b", isl=1024, osl=256, tpot=0.03, rate=100, pools="shared")
    best = records[0]
    assert best["copies"] * best["chips"] == best["total_chips"]
    assert best["requests_per_second"] == 100
    assert 0 < best["utilisation"] <= 1
    rent = best["usd_per_hour"] / 3600
    assert best["usd_per_million_tokens"] == pytest.approx(rent / 100 / 1280 * 1e6)


def test_more_freedom_is_never_dearer() -> None:
    def cost(**options: object) -> float:
        records = roofline.plan("b200", "llama-3.3-70b", engine="vllm", pp=(1, 2), **options)
        return float(records[0]["usd_per_million_tokens"])

    loose, tight = cost(ttft=4.0, tpot=0.05), cost(ttft=2.0, tpot=0.02)
    assert loose <= tight
    assert cost(ttft=2.0, tpot=0.02) <= cost(ttft=2.0, tpot=0.02, pools="shared")
    assert cost(tpot=0.02, margin=1.5) == cost(tpot=0.02 / 1.5)


def test_the_frontier_is_one() -> None:
    records = roofline.plan(("h100", "b200"), "llama-3.3-70b", engine="vllm", ttft=2.0, pools="shared")
    line = [r for r in records if r["role"] == "frontier"]
    assert len(line) > 5
    speed = np.array([r["tokens_per_second_per_user"] for r in line])
    dollars = np.array([r["usd_per_million_tokens"] for r in line])
    assert (np.diff(speed) < 0).all()
    assert (np.diff(dollars) < 0).all()
    dense = [r for r in records if r["role"] == "chip-frontier"]
    assert len(dense) > 5
    assert (np.diff([r["tokens_per_second_per_user"] for r in dense]) < 0).all()
    assert (np.diff([r["tokens_per_second_per_chip"] for r in dense]) > 0).all()


def test_the_frontier_of_a_load_is_one() -> None:
    records = roofline.plan("h100", "llama-3.3-70b", ttft=2.0, rate=3.0, engine="vllm", pp=(1, 2))
    for role, key, sign in (("frontier", "usd_per_million_tokens", -1), ("chip-frontier", "total_chips", -1)):
        line = [r for r in records if r["role"] == role]
        assert len(line) > 1
        assert (np.diff([r["tokens_per_second_per_user"] for r in line]) < 0).all()
        assert (sign * np.diff([r[key] for r in line]) > 0).all()


def test_first_tokens_without_a_promise_come_all_the_same() -> None:
    records = roofline.plan("h100", "llama-3.3-70b", tpot=0.02, pools="separate", engine="vllm")
    assert all(r["ttft_seconds"] < 60 for r in records)


def test_the_frontier_is_that_of_all_points() -> None:
    """Every point against every other, without the first pass over some of them."""
    found, goal, usd = evaluated(SMALL), Goal(LOAD, ttft=2.0), {"h100": 2.95, "b200": 5.98}
    every = []
    for one in found:
        dollars = one.system.deployment.chips * usd[one.system.names[0]] / 3600 / one.rate
        every += [pair for pair, kept in zip(zip(one.tpot, dollars, strict=True), one.ttft <= 2.0, strict=True) if kept]
    best: list[tuple[float, float]] = []
    for pair in sorted(every):
        if not best or pair[1] < best[-1][1] * (1 - 1e-9):
            best.append(pair)
    line = frontier.frontier(found, goal, usd, "shared", most=10**9)
    assert [(o.tpot, o.usd_per_request) for o in line] == [pytest.approx(pair, rel=1e-9) for pair in best]


def test_batches_are_capped() -> None:
    options = {"tpot": 0.05, "tp": 1, "pp": 1, "engine": "vllm", "pools": "shared"}
    free, capped = (roofline.plan("h100", "llama-3.1-8b", **options, max_batch=most)[0] for most in (None, 16))
    assert free["batch"] > 16 == capped["batch"]
    assert capped["usd_per_million_tokens"] > free["usd_per_million_tokens"]
    assert capped["tpot_seconds"] < free["tpot_seconds"]


def test_the_same_question_has_the_same_answer() -> None:
    options = {"ttft": 2.0, "tpot": 0.02, "engine": "vllm", "pp": (1,)}
    one = roofline.plan(("h100", "b200"), "llama-3.3-70b", **options)
    search._evaluate.cache_clear()
    other = roofline.plan(("b200", "h100"), "llama-3.3-70b", **options)
    assert json.dumps(one[0], sort_keys=True) == json.dumps(other[0], sort_keys=True)


def test_mixed_pools_take_the_best_of_both() -> None:
    records = roofline.plan(("trainium2", "wse3"), "llama-3.3-70b", pools="separate", ttft=5.0)
    labels = {(r["prefill_hardware"], r["hardware"]) for r in records if "prefill_hardware" in r}
    assert ("trainium2", "wse3") in labels


def test_speculation_is_tried_beside_plain_decode() -> None:
    plain = roofline.plan("h100", "llama-3.1-8b", tpot=0.02, pools="shared", tp=(1,), pp=(1,), engine="vllm")
    both = roofline.plan(
        "h100", "llama-3.1-8b", tpot=0.02, pools="shared", tp=(1,), pp=(1,), engine="vllm", drafted=3, accepted=3.0
    )
    assert both[0]["usd_per_million_tokens"] <= plain[0]["usd_per_million_tokens"]
    fast = next(r for r in both if r["role"] == "fastest")
    assert (fast["drafted_tokens"], fast["accepted_tokens_per_step"]) == (3, 3.0)
    assert '{"method": "eagle3", "model": "EAGLE3_HEAD", "num_speculative_tokens": 3}' in fast["command"]
    assert fast["tpot_seconds"] < next(r for r in plain if r["role"] == "fastest")["tpot_seconds"]


@pytest.mark.parametrize(
    ("engine", "parts"),
    [
        ("vllm", ["vllm serve", "--data-parallel-size 8", "--enable-expert-parallel", "--kv-cache-dtype fp8"]),
        ("sglang", ["--tp-size 8", "--dp-size 8 --enable-dp-attention", "--ep-size 8", "--max-running-requests 64"]),
        ("tensorrt-llm", ["trtllm-serve", "--tp_size 8", "--ep_size 8", "enable_attention_dp: true"]),
    ],
)
def test_launch_commands(engine: str, parts: list[str]) -> None:
    system = resolve(Request("b200", "deepseek-v3", engine, tp=1, dp=8, ep=8, kv="fp8"))
    line = launch.command(system, 64.0, 9216)
    assert line is not None
    assert shlex.split(line)
    for part in parts:
        assert part in line
    assert launch.command(resolve(Request("wse3", "llama-3.3-70b")), 1.0, 9216) is None


def test_a_port_is_started_like_what_it_derives_from() -> None:
    system = resolve(Request("mi300x", "deepseek-v3", "sglang", tp=8))
    assert system.names[2] == "sglang-cdna3"
    assert "sglang.launch_server" in str(launch.command(system, 64.0, 9216))


@pytest.mark.parametrize(
    ("engine", "part"),
    [
        ("vllm", "--tensor-parallel-size 8 --decode-context-parallel-size 4"),
        ("sglang", "--tp-size 8 --dcp-size 4"),
        ("tensorrt-llm", "--tp_size 2 --cp_size 4"),
    ],
)
def test_launch_commands_that_divide_contexts(engine: str, part: str) -> None:
    line = launch.command(resolve(Request("b200", "deepseek-v3", engine, tp=8, dcp=4)), 64.0, 9216)
    assert line is not None
    assert part in line


@pytest.mark.parametrize(
    ("engine", "part"),
    [
        ("vllm", """--speculative-config '{"method": "mtp", "num_speculative_tokens": 3}'"""),
        ("sglang", "--speculative-algorithm EAGLE --speculative-num-steps 3"),
        ("tensorrt-llm", "speculative_config: {decoding_type: MTP, num_nextn_predict_layers: 3}"),
    ],
)
def test_launch_commands_that_draft(engine: str, part: str) -> None:
    system = resolve(Request("b200", "deepseek-v3", engine, tp=8))
    line = launch.command(system, 64.0, 9216, None, workload.Speculation(3, 2.5))
    assert line is not None
    assert part in line


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tpot": 1e-6}, r"no deployment meets TPOT 1e-06 s: the nearest, .* has a TPOT of .* times what it may be"),
        ({"ttft": 1e-3}, "has a TTFT of"),
        ({"ttft": 1e-3, "pools": "separate"}, "has a TTFT of"),
        ({"tpot": 0.02, "rate": 500.0, "max_chips": 4}, "no deployment within 4 chips meets TPOT 0.02 s: the cheapest"),
        ({"max_chips": 1, "isl": 1_000_000}, "h100 is left out: no deployment of at most 1 chips holds a request"),
        ({"speed": 50.0, "tpot": 0.02}, "give one of them"),
        ({"speed": float("nan")}, "--speed: nan is out of range"),
        ({"max_batch": 0}, "--max-batch: 0 is out of range"),
        ({"tp": (3,)}, "no deployment to choose from"),
        ({"weights": ("fp9",)}, "unknown dtype 'fp9'"),
        ({"drafted": 3}, "go together"),
        ({"cache_hit": 1.2}, "--cache-hit: 1.2 is out of range"),
        ({"basis": "gift"}, "has no 'gift' price"),
        ({"profile": "nap"}, "unknown workload 'nap'"),
        ({"warp": 9}, "unexpected keyword argument 'warp'"),
    ],
)
def test_what_cannot_be_is_one_line(options: dict[str, object], says: str) -> None:
    with pytest.raises(RooflineError, match=says) as caught:
        roofline.plan("h100", "llama-3.1-8b", **options)
    assert "\n" not in str(caught.value)


def test_a_chip_without_a_price_is_named() -> None:
    with pytest.raises(RooflineError, match="gaudi3 is left out: no published price; give --usd-per-hour"):
        roofline.plan("gaudi3", "llama-3.1-8b")
    assert roofline.plan("gaudi3", "llama-3.1-8b", usd_per_hour=2.0)[0]["price_basis"] == "given"


def test_command() -> None:
    where = ["plan", "--hw", "h100,b200", "--model", "llama-3.3-70b", "--engine", "vllm"]
    args = [*where, "--isl", "8k", "--osl", "1k", "--ttft", "2s", "--tpot", "20ms"]
    page = CliRunner().invoke(cli, args, standalone_mode=False)
    assert page.exception is None
    assert "deployments, first token within 2 s, time per token within 20 ms\n" in page.output
    for part in ("Started by", "vllm serve meta-llama/Llama-3.3-70B", "Why the others lost", "What speed costs"):
        assert part in page.output
    found = json.loads(CliRunner().invoke(cli, [*args, "--format", "json"], standalone_mode=False).output)
    assert {r["role"] for r in found} >= {"cheapest", "fastest", "frontier"}
    assert all(r["price_basis"] for r in found)
