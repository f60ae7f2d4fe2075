"""Fit the shipped constants to published measurements, and say how far off they are on rows no fit has seen.

    python bench/fit_constants.py DATA_FOLDER [--rounds 12] [--write] [--held-out FOLDER]

DATA_FOLDER holds ``measurements.csv`` and ``step_times.csv``; the files of measurements/ in `ALSO` join them. The
rows to fit are a sample of each configuration group (mode, metric, chip, engine, source, model, and for closed loops
format and shape); the constants are those of every class, chip and engine that has enough rows. ``--write`` puts the
constants into hardware/classes/, hardware/ and engines/. ``--held-out`` then refits without a quarter of the
configurations in turn, and without each chip, each shape of model and each source, prints the errors on what was left
out and writes them for ``bench/make_intervals.py``.

Left out by rule: rows with speculation, disaggregated rows (two pools at once say little about either), and vLLM of
2024 on AMD and Intel GPUs, whose ports were young: one source repeats a point there with results up to five times
apart; queues of some thousand chats that come at once, which end with the few longest answers, all but alone; and
closed loops faster than the bound that no machine beats. A run that two sources tell counts once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tomllib
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
os.environ["ROOFLINE_PATH"] = str(ROOT / "bench" / "priors")

from roofline import calibrate, catalog, constants, interval, left_out  # noqa: E402 (the priors must be chosen first)
from roofline.calibrate import Parameter  # noqa: E402
from roofline.calibration import dump  # noqa: E402
from roofline.errors import RooflineError  # noqa: E402
from roofline.measurements import read_csv  # noqa: E402
from roofline.timed import PARTS  # noqa: E402
from roofline.validate import kind_of  # noqa: E402

SOURCE = "fit to published measurements, 2026-11-29: docs/accuracy.md"
CLASS_FIELDS = [
    "moe_weights",
    "moe_width",
    "moe_slice",
    "moe_widening",
    "moe_floor",
    "attention_decode_bytes",
    "attention_decode_flops",
    "attention_decode_floor",
    "attention_prefill_flops",
    "attention_prefill_floor",
    "attention_prefill_padding",
    "elementwise",
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
    "launches_index",
    "launches_state",
    "launches_fp4",
    "untuned",
    "elementwise_passes",
    "host_per_step",
    "host_per_sequence",
    "prefill_launch",
    "steps_ahead",
    "bunched",
    "request",
    "request_per_token",
    "gemm",
    "attention",
    "expert_imbalance",
    "isolated_gap",
    "isolated_prefill",
    "isolated_quantise",
]
#: Files of measurements/ that take part: chips and servers that the folder has no rows of.
ALSO = (
    "amd-2026.csv",
    "chips-2026.csv",
    "llama-cpp.csv",
    "serving-2026.csv",
    "tensorrt-llm-1.1.csv",
    "threads-2026.csv",
)
#: Share of the closed loops of one place that may beat the bound before none of them is believed.
MANY = 0.2
#: Least share of a step that a part has to say something by itself.
PART = 0.1
UNITS = ("bf16", "fp16", "fp8", "int8", "fp4")


def measured(folder: Path) -> list:
    """Return all rows that a fit may see."""
    paths = [folder / "measurements.csv", folder / "step_times.csv"]
    paths += [ROOT / "measurements" / name for name in ALSO]
    return [m for path in paths for m in read_csv(path)]


def excluded(m) -> bool:
    """Return whether a row is left out by rule."""
    if m.spec_decode != "false" or m.mode == "disagg":
        return True
    if m.mode == "offline_throughput" and "ShareGPT" in m.notes:
        return True
    young = m.engine == "vllm" and "" < m.date < "2025"
    return young and catalog.hardware(m.hardware).vendor not in ("NVIDIA",)


def impossible(rows: list) -> set[str]:
    """Return the closed loops faster than the bound, and all of a source, engine, chip and model where many were.

    No machine beats the bound on prompts that it has to read: these were in a prefix cache, or a label is wrong.
    """
    loops = [m for m in rows if m.mode == "concurrency" and not excluded(m)]
    beaten, told = defaultdict(list), defaultdict(list)
    for m in loops:
        place = (m.source, m.engine, m.hardware, m.model)
        told[place, m.metric].append(m.id)
        try:
            error = calibrate.log_error(m, lambda s: s.ideal(s.rates.achieved, catalog.engine("ideal")))
        except RooflineError:
            continue
        if error > 0:
            beaten[place, m.metric].append(m.id)
    groups = {place for (place, metric), ids in beaten.items() if len(ids) >= MANY * len(told[place, metric])}
    found = {name for ids in beaten.values() for name in ids}
    return found | {m.id for m in loops if (m.source, m.engine, m.hardware, m.model) in groups}


def once(rows: list) -> list:
    """Return the rows without the runs of a closed loop that another source told before, to two decimals.

    Left in, they would be on both sides of a split.
    """
    first: dict[tuple, str] = {}
    for m in sorted(rows, key=lambda m: m.date):
        first.setdefault(_run(m), m.source)
    return [m for m in rows if m.mode != "concurrency" or first[_run(m)] == m.source]


def _run(m) -> tuple:
    return (m.mode, m.hardware, m.engine, m.model, m.metric, m.isl, m.osl, m.batch, f"{m.value:.2f}")


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


def with_parts(rows: list) -> list:
    """Return the rows and, of steps of kernels timed one by one, the parts that make up a tenth or more of the sum.

    A sum lets one kernel's constant make up for another's; the parts tell them apart. Latent attention is timed as a
    module, its projections included.
    """
    found = []
    for m in rows:
        found.append(m)
        parts = {name: float(m.extra.get(name) or 0) for name in ("gemm_ms", "attn_ms", "moe_ms", "comm_ms")}
        if any(mixer.kind == "mla" for mixer in catalog.model(m.model).mixers.values()):
            parts["mixer_ms"] = parts.pop("gemm_ms") + parts.pop("attn_ms")
        for name, value in parts.items():
            if m.mode.startswith("step_") and value >= PART * m.value:
                found.append(replace(m, id=f"{m.id} {name}", metric=name, value=value))
    return found


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
            found += [Parameter("class", name, "moe_gemm", unit) for unit in (*UNITS, "widened")]
            # Where chips of the class have their own measured fractions, those are fitted and the class keeps the
            # medians that were measured, but for weights if many rows are of other members: an odd one must not speak
            # for the rest.
            members = {c: catalog.hardware(c).achieved for c in chips if catalog.hardware(c).hardware_class == name}
            for field in ("weights", "gemm"):
                own = {unit for achieved in members.values() for unit in getattr(achieved, field)}
                others = sum(chips[c] for c, achieved in members.items() if not getattr(achieved, field))
                free = field == "weights" and others >= 8
                found += [Parameter("class", name, field, unit) for unit in UNITS if free or unit not in own]
    siblings = {
        (catalog.hardware(c).hardware_class, field, unit): None
        for c, n in chips.items()
        if n >= 8
        for field in ("gemm", "weights")
        for unit in getattr(catalog.hardware(c).achieved, field)
    }
    found += [Parameter("siblings", name, field, unit) for name, field, unit in siblings]
    for name, n in chips.items():
        own = catalog.hardware(name).achieved
        if n >= 8:
            found += [Parameter("chip", name, "gemm", unit) for unit in own.gemm]
            found += [Parameter("chip", name, "weights", unit) for unit in own.weights]
    for name, n in engines.items():
        if n >= 6:
            # Kernels that are written for each vendor's chips say nothing of those for another's: the class has them.
            ours = [field for field in ENGINE_FIELDS if field not in ("gemm", "attention") or name != "llama.cpp"]
            found += [Parameter("engine", name, field) for field in ours]
            found += [Parameter("engine", name, "isolated_experts", unit) for unit in UNITS]
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


def shape_of(m) -> str:
    """Return a model's shape: editions of one architecture are one model here."""
    return interval.shape_of(catalog.model(m.model))


