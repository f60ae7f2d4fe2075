"""docs/accuracy.md: how far off predictions are, group by group, from the measurements that come with the package."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from roofline import catalog
from roofline.report import files
from roofline.report.record import Record
from roofline.units import significant
from roofline.validate import Checked, skipped, summary

_HEAD = """# Accuracy

Made by `roofline validate --page docs/accuracy.md`; a test keeps it current. Errors are |predicted / measured − 1| in
each row's own metric, medians over rows; bias is the median of predicted / measured. The rows are the published
measurements in `measurements/`, a sample of every configuration. Most of their configurations took part in a fit;
the next section holds those that did not.
"""
_LEFT_OUT = """The fit was repeated without a part of what it was made from: a quarter of the configurations, or each
chip, model or source in turn; what has fewer than eight rows is not left out by itself. Separate pools take part in no
fit at all.

Each prediction carries a 90 % interval: the range that held nine in ten errors on rows left out of the fit (93 in 100
of a new chip or model, whose errors are alike, and of few rows), in units of a scale that is the product of factors for
the question, the chip, the engine, whether FFNs are dense or experts, the four together, the width of weights, and how
much of a service's time goes to prefills. It is `calibrated` where chip and engine were fitted (the errors on left-out
configurations, and on left-out sources of chips, engines and models that others measured as well; or those on left-out
models for a model of a shape that no fit has seen), `transferred` where one of them was (those on left-out chips), and
`spec-sheet` where neither was (the errors of the constants before any fit, or those on left-out chips if larger). An
engine on a family of chips that no fit has seen it on has the errors of such ports. Pages in no fit count as left-out
sources. Below, each row is held against an interval made without its own configuration, chip, model or source. The last
column is the median factor: half the rows have an interval narrower than x/÷ that. What a source alone tells of a chip
or a model is held against the interval of a new chip or model.
"""
#: Sources that are in no fit, by how their names begin, and what the page calls them.
LATER = {
    "NVIDIA TensorRT-LLM perf-overview v1.2": "TensorRT-LLM perf-overview v1.2",
    "MLPerf Inference v": "MLPerf Inference v4.0 to v6.1",
    "Intel Gaudi model performance page, SW 1.18 (gaudi3)": "Intel's page of Gaudi 3",
    "InferenceX, Gaudi 3": "GLM-4.7 on Gaudi 3",
    "SGLang cookbook configs: Qwen3.6": "SGLang's cookbook of Qwen3.6",
    "SGLang cookbook configs: MiniMax": "SGLang's cookbook of MiniMax-M2.7 and M3",
    "CloudRift": "CloudRift",
    **dict.fromkeys(
        (
            "GPUStack performance lab: deepseek",
            "GPUStack performance lab: glm-4.6",
            "GPUStack performance lab: gpt-oss",
            "GPUStack performance lab: qwen3-8b",
        ),
        "GPUStack, later pages",
    ),
    "AWS Neuron tutorials, trn2": "Trainium 2",
    "tpu-recipes Ironwood vLLM Qwen3.8": "Qwen3.8 and Kimi Linear on TPU",
    "SGLang-JAX cookbook: Kimi-Linear": "Qwen3.8 and Kimi Linear on TPU",
}
_LATER = """\
No constant is fitted to these pages. The first two are not blind: mechanisms were noticed on them and then looked up.
On TensorRT-LLM's own tables, that it keeps whole caches of window layers and that chips without an FP4 unit widen 4-bit
weights. On MLPerf's rounds, that submissions keep their caches in FP8 and their latencies in 99 of 100 cases. Those of
Gaudi 3 are: the chip was predicted from Gaudi 2 before they were found, and nothing was changed for them. vLLM's port
to Gaudi is another than those that were fitted; its interval is that of ports nobody has seen. Of the rest, which were
looked for on chips and models without rows, two things were mended: GeForce cards widen 4-bit experts on vector units
that are not as slow as their matrix units, and the RTX PRO 6000 streams FP8 as well as BF16 and FP4. And on Qwen3.6 it
was noticed that SGLang sets memory apart for recurrent states, and that their chunks are products and kernels of their
own in a prefill; MiniMax-M2.7 and M3 were found later and changed nothing.
"""
_LIMITS = """## What is not modelled

- **Routing of a given workload**: popularity of experts is taken as exponentially spread, for every model and load.
- **TTFT under load** is a queue: its mean hangs on how a benchmark starts its users and how it draws lengths, which
  sources rarely say. One share of prompts in waves for each engine stands for all of them. Read the interval.
- **llama.cpp prefill** has kernels of its own for each format and generation of chip; one fraction per class of chips
  stands for all of them. Some published rows contradict their neighbours fourfold (8,192 tokens in FP16 on A100, L40S).
- **What a source leaves out** is taken from the public recipe of its engine and chip (`unstated.py`): the cache's
  format, how lengths were drawn, how long a scheduler lets prompts wait. Other recipes differ by a tenth in TPOT, and
  by 15 to 30 decode steps in TTFT; `--set engine.poll_steps` and `--set engine.gather_steps` say what yours does.
- **Block-scaled FP8** takes the rate of FP8 scaled per tensor; kernels of some engines are a fifth to a third slower.
- **Servers on their defaults** differ from those that a campaign tunes: on NVIDIA's chips SGLang without a recipe's
  flags is `--engine sglang-defaults`, fitted to few models, MiniMax-M2.5 the slowest of them. Other engines have one
  profile for both.
- **4-bit copies** of one model differ in what they quantise beside the experts; the rest is taken as it was shipped, or
  as the maker's recipe has it where that is known (Nemotron 3 Super and Ultra).
