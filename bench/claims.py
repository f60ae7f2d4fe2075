"""Write docs/claims.md: the article's claims, each with the commands, the numbers they give today, and a verdict.

    python bench/claims.py [--page docs/claims.md]

Every number on the page comes out of a command that the page shows; verdicts follow from the numbers.
"""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from statistics import median
from typing import Any

from click.testing import CliRunner

from roofline.cli.main import cli
from roofline.units import format_si, significant

ROOT = Path(__file__).resolve().parents[1]
CHIPS = "h100,b200,gb200,wse3,tpu-v5e,tpu-v5p,tpu-v6e,tpu-v7,trainium2,trainium3,gaudi3,groq-lpu"
OPEN = ["deepseek-v4-flash", "llama-4-maverick"]
CLOSED = ["gemini-2.5-pro", "gpt-4.1", "claude-opus-4.7", "claude-sonnet-4.6", "gpt-5.5"]
#: Models of rising size.
SIZES = ["llama-3.1-8b", "gpt-oss-20b", "qwen3-32b", "llama-3.3-70b", "gpt-oss-120b", "llama-4-maverick", "kimi-k2"]
#: A model that any budget offer is made of, and what is asked of it.
BUDGET = ["llama-3.1-8b", "gpt-oss-20b", "gpt-oss-120b", "deepseek-v4-flash"]
Record = dict[str, Any]