#: What is left out together, by what a file of residuals is called; None: a part of the configurations at a time.
LEAVE = {"configurations": None, "chips": lambda m: m.hardware, "models": shape_of, "sources": lambda m: m.source}
#: A part with fewer rows is not left out by itself.
FEWEST = 8
#: Most steps of a fit without a part of the configurations, from the whole fit on.
REFIT = 5


def parts_of(rows: list, what: str, folds: int) -> dict[str, list[int]]:
    """Return the rows of each part that is left out, by its name."""
    key = LEAVE[what]
    names = {}
    if key is None:
        groups = sorted({str(group_of(m)) for m in rows})
        random.Random(1).shuffle(groups)
        names = {group: f"part {i % folds + 1}" for i, group in enumerate(groups)}
    parts = defaultdict(list)
    for i, m in enumerate(rows):
        parts[key(m) if key else names[str(group_of(m))]].append(i)
    return {name: members for name, members in sorted(parts.items()) if len(members) >= FEWEST}


def again(fit: calibrate.Fit, parts: dict[str, list[int]], options):
    """Yield the constants fitted without each part, in several steps: a quarter of the rows moves many."""
    for members in parts.values():
        out = set(members)
        rest = [m for i, m in enumerate(fit.rows) if i not in out]
        found = calibrate.fit(
            rest, list(fit.values), rounds=REFIT, processes=options.processes, begin=fit.values, known=fit
        )
        yield found.values, None


