"""Fit the shipped constants to published measurements, and say how far off they are on rows no fit has seen.

    python bench/fit_constants.py DATA_FOLDER [--per-group 5] [--rounds 12] [--folds 5] [--leave chip] [--write]

DATA_FOLDER holds ``measurements.csv`` and ``step_times.csv``. The rows to fit are a sample of each configuration group
(mode, metric, chip, engine, source, model, and for closed loops format and shape); the constants are those of every
class, chip and engine that has enough rows. ``--folds`` refits without each part of the configurations in turn;
``--leave chip|model|source`` without each part of the chips, models or sources. ``--write`` puts the constants into
hardware/classes/, hardware/ and engines/.

Left out by rule: rows with speculation, disaggregated rows (two pools at once say little about either), and vLLM of
2024 on AMD and Intel GPUs, whose ports were young: one source repeats a point there with results up to five times
apart.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tomllib
from collections import defaultdict
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
os.environ["ROOFLINE_PATH"] = str(ROOT / "bench" / "priors")

from roofline import calibrate, catalog, constants  # noqa: E402 (the priors must be chosen first)
from roofline.calibrate import Parameter  # noqa: E402
from roofline.calibration import dump  # noqa: E402
from roofline.measurements import read_csv  # noqa: E402
from roofline.validate import kind_of  # noqa: E402

SOURCE = "fit to published measurements, 2026-11-23: docs/accuracy.md"
CLASS_FIELDS = [
    "moe_gemm",
    "moe_weights",
    "moe_width",
    "moe_floor",
    "attention_decode_bytes",
    "attention_decode_flops",
    "attention_decode_floor",
    "attention_prefill_flops",
    "attention_prefill_floor",
    "elementwise",
    "overlap",
    "kernel",
    "link_small",
    "collective",
    "collective_per_doubling",
    "collective_large",
]
ENGINE_FIELDS = [
    "launch",
    "launches_per_layer",
    "launches_moe",
    "launches_latent",
    "launches_state",
    "elementwise_passes",
    "host_per_step",
    "host_per_sequence",
    "request",
    "request_per_token",
    "gemm",
    "attention",
    "expert_imbalance",
    "isolated",
    "isolated_prefill",
    "isolated_quantise",
]
UNITS = ("bf16", "fp16", "fp8", "int8", "fp4")


def excluded(m) -> bool:
    """Return whether a row is left out by rule."""
    if m.spec_decode != "false" or m.mode == "disagg":
        return True
    young = m.engine == "vllm" and m.date < "2025"
    return young and catalog.hardware(m.hardware).vendor not in ("NVIDIA",)


def group_of(m) -> tuple:
    """Return the configuration group of a row: rows of one deployment are never on both sides of a split."""
    return (m.hardware, m.engine, m.source, m.model, m.weight_precision, m.tp, m.dp, m.ep, m.isl, m.osl)


def sample(rows: list, cap: int, seed: int = 0) -> list:
    """Return at most `cap` rows of each (mode, metric, chip, engine, source, model)."""
    groups = defaultdict(list)
    for m in rows:
        loop = (m.weight_precision, m.tp, m.ep) if m.mode == "concurrency" else ()
        groups[(m.mode, m.metric, m.hardware, m.engine, m.source, m.model, *loop)].append(m)
    shuffle = random.Random(seed)
    chosen = []
    for members in groups.values():
        shuffle.shuffle(members)
        chosen += members[:cap]
    return sorted(chosen, key=lambda m: (m.hardware, m.engine, m.date[:7], m.model, str(group_of(m)), m.id))


def parameters(rows: list) -> list[Parameter]:
    """Return the constants that enough rows speak of."""
    _, systems = calibrate.usable(rows)
    classes, chips, engines = defaultdict(int), defaultdict(int), defaultdict(int)
    for system in systems:
        if not system.spatial:
            classes[system.hardware.hardware_class] += 1
            chips[system.names[0]] += 1
            engines[constants.engine_key(system)] += 1
    found = []
    for name, n in classes.items():
        if n >= 8:
            found += [Parameter("class", name, field) for field in CLASS_FIELDS]
            # Where chips of the class have their own measured fractions, those are fitted and the class keeps the
            # medians that were measured: an odd member must not speak for the rest.
            own = any(catalog.hardware(c).achieved.gemm for c in chips if catalog.hardware(c).hardware_class == name)
            found += [Parameter("class", name, "weights", unit) for unit in UNITS]
            if not own:
                found += [Parameter("class", name, "gemm", unit) for unit in UNITS]
    for name, n in chips.items():
        own = catalog.hardware(name).achieved
        if n >= 8:
            found += [Parameter("chip", name, "gemm", unit) for unit in own.gemm]
            found += [Parameter("chip", name, "weights", unit) for unit in own.weights]
    for name, n in engines.items():
        if n >= 6:
            found += [Parameter("engine", name, field) for field in ENGINE_FIELDS]
    return found


def table(title: str, rows: list, errors: np.ndarray) -> None:
    """Print the median error of each class of rows."""
    groups = defaultdict(list)
    for m, error in zip(rows, errors, strict=True):
        groups[kind_of(m)].append(error)
    print(title)
    for name, values in sorted(groups.items()):
        wrong = median(abs(np.expm1(v)) for v in values)
        print(f"  {name:45s} n {len(values):5d}  error {wrong:6.1%}  bias x{np.exp(median(values)):.2f}")


def parts_of(rows: list, what: str, parts: int) -> list[list[str]]:
    """Return what to leave out together: chips of a part are of different classes, models of one shape stay together.

    Every chip, model or source is left out once; several at a time make it harder and the run shorter.
    """
    if what == "chip":
        classes = defaultdict(list)
        for name in sorted({m.hardware for m in rows}):
            classes[catalog.hardware(name).hardware_class].append(name)
        parts = max(parts, max(len(names) for names in classes.values()))
        found, at = [[] for _ in range(parts)], 0
        for names in classes.values():
            for name in names:
                found[at % parts].append(name)
                at += 1
        return [part for part in found if part]
    keys = sorted({KEYS[what](m) for m in rows})
    random.Random(1).shuffle(keys)
    return [keys[i::parts] for i in range(parts)]


def shape_of(m) -> str:
    """Return a model's shape: editions of one architecture are one model here."""
    model = catalog.model(m.model)
    return f"{model.d_model} {sorted(map(str, model.kinds.items()))}"