- **Models in their first weeks** run slowly until their kernels are fused: Qwen3.5 on AMD's chips took twice as long in
  SGLang 0.5.8 as three releases later. One curve that falls by e in six months stands for that (`untuned`), whatever
  the model's kinship to older ones. What the same release gains on one generation of chips and not on another is told
  apart for SGLang on CDNA 3 alone.
- **Grouped expert kernels** are tuned for some shapes and not for others, and engines choose among them: one fraction
  for each format and class of chips stands for all. That is most of what is left of kernel-level prefill steps.
- **AMD, Intel, Google, RDNA cards, Thor** are known from a few hundred rows that various people published
  (`measurements/amd-2026.csv`, `measurements/chips-2026.csv`), of engines that are still gaining speed on them.
- **Servers under latency limits** (MLPerf) are open loops of requests of one length; those of its data sets differ.
- **Young ports**: vLLM of 2024 on AMD and Intel GPUs (one source repeats a point with results up to five times apart)
  is predicted as today's engine would run, and left out of every fit. A port to another family of chips (vLLM on Gaudi)
  is predicted as the engine runs where it is known: kernels without a counterpart there, as of experts, cost up to
  three times as much.
- **Separate pools** take their routing, transfer overlap and admission from no model.
- **First requests** that wait for kernels to be compiled are in published means of TTFT and not here: of DeepSeek-R1 by
  TensorRT-LLM on H200, four users, the mean is 0.31 s and the median 0.12 (InferenceX, 2025-12).
- **Closed loops faster than the bound** that no machine beats (some 65 rows: prompts that a prefix cache held, or wrong
  labels) are predicted as they are labelled, and left out of every fit; so are all rows of a source on one chip, engine
  and model where a fifth or more beat it.
- **Speculation** is skipped where the source does not say how many tokens were drafted and accepted.
- **Power limits**, thermal throttling and the clocks of a given rack.

## How to do better on your own machine

`roofline calibrate benchmarks.csv` fits chip and engine to your rows and says what it gained.
"""
_COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("n", "rows", lambda v: f"{v:,}"),
    ("median_absolute_error", "median error", lambda v: f"{v:.1%}"),
    ("bias", "bias", lambda v: f"x{v:.2f}"),
    ("within_20_percent", "within 20 %", lambda v: f"{v:.0%}"),
    ("interval_coverage", "interval holds", lambda v: f"{v:.0%}"),
)


def text(checked: Sequence[Checked]) -> str:
    """Return the page as Markdown."""
    parts = [_HEAD, "## By kind of measurement\n", _table(summary(checked, ["kind"]), ["kind"])]
    parts += ["## On what no fit had seen\n", _held_out()]
    later = [named for c in checked if (named := _later(c)) is not None]
    if later:
        parts += ["## Pages in no fit\n", _LATER, _table(summary(later, ["source", "kind"]), ["source", "kind"])]
    for title, name in (("chip", "hardware"), ("engine", "engine"), ("model", "model")):
        parts += [f"## By {title}\n", _table([r for r in summary(checked, [name]) if r["n"] >= 5], [name])]
    parts += ["## The ten worst rows\n", _worst(checked)]
    reasons = [f"- {n} rows: {reason}" for reason, n, _ in skipped(checked)]
    parts += ["## Rows without a prediction\n", "\n".join(reasons) + "\n" if reasons else "None.\n", _LIMITS]
    return "\n".join(parts)


def _later(one: Checked) -> Checked | None:
    """Return a row of a page in no fit, under the name that this page has here; None for any other."""
    source = one.measurement.source
    name = next((key for key in LATER if source.startswith(key)), None)
    return None if name is None else replace(one, measurement=replace(one.measurement, source=LATER[name]))


def write(checked: Sequence[Checked], path: Path) -> None:
    """Write the page; it appears whole or not at all."""
    files.write(path, text(checked).encode())


def _table(records: Sequence[Record], by: Sequence[str]) -> str:
    lines = ["| " + " | ".join([*by, *(title for _, title, _ in _COLUMNS)]) + " |"]
    lines.append("|" + " --- |" * len(by) + " ---: |" * len(_COLUMNS))
    for r in records:
        cells = [str(r[name]) for name in by] + [show(r[key]) if key in r else "-" for key, _, show in _COLUMNS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _held_out() -> str:
    path = catalog.shipped_folder() / "calibration" / "held_out.csv"
    rows = list(csv.DictReader(catalog.read_text(path).splitlines()))
    lines = [_LEFT_OUT, "| left out | kind | rows | median error | bias | interval holds | interval x/÷ |"]
    lines.append("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for r in rows:
        cells = [
            r["left_out"],
            r["kind"],
            r["n"],
            f"{float(r['median_absolute_error']):.1%}",
            f"x{float(r['bias']):.2f}",
        ]
        held, factor = r["interval_coverage"], r["interval_factor"]
        cells += [f"{float(held):.0%}", f"{float(factor):.2f}"] if held else ["-", "-"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _worst(checked: Sequence[Checked]) -> str:
    predicted = [one for one in checked if not one.skipped]
    chosen = sorted(predicted, key=lambda one: (-max(one.ratio, 1 / one.ratio), one.measurement.id))[:10]
    lines = ["| row | chip, engine, model | what | measured | predicted |", "| --- | --- | --- | ---: | ---: |"]
    for one in chosen:
        m = one.measurement
        what = f"{m.mode} {m.metric}, tp {m.tp}, batch {m.batch}, {m.isl}/{m.osl}"
        where = f"{m.hardware}, {m.engine}, {m.model}"
        lines.append(f"| {m.id} | {where} | {what} | {significant(m.value)} | {significant(one.predicted or 0)} |")
    return "\n".join(lines) + "\n"