def held_out(fit: calibrate.Fit, every: list, what: str, options) -> None:
    """Refit without each part in turn; print the errors on what was left out and write them, a line a row."""
    parts = parts_of(fit.rows, what, options.folds)
    groups = {str(group_of(m)): name for name, members in parts.items() for m in (fit.rows[i] for i in members)}
    known = "calibrated" if what == "configurations" else "transferred"
    rows, errors, lines = [], [], []
    configurations = what == "configurations"
    refits = (
        again(fit, parts, options) if configurations else left_out.without(fit, list(parts.values()), options.processes)
    )
    for name, (values, found) in zip(parts, refits, strict=True):
        members = [fit.rows[i] for i in parts[name]]
        if configurations:
            # More rows of the same configurations: none of a configuration that the refit has seen.
            members, _ = calibrate.usable(sample([m for m in every if groups.get(str(group_of(m))) == name], 5))
            found = np.array([calibrate.log_error(m, lambda s, v=values: constants.apply(s, v)) for m in members])
        if what in ("chips", "sources"):
            print(f"  without {name}: {len(members)} rows, {median(abs(np.expm1(found))):.1%}", flush=True)
        rows += members
        errors += found.tolist()
        for m, error in zip(members, found.tolist(), strict=True):
            if m.metric in PARTS:
                continue
            lines.append(json.dumps([known, kind_of(m), m.hardware, m.engine, m.model, m.id, error]))
    table(f"{what} left out:", rows, np.array(errors))
    (options.held_out / f"{what}.jsonl").write_text("\n".join(lines) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--per-group", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--folds", type=int, default=4, help="parts of the configurations")
    parser.add_argument("--processes", type=int, help="default: one per core")
    parser.add_argument("--begin", action="store_true", help="begin at the shipped constants; priors stay")
    parser.add_argument("--held-out", type=Path, help="folder for the errors on what was left out")
    parser.add_argument("--only", choices=list(LEAVE), action="append", help="leave out only these")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    rows = measured(options.folder)
    too_fast = impossible(rows)
    rows = [m for m in once(rows) if not excluded(m) and m.id not in too_fast]
    chosen = with_parts(sample(rows, options.per_group))
    wanted = parameters(chosen)
    fit = calibrate.fit(
        chosen,
        wanted,
        rounds=options.rounds,
        processes=options.processes,
        begin=shipped(wanted) if options.begin else None,
        say=lambda text: print(text, flush=True),
    )
    table("before:", fit.rows, fit.before)
    table("fitted rows:", fit.rows, fit.after)
    if options.write:
        write(told(fit), fit.start)
    if options.held_out:
        options.held_out.mkdir(parents=True, exist_ok=True)
        for what in options.only or LEAVE:
            held_out(fit, rows, what, options)


def told(fit: calibrate.Fit) -> dict[Parameter, float]:
    """Return the constants without those of chips that no row moves: they stay as their class's prior has them."""
    silent = {p for j, p in enumerate(fit.values) if p.scope == "class" and not fit.jacobian[:, j].any()}
    return {p: value for p, value in fit.values.items() if p not in silent}