def run(command: str) -> list[Record]:
    """Return the records of a command as the page shows it."""
    words = shlex.split(command)[1:]
    result = CliRunner().invoke(cli, [*words, "--format", "json"], standalone_mode=False, catch_exceptions=False)
    found: list[Record] = json.loads(result.stdout)
    return found


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table, the first column to the left."""
    rule = "| " + " | ".join("---" if i == 0 else "---:" for i in range(len(header))) + " |"
    lines = ["| " + " | ".join(header) + " |", rule]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def section(title: str, verdict: str, commands: list[str], *parts: str) -> str:
    """Return a section: the claim, the verdict, the commands, the numbers."""
    shown = "```sh\n" + "\n".join(commands) + "\n```"
    return "\n\n".join([f"## {title}", f"**{verdict}**", shown, *parts])


def usd(value: float | None) -> str:
    """Return dollars with three digits, or a dash."""
    return "-" if value is None else f"${significant(value)}"


def span(values: list[float], show: Any = significant) -> str:
    """Return one figure, or the range of a scenario."""
    low, high = min(values), max(values)
    return show(low) if high / low < 1.0005 else f"{show(low)} to {show(high)}"


def faster() -> str:
    """Decode on a wafer against the slowest, a typical and the fastest GPU endpoint."""
    models = ["llama-3.3-70b", "gpt-oss-120b", "llama-4-maverick", "deepseek-v4-flash"]
    wafer = f"roofline decode --hw wse3 --model {','.join(models)} --context 2k"
    load = "--isl 1k --osl 1k"
    fast = f"roofline serve --hw b200 --chips 8 --model {','.join(models)} --weights fp8 {load} --concurrency 1"
    usual = f"roofline serve --hw h100 --chips 16 --model {','.join(models)} --weights fp8 {load} --concurrency 64"
    full = f"roofline serve --hw h100 --chips 16 --model {','.join(models)} --weights fp8 {load}"
    served = {r["model"]: r for r in run(wafer) if r["estimate"] == "as_served"}
    plain = {r["model"]: r for r in run(wafer) if r["estimate"] == "no_speculation"}
    drafts = f"{fast} --drafted 3 --accepted 2.5"
    quickest = {r["model"]: r["tokens_per_second_per_user"] for r in run(drafts)}
    gpus = [quickest] + [{r["model"]: r["tokens_per_second_per_user"] for r in run(c)} for c in (fast, usual, full)]
    rows, ratios, alike = [], [], []
    for model in models:
        speed = served[model]["tokens_per_second_per_user"]
        times = [speed / gpu[model] for gpu in gpus]
        ratios.append(times)
        bounds = f"{significant(served[model]['tokens_per_second_per_user_low'])} to "
        bounds += significant(served[model]["tokens_per_second_per_user_high"])
        alike.append(plain[model]["tokens_per_second_per_user"] / gpus[1][model])
        row = [model, significant(plain[model]["tokens_per_second_per_user"]), f"{significant(speed)} ({bounds})"]
        rows.append([*row, *(f"{significant(g[model])}, {t:.1f}x" for g, t in zip(gpus, times, strict=True))])
    header = ["model", "wafer, no speculation", "wafer, as served", "8 B200, alone, speculating", "8 B200, alone"]
    header += ["typical: 16 H100, 64 users", "slowest: 16 H100, full"]
    drafting, alone, typical, slow = (median(column) for column in zip(*ratios, strict=True))
    verdict = (
        f"It depends on the baseline: a wafer as served is {drafting:.1f}x the fastest GPU endpoint that speculates "
        f"too, {alone:.1f}x the fastest that does not, {typical:.0f}x a typical one and {slow:.0f}x one that is full. "
        f"Without speculation on either side it is {median(alike):.1f}x the fastest."
    )
    first = (
        "Tokens per second of one user, and how many times slower than the wafer as served. As-served figures include "
    )
    first += (
        "speculation that the vendor does not disclose; the second command's drafting of 3 tokens, 2.5 of which a step "
    )
    first += "yields, stands for what GPU endpoints do."
    compare = f"roofline compare --hw {CHIPS} --model llama-4-maverick"
    side = []
    for r in run(compare):
        what = "as served" if r["estimate"] == "as_served" else "predicted"
        price = f"{usd(r['usd_per_hour'])}/h, {r['price_basis']}" if "usd_per_hour" in r else "no published price"
        out = usd(r.get("usd_per_million_output_tokens"))
        speed = f"{significant(r['tokens_per_second_per_user'])}, {what}"
        side.append([r["hardware"], f"{r['chips']:,}", speed, price, out])
    every = table(["chip", "chips", "tok/s of one user", "rent", "$/M output, batch 1"], side)
    return section(
        "A wafer decodes 10 to 20 times faster than GPUs",
        verdict,
        [wafer, drafts, fast, usual, full, compare],
        table(header, rows),
        first,
        "Every chip of the article, Llama 4 Maverick, one user at 8,192 tokens, on as few chips as hold it:",
        every,
    )


def room() -> str:
    """Which models fit one wafer with their cache, and how many wafers otherwise."""
    models = [*SIZES, *(m for m in OPEN if m not in SIZES), *CLOSED]
    command = f"roofline fit --hw wse3 --model {','.join(models)} --context 8k,128k --batch 1,64"
    by: dict[str, dict[tuple[float, int], list[Record]]] = {}
    for r in run(command):
        by.setdefault(r["model"], {}).setdefault((r["batch"], r["context_tokens"]), []).append(r)
    rows, one = [], []
    for model in models:
        points = by[model]
        weights = [r["weights_bytes"] for r in points[(1, 8192)]]
        kv = {c: [r["kv_bytes_per_user"] for r in points[(1, c)]] for c in (8192, 131072)}
        wafers = {point: [float(r["chips_needed"]) for r in rs if "chips_needed" in r] for point, rs in points.items()}
        if max(wafers[(1, 131072)]) == 1:
            one.append(model)
        row = [model, span(weights, lambda b: format_si(b, "B"))]
        row += [span(kv[c], lambda b: format_si(b, "B")) for c in (8192, 131072)]
        rows.append([*row, *(span(wafers[p]) for p in ((1, 8192), (1, 131072), (64, 8192), (64, 131072)))])
    header = ["model, FP16", "weights", "KV of a user, 8k", "KV, 128k"]
    header += ["wafers: 1 user, 8k", "1 user, 128k", "64 users, 8k", "64 users, 128k"]
    verdict = (
        "Not a wall but a count of wafers. With one user at 128k tokens these fit one wafer: "
        f"{', '.join(one) if one else 'none'}; with many users the cache, not the weights, sets the number."
    )
    note = "A wafer has 44 GB of SRAM, of which 85 % (37.4 GB) hold weights and cache. Closed models are ranges."
    return section(
        "The KV cache of frontier models does not fit 44 GB of SRAM", verdict, [command], table(header, rows), note
    )


def spread() -> str:
    """The spread of input prices, then and now, and the article's price table."""
    then = "roofline price list --as-of 2026-05-11"
    article = run(then)
    rows = []
    for r in article:
        rows.append([r["model"], usd(r["usd_per_million_input_tokens"]), usd(r["usd_per_million_output_tokens"])])
    inputs = [r["usd_per_million_input_tokens"] for r in article]
    outputs = [r["usd_per_million_output_tokens"] for r in article]
    shown = []
    for hour in ("2026-11-23T12:00Z", "2026-11-23T02:00Z"):
        flash = run(f"roofline price show deepseek-v4-flash --provider deepseek --at {hour}")
        dear = run(f"roofline price show gpt-5.5 --provider openai --at {hour}")
        low = median(r["usd_per_million_input_tokens"] for r in flash)
        high = median(r["usd_per_million_input_tokens"] for r in dear)
        shown.append((hour, low, high, high / low))
    header = ["model, 2026-05-11", "$/M input", "$/M output"]
    times = max(inputs) / min(inputs)
    verdict = (
        f"True of its day: {times:.1f}x (output {max(outputs) / min(outputs):.0f}x). On 2026-11-23 it was "
        f"{shown[0][3]:.1f}x off-peak and {shown[1][3]:.1f}x at DeepSeek's peak hours."
    )
    commands = [then]
    for hour, *_ in shown:
        commands += [f"roofline price show deepseek-v4-flash --provider deepseek --at {hour}"]
        commands += [f"roofline price show gpt-5.5 --provider openai --at {hour}"]
    later = table(
        ["when", "DeepSeek V4 Flash", "GPT-5.5", "spread"],
        [[hour, usd(low), usd(high), f"{ratio:.1f}x"] for hour, low, high, ratio in shown],
    )
    what = "The article's own table, as it stands in the price file:"
    return section(
        "Input prices spread 36-fold, and the price table", verdict, commands, what, table(header, rows), later
    )