def held_out(rows: list, key, folds: list[list[str]], known: str, options) -> None:
    """Refit without each part in turn and print the errors on what was left out."""
    seen_rows, seen_errors = [], []
    file = open(options.residuals, "a") if options.residuals else None  # noqa: SIM115 (open for the whole run)
    for fold in folds:
        out = set(fold)
        train = sample([m for m in rows if str(key(m)) not in out], options.per_group)
        test = sample([m for m in rows if str(key(m)) in out], 5)
        if not calibrate.usable(test)[0]:
            continue
        fit = calibrate.fit(train, parameters(train), rounds=options.rounds, processes=options.processes)
        kept, _ = calibrate.usable(test)
        errors = [calibrate.log_error(m, lambda s, v=fit.values: constants.apply(s, v)) for m in kept]
        if file:
            for m, error in zip(kept, errors, strict=True):
                file.write(json.dumps([known, kind_of(m), m.hardware, m.engine, m.model, m.id, error]) + "\n")
            file.flush()
        names = ", ".join(fold) if len(fold) < 12 else f"{len(fold)} of them"
        print(f"  without {names}: {len(kept)} rows, {median(abs(np.expm1(e)) for e in errors):.1%}", flush=True)
        seen_rows += kept
        seen_errors += errors
    table("held out:", seen_rows, np.array(seen_errors))


KEYS = {"chip": lambda m: m.hardware, "model": shape_of, "source": lambda m: m.source}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-group", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--folds", type=int, default=0)
    parser.add_argument("--leave", choices=["chip", "model", "source"])
    parser.add_argument("--parts", type=int, default=6, help="parts that --leave makes of all chips, models or sources")
    parser.add_argument("--processes", type=int, help="default: one per core")
    parser.add_argument("--residuals", help="append held-out log errors to this JSON-lines file")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = read_csv(options.folder / "measurements.csv") + read_csv(options.folder / "step_times.csv")
    rows = [m for m in rows if not excluded(m)]
    if options.folds:
        keys = sorted({str(group_of(m)) for m in rows})
        random.Random(1).shuffle(keys)
        folds = [keys[i :: options.folds] for i in range(options.folds)]
        held_out(rows, group_of, folds, "calibrated", options)
    if options.leave:
        held_out(rows, KEYS[options.leave], parts_of(rows, options.leave, options.parts), "transferred", options)
    if options.write or not (options.folds or options.leave):
        chosen = sample(rows, options.per_group)
        fit = calibrate.fit(
            chosen,
            parameters(chosen),
            rounds=options.rounds,
            processes=options.processes,
            say=lambda text: print(text, flush=True),
        )
        table("before:", fit.rows, fit.before)
        table("fitted rows:", fit.rows, fit.after)
        if options.write:
            write(fit.values, fit.start)


SECONDS = {"moe_floor", "attention_decode_floor", "attention_prefill_floor", "kernel", "collective"}
SECONDS |= {"collective_per_doubling", "collective_large", "launch", "host_per_step", "host_per_sequence"}
SECONDS |= {"request", "request_per_token", "isolated_quantise"}


def write(values: dict[Parameter, float], start: dict[Parameter, float]) -> None:
    """Put the constants into their files, each with its source."""
    files = defaultdict(dict)
    for parameter, value in values.items():
        if abs(np.log(value / start[parameter])) < 0.01:
            continue  # no row spoke of it
        folder = {"class": "hardware/classes", "chip": "hardware", "engine": "engines"}[parameter.scope]
        name, _, epoch = parameter.name.partition("<=")
        text = f"{value * 1e6:.3g} us" if parameter.field in SECONDS else float(f"{value:.3g}")
        figure = {"value": text, "source": SOURCE, "kind": "derived"}
        files[ROOT / folder / f"{name}.toml"][(epoch, parameter.field, parameter.key)] = figure
    for path, figures in files.items():
        prior = ROOT / "bench" / "priors" / path.relative_to(ROOT)
        spec = tomllib.loads((prior if prior.exists() else path).read_text())
        for (epoch, field, key), figure in figures.items():
            place = spec if path.parent.name == "engines" else spec.setdefault("achieved", {})
            if epoch:
                place = next(e for e in spec["epochs"] if e["until"] == epoch)
            if key:
                place = place.setdefault(field, {})
            place[key or field] = figure
        first = path.read_text().splitlines()[0]
        path.write_text(f"{first}\n\n{dump(spec)}")
        print("wrote", path.relative_to(ROOT), len(figures))


if __name__ == "__main__":
    main()