def file_of(parameter: Parameter) -> tuple[Path, str]:
    """Return the file of a constant, and the epoch of its engine."""
    folder = {"class": "hardware/classes", "chip": "hardware", "engine": "engines"}[parameter.scope]
    name, _, epoch = parameter.name.partition("<=")
    return ROOT / folder / f"{name}.toml", epoch


def shipped(wanted: list[Parameter]) -> dict[Parameter, float]:
    """Return the constants as the shipped files have them."""
    found = {}
    for parameter in wanted:
        if parameter.scope == "siblings":
            continue  # the files hold its product with the chips' own figures
        path, epoch = file_of(parameter)
        spec = tomllib.loads(path.read_text())
        place = spec if parameter.scope == "engine" else spec.get("achieved", {})
        if epoch:
            place = next((e for e in spec.get("epochs", []) if e["until"] == epoch), {})
        place = place.get(parameter.field)
        place = (place or {}).get(parameter.key) if parameter.key else place
        value = place.get("value") if isinstance(place, dict) else place
        if isinstance(value, str) and value.endswith(" us"):
            found[parameter] = float(value[:-3]) * 1e-6
        elif isinstance(value, float | int):
            found[parameter] = float(value)
    # The files hold the product of a chip's figure and its siblings' factor: the factor is what the chips share.
    for parameter in wanted:
        if parameter.scope == "siblings":
            own = {
                p: getattr(catalog.hardware(p.name).achieved, p.field)[p.key].value
                for p in found
                if _is_one(p, parameter)
            }
            factor = float(np.exp(np.mean([np.log(found[p] / value) for p, value in own.items()] or [0.0])))
            found[parameter] = factor
            found |= {p: found[p] / factor for p in own}
    return found


def _is_one(chip: Parameter, siblings: Parameter) -> bool:
    """Return whether a chip's constant has that factor."""
    alike = chip.scope == "chip" and (chip.field, chip.key) == (siblings.field, siblings.key)
    return alike and catalog.hardware(chip.name).hardware_class == siblings.name


SECONDS = {"moe_floor", "attention_decode_floor", "attention_prefill_floor", "kernel", "collective"}
SECONDS |= {"collective_per_doubling", "collective_large", "launch", "host_per_step", "host_per_sequence"}
SECONDS |= {"prefill_launch", "request", "request_per_token", "isolated_quantise", "isolated_gap"}


def spread(values: dict[Parameter, float]) -> dict[Parameter, float]:
    """Return the constants as files hold them: the factor of siblings is in the figures of every chip and the class."""
    found = {p: value for p, value in values.items() if p.scope != "siblings"}
    for p, factor in values.items():
        if p.scope != "siblings":
            continue
        for name in sorted({name for _, name, _ in catalog.files("hardware")}):
            chip = catalog.hardware(name)
            own = getattr(chip.achieved, p.field).get(p.key)
            if chip.hardware_class == p.name and own is not None:
                mine = Parameter("chip", name, p.field, p.key)
                found[mine] = min(1.0, factor * found.get(mine, own.value))
        mine = Parameter("class", p.name, p.field, p.key)
        of_class = getattr(catalog.class_defaults(p.name), p.field).get(p.key)
        if mine not in found and of_class is not None:
            found[mine] = min(1.0, factor * of_class.value)
    return found


def write(values: dict[Parameter, float], start: dict[Parameter, float]) -> None:
    """Put the constants into their files, each with its source."""
    files = defaultdict(dict)
    for parameter, value in spread(values).items():
        path, epoch = file_of(parameter)
        # What stays at its prior is left to the prior; but an epoch left silent would take today's figure instead.
        if not epoch and abs(np.log(value / start.get(parameter, 1e-9))) < 0.01:
            continue
        text = f"{value * 1e6:.3g} us" if parameter.field in SECONDS else float(f"{value:.3g}")
        figure = {"value": text, "source": SOURCE, "kind": "derived"}
        files[path][(epoch, parameter.field, parameter.key)] = figure
    for path, figures in files.items():
        prior = ROOT / "bench" / "priors" / path.relative_to(ROOT)
        if not prior.exists():
            # Else the next fit would start where this one ends, and drift on with each.
            prior.write_text(path.read_text())
        spec = tomllib.loads(prior.read_text())
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