def output_cheaper() -> str:
    """Whether output gets cheaper faster than input: list prices and costs."""
    flags = ["gpt-4o", "gpt-4.1", "gpt-5", "gpt-5.5"]
    shows = [f"roofline price show {model} --provider openai" for model in flags]
    rows, ratios = [], []
    for model, command in zip(flags, shows, strict=True):
        found = run(command)
        first = median(r["usd_per_million_input_tokens"] for r in found)
        last = median(r["usd_per_million_output_tokens"] for r in found)
        ratios.append(last / first)
        rows.append([model, usd(first), usd(last), significant(last / first)])
    chips = ["a100", "h100", "b200", "wse3"]
    cost = (
        f"roofline cost --hw {','.join(chips)} --model llama-3.3-70b --isl 1k --osl 1k --usd-per-hour 1 --weights fp8"
    )
    rows_cost, costs = [], {}
    for r in run(cost):
        ratio = r["usd_per_million_output_tokens"] / r["usd_per_million_input_tokens"]
        costs[r["hardware"]] = ratio
        rows_cost.append([r["hardware"], significant(ratio)])
    rising = ratios[-1] > ratios[0]
    verdict = (
        f"{'False' if rising else 'True'} of list prices: output over input went from {ratios[0]:g} to {ratios[-1]:g} "
        f"over OpenAI's flagships. Of cost, output over input is {costs['h100']:.1f} on H100, {costs['b200']:.1f} "
        f"on B200 "
        f"and {costs['wse3']:.1f} on a wafer."
    )
    return section(
        "Output gets cheaper faster than input",
        verdict,
        [*shows, cost],
        table(["list price", "$/M input", "$/M output", "output / input"], rows),
        table(["cost, Llama 3.3 70B, 1,024 in and out", "output / input"], rows_cost),
        "The dollars per hour cancel in the ratio of costs, so $1 is put in for every chip.",
    )


def middle() -> str:
    """Which size gains most from a wafer, in speed and per dollar."""
    wafer = f"roofline decode --hw wse3 --model {','.join(SIZES)}"
    gpu = f"roofline serve --hw b200 --model {','.join(SIZES)} --isl 8k --osl 1k --concurrency 16"
    served = {r["model"]: r for r in run(wafer) if r["estimate"] == "as_served"}
    usual = {r["model"]: r for r in run(gpu)}
    rows, gain, worth = [], {}, {}
    for model in SIZES:
        a, b = served[model], usual[model]
        gain[model] = a["tokens_per_second_per_user"] / b["tokens_per_second_per_user"]
        dollars = a["aggregate_usd_per_million_output_tokens"] / b["usd_per_million_output_tokens"]
        worth[model] = gain[model] / dollars
        row = [model, significant(a["tokens_per_second_per_user"]), significant(b["tokens_per_second_per_user"])]
        rows.append([*row, f"{gain[model]:.1f}x", str(a["chips"]), f"{dollars:.2f}", significant(worth[model])])
    header = [
        "model",
        "wafer tok/s",
        "B200 tok/s, 16 users",
        "gain",
        "wafers",
        "cost per token, B200 = 1",
        "gain / cost",
    ]
    best, cheap = max(gain, key=lambda m: gain[m]), max(worth, key=lambda m: worth[m])
    inside = best not in (SIZES[0], SIZES[-1])
    verdict = (
        f"{'True' if inside else 'False'} of speed, which gains most with {best} ({gain[best]:.0f}x). Per dollar "
        f"{'the smallest model gains' if cheap == SIZES[0] else cheap + ' gains'} most: the number of wafers "
        f"grows with "
        "the weights."
    )
    note = "Output tokens; all users that fit the wafers in flight, against 16 on the fewest B200 that hold the model."
    return section("Mid-tier models gain most", verdict, [wafer, gpu], table(header, rows), note)


def electricity() -> str:
    """How near the price of budget models is to the electricity they take."""
    command = f"roofline price compare --hw b200 --model {','.join(BUDGET)} --batch 64 --context 4k"
    rows, shares = [], []
    for r in run(command):
        share = r["electricity_usd_per_million_output_tokens"] / r["retail_usd_per_million_output_tokens"]
        floor = r["electricity_usd_per_million_output_tokens"] / r["retail_usd_per_million_output_tokens_low"]
        shares.append(floor)
        power, cost = r["electricity_usd_per_million_output_tokens"], r["usd_per_million_output_tokens"]
        row = [r["model"], usd(power), usd(cost)]
        offers = f"{usd(r['retail_usd_per_million_output_tokens'])}, from "
        offers += usd(r["retail_usd_per_million_output_tokens_low"])
        rows.append([*row, offers, f"{share:.1%}, of the cheapest {floor:.1%}"])
    verdict = (
        f"{'False' if max(shares) < 0.5 else 'True'}: electricity is {min(shares):.1%} to {max(shares):.1%} of the "
        "cheapest offer of an output token on B200 with 64 users."
    )
    header = ["model", "electricity, $/M output", "cost at the rent", "list price", "electricity / list price"]
    note = "Provisioned watts at the industrial price of electricity in the US; rent is the rental median of B200."
    return section("Budget models sell near the cost of electricity", verdict, [command], table(header, rows), note)


def nickel() -> str:
    """Whether a million input tokens for $0.05 is near."""
    listed = "roofline price list"
    cost = f"roofline cost --hw b200 --model {','.join(BUDGET)} --isl 4k --osl 1k --basis owner-neocloud"
    cheap, rows = [], []
    for r in run(listed):
        if r["usd_per_million_input_tokens_low"] <= 0.05:
            low, mid = r["usd_per_million_input_tokens_low"], r["usd_per_million_input_tokens"]
            cheap.append(r["model"])
            rows.append([r["model"], usd(low), usd(mid)])
    floors = [[r["model"], usd(r["usd_per_million_input_tokens"])] for r in run(cost)]
    verdict = (
        f"{'Already so' if cheap else 'Not yet'}: {len(cheap)} models of the snapshot of 2026-11-23 have an offer "
        f"at or "
        "below $0.05 per million input tokens."
    )
    return section(
        "$0.05 per million input tokens within two years",
        verdict,
        [listed, cost],
        table(["model", "cheapest offer, $/M input", "median"], rows),
        table(["cost on owned B200, never idle", "$/M input"], floors),
    )


def closed() -> str:
    """What the closed models of the article would be on a wafer and on GPUs, as ranges."""
    command = f"roofline decode --hw wse3,b200 --model {','.join(CLOSED)}"
    by: dict[tuple[str, str], list[Record]] = {}
    for r in run(command):
        if r["hardware"] != "wse3" or r.get("served_factor") is not None:
            by.setdefault((r["model"], r["hardware"]), []).append(r)
    rows = []
    for model in CLOSED:
        row = [model]
        for chip in ("wse3", "b200"):
            found = [r for r in by[(model, chip)] if r["fits"]]
            row += [span([float(r["chips"]) for r in found])]
            row += [span([r["tokens_per_second_per_user"] for r in found])]
        rows.append(row)
    header = ["model (estimate)", "wafers", "tok/s, as served", "B200", "tok/s, one user"]
    verdict = "Ranges only: their shapes are not published, and each is evaluated as open models of about its size."
    return section("The closed models of the article", verdict, [command], table(header, rows))


def page() -> str:
    """Return the whole page."""
    head = (
        "# The article, checked\n\nMade by `python bench/claims.py`; a test keeps it current. The article is 'Cerebras "
        "IPO Oversubscribed 20x' of 2026-05-11. Under each of its claims stand a verdict, the commands that lead "
        "to it, "
        "and what they print today; prices are list prices of the snapshot, each with its date and source in the "
        "command's "
        "own output."
    )
    parts = [faster(), room(), spread(), output_cheaper(), middle(), electricity(), nickel(), closed()]
    return "\n\n".join([head, *parts]) + "\n"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "claims.md")
    options = parser.parse_args()
    text = page()
    options.page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
