"""Write calibration/intervals.toml and calibration/held_out.csv from errors on rows that no fit had seen.

    python bench/make_intervals.py DATA_FOLDER CONFIGURATIONS.jsonl CHIPS.jsonl MODELS.jsonl SOURCES.jsonl

The files are those of the folder that ``bench/fit_constants.py --held-out`` wrote:
log errors on configurations, and on whole chips, models and sources, that were left out of the fit.

How wide an interval is follows from factors of question, chip, engine, FFN and width (``bench/scales.py``), fitted to
such errors. Where chip and engine were fitted they are those on left-out configurations and sources; where only the
model was not, those on left-out models; where the chip or the engine was not, those on left-out chips. Where neither
was, they are those of the constants before any fit, and no narrower than those on left-out chips. Files of
measurements/ that are in no fit count as left-out sources.
Separate pools, and engines on another family of chips than those they were fitted on, take part in no fit, so that
today's constants have not seen them either.

Whether the intervals hold is measured on rows that neither the fit nor the interval has seen: the groups of rows are
divided in ten, and each tenth is held against the intervals of the other nine; chips, models and sources are left out
one by one.
"""

from __future__ import annotations

import json
import math
import os
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]

from fit_constants import ALSO, excluded, group_of, measured, sample, shape_of  # noqa: E402 (it chooses the priors, which the others must see)
from roofline import calibrate, catalog, unstated  # noqa: E402
from roofline.interval import ELSEWHERE, NEW_MODEL, POOLS, WORDS, ffn_kind, width_of  # noqa: E402
from roofline.measurements import read_csv  # noqa: E402
from roofline.predict import predict  # noqa: E402
from roofline.validate import QUESTIONS, SPATIAL_QUESTIONS, kind_of  # noqa: E402
from scales import Row, Scales, fitted, shortest  # noqa: E402

#: What is new together with a row, by what was left out.
BY = {"configurations": "group", "chips": "chip", "models": "model", "sources": "source"}
#: Pages in no fit, by what they are called beside what was left out.
LATER = "in no fit"
#: The same for the tables of what is new.
NEW = {NEW_MODEL: "model", WORDS[1]: "chip"}
#: Chips, engines and shapes of fewer rows than these are not known from them.
KNOWN = 8
#: How many factors a scale has where not both chip and engine are known (all but that of the four together), and where
#: neither is (only the question).
APART, UNKNOWN = 5, 1
#: A factor nearer to 1 is not worth telling.
HARDLY = 0.03


def read(path: str, known: dict[str, object]) -> list[Row]:
    """Return the rows of a file of residuals."""
    lines = map(json.loads, Path(path).read_text().splitlines())
    return [row_of(known[name], -error) for *_, name, error in lines if name in known]


def row_of(m: object, error: float) -> Row:
    """Return a measured row with ln(measured / predicted) of its time."""
    p = predict(m)
    return Row(
        kind_of(m),
        m.hardware,
        unstated.engine(m),
        _ffn(m.model),
        shape_of(m),
        m.source,
        str(group_of(m)),
        error,
        width_of(p.system),
        p.busy,
    )


def _ffn(model: str) -> str:
    return ffn_kind(catalog.model(model))


def by_word(left_out: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the rows that each degree of familiarity is made from.

    Of a left-out source those rows are of a known chip, engine, shape and question that others told of as well; pages
    in no fit are to today's fit what a left-out source is to one without it.
    """
    found = {WORDS[0]: left_out["configurations"], NEW_MODEL: left_out["models"], WORDS[1]: left_out["chips"]}
    known = [row for row, word in zip(left_out["sources"], words(left_out, "sources"), strict=True) if word == WORDS[0]]
    found[WORDS[0]] = found[WORDS[0]] + known
    for row, word in zip(left_out[LATER], words(left_out, LATER), strict=True):
        found[word] = [*found[word], row]
    return found


def words(left_out: dict[str, list[Row]], what: str) -> list[str]:
    """Return what each row of a left-out source was to the fit without that source."""
    counts: Counter[tuple[str, ...]] = Counter()
    for row in left_out["configurations"]:
        for name in ("chip", "engine", "model", "question"):
            counts[name, getattr(row, name)] += 1
            counts[name, getattr(row, name), row.source] += 1

    def elsewhere(row: Row, name: str) -> bool:
        key = (name, getattr(row, name))
        return counts[key] - counts[*key, row.source] >= KNOWN

    def word(row: Row) -> str:
        if not all(elsewhere(row, name) for name in ("chip", "engine", "question")):
            return WORDS[1]
        return WORDS[0] if elsewhere(row, "model") else NEW_MODEL

    return [word(row) for row in left_out[what]]


def predicted(found: list) -> list[Row]:
    """Return rows with the errors of the constants that are in force."""
    kept, _ = calibrate.usable(found)
    return [row_of(m, -calibrate.log_error(m)) for m in kept]


def wider(*found: Scales) -> Scales:
    """Return what holds each of some ranges that have no factors but the question's."""
    ends = {
        question: [tuple(scales.factors[question] * end for end in scales.ranges[question]) for scales in found]
        for question in _questions(*found)
    }
    ranges = {question: (min(low for low, _ in e), max(high for _, high in e)) for question, e in ends.items()}
    return Scales(dict.fromkeys(ranges, 1.0), ranges)


def later() -> list:
    """Return the rows of pages that came after the fit."""
    paths = sorted((ROOT / "measurements").glob("*.csv"))
    return [m for path in paths if path.name not in (*ALSO, "published.csv") for m in read_csv(path)]


def dates_of(rows: list) -> dict[str, list[str]]:
    """Return the dates of the rows that a fit may see, by engine and family of chips."""
    found: dict[str, list[str]] = defaultdict(list)
    for m in rows:
        if not excluded(m) and m.date:
            found[port_of(unstated.engine(m), m.hardware)].append(m.date[:7])
    return found


def port_of(engine: str, chip: str) -> str:
    """Return an engine and the family of a chip."""
    return f"{engine} {catalog.chip_family(catalog.hardware(chip).hardware_class)}"


def coverage(
    rows: list[Row], by: str, given: list[str], others: dict[str, list[Row]]
) -> dict[str, tuple[float, float]]:
    """Return, by kind of row, how many intervals made without a row's own group held, and their median factor.

    Parameters
    ----------
    rows : list of Row
        What is held against the intervals.
    by : str
        Attribute of a row that names its group; configurations are taken in ten parts.
    given : list of str
        The degree of familiarity of each.
    others : dict of list of Row
        What the intervals of each degree are made from, less the group.
    """
    names = sorted({getattr(row, by) for row in rows})
    random.Random(3).shuffle(names)
    fold = {name: i % 10 if by == "group" else i for i, name in enumerate(names)}
    seen: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for one in sorted(set(fold.values())):
        for word in sorted(set(given)):
            held = [row for row, w in zip(rows, given, strict=True) if w == word and fold[getattr(row, by)] == one]
            if not held:
                continue
            rest = [row for row in others[word] if fold.get(getattr(row, by)) != one]
            scales = fitted(rest, NEW.get(word, "group"), APART if word == WORDS[1] else None)
            for row in held:
                # Where one group is all there is of a question, nothing else can say how wide its interval should be.
                if row.question in scales.factors:
                    low, high = scales.bounds(row)
                    seen[row.kind].append((low <= math.exp(row.error) <= high, math.sqrt(high / low)))
    return {
        kind: (sum(held for held, _ in pairs) / len(pairs), median(factor for _, factor in pairs))
        for kind, pairs in seen.items()
    }


def spatial(folder: Path) -> dict[str, tuple[float, float]]:
    """Return the factors of wafers without speculation, by question; an LPU is told as served."""
    rows = [
        m
        for m in read_csv(folder / "measurements_sram.csv")
        if m.hardware.startswith("wse") and m.spec_decode == "false"
    ]
    kept, _ = calibrate.usable(rows)
    found: dict[str, list[float]] = defaultdict(list)
    for m in kept:
        found[SPATIAL_QUESTIONS.get(m.mode, "decode")].append(-calibrate.log_error(m))
    return {question: tuple(math.exp(end) for end in shortest(errors)) for question, errors in sorted(found.items())}


def shipped_constants() -> None:
    """Leave the priors: what follows is predicted with the constants that ship."""
    os.environ.pop("ROOFLINE_PATH", None)
    from roofline import row as rows

    for cached in (rows.system_of, catalog.class_defaults):
        cached.cache_clear()


def lines_of(word: str, scales: Scales, others: Scales) -> list[str]:
    """Return the lines of a table: a range for each question, and factors; what it has no rows of is that of others."""
    names = {question: scales if question in scales.factors else others for question in _questions(others, scales)}
    factors = {question: of.factors[question] for question, of in names.items()}
    factors |= {
        name: factor for name, factor in scales.factors.items() if name not in names and abs(math.log(factor)) > HARDLY
    }
    given = {question: of.ranges[question] for question, of in names.items()}
    lines = ["", f"[{word}.range]", *_pairs(given), "", f"[{word}.scale]"]
    return lines + [f'"{name}" = {factor:.3g}' for name, factor in factors.items()]


def _questions(*found: Scales) -> list[str]:
    return sorted({name for scales in found for name in scales.factors if name in QUESTIONS.values()})


def _pairs(found: dict[str, tuple[float, float]]) -> list[str]:
    return [f"{name} = [{low:.3f}, {high:.3f}]" for name, (low, high) in found.items()]


def main() -> None:
    folder, files = Path(sys.argv[1]), dict(zip(BY, sys.argv[2:], strict=True))
    every = measured(folder)
    known = {m.id: m for m in every}
    left_out = {what: read(path, known) for what, path in files.items()}
    prior = predicted(sample([m for m in every if not excluded(m)], 3))
    shipped_constants()
    pools = [row for row in predicted([m for m in every if m.mode == "disagg"]) if "pools" in row.kind]
    rows = left_out["configurations"]
    chips, engines = Counter(row.chip for row in rows), Counter(row.engine for row in rows)
    shapes = Counter(row.model for row in rows)
    ports = {port_of(row.engine, row.chip) for row in rows if engines[row.engine] >= KNOWN}
    since = {port: min(dates) for port, dates in dates_of(every).items() if port in ports}

    def is_strange(m: object) -> bool:
        """Return whether a known engine ran on a family of chips that it is not known on."""
        engine = unstated.engine(m)
        return engines[engine] >= KNOWN and port_of(engine, m.hardware) not in ports

    new = [m for m in later() if not excluded(m)]
    strange = {m.id for m in new if is_strange(m)}
    early = [m for m in every if m.mode != "disagg" and m.spec_decode == "false" and excluded(m)]
    young = predicted(early + [m for m in new if m.id in strange])
    left_out[LATER] = predicted([m for m in new if m.id not in strange])
    found = by_word(left_out)
    calibrated, transferred = fitted(found[WORDS[0]]), fitted(found[WORDS[1]], NEW[WORDS[1]], APART)
    unknown = [fitted(these, "chip", UNKNOWN) for these in (prior, left_out["chips"])]
    tables = {
        WORDS[0]: (calibrated, calibrated),
        NEW_MODEL: (fitted(found[NEW_MODEL], NEW[NEW_MODEL]), calibrated),
        WORDS[1]: (transferred, calibrated),
        WORDS[2]: (wider(*unknown), calibrated),
    }
    for word, scales in ((POOLS, fitted(pools)), (ELSEWHERE, fitted(young, only=UNKNOWN))):
        tables[word] = (scales, scales)
    lines = [
        "# Made by bench/make_intervals.py; do not edit.",
        'note = "A measured time lies between exp(range x scale) of the predicted one in nine cases of ten."',
        f"chips = {json.dumps(sorted(name for name, n in chips.items() if n >= KNOWN))}",
        f"engines = {json.dumps(sorted(name for name, n in engines.items() if n >= KNOWN))}",
        f"shapes = {json.dumps(sorted(name for name, n in shapes.items() if n >= KNOWN))}",
        "",
        "[since]  # the earliest of an engine on a family of chips that a fit has seen",
        *(f'"{port}" = "{date}"' for port, date in sorted(since.items())),
        "",
        "[spatial]",
        *_pairs(spatial(folder)),
    ]
    for word, (scales, others) in tables.items():
        lines += lines_of(word, scales, others)
    (ROOT / "calibration" / "intervals.toml").write_text("\n".join(lines) + "\n")
    write_held_out(left_out, pools)


def write_held_out(left_out: dict[str, list[Row]], pools: list[Row]) -> None:
    """Write calibration/held_out.csv: errors and interval coverage on what was left out, by kind of row."""
    found = ["left_out,kind,n,median_absolute_error,bias,interval_coverage,interval_factor"]
    others = by_word(left_out) | {POOLS: pools}
    given = {"configurations": WORDS[0], "chips": WORDS[1], "models": NEW_MODEL}
    for what, rows in left_out.items():
        is_of = [given[what]] * len(rows) if what in given else words(left_out, what)
        found += _lines(what, rows, coverage(rows, BY.get(what, "source"), is_of, others))
    found += _lines("never fitted", pools, coverage(pools, "group", [POOLS] * len(pools), others))
    (ROOT / "calibration" / "held_out.csv").write_text("\n".join(found) + "\n")
    print("\n".join(found))


def _lines(what: str, rows: list[Row], held: dict[str, tuple[float, float]]) -> list[str]:
    groups = defaultdict(list)
    for row in rows:
        groups[row.kind].append(row.error)
    lines = []
    for kind, errors in sorted(groups.items()):
        wrong, bias = median(abs(math.expm1(-e)) for e in errors), math.exp(-median(errors))
        # Where one group is all there is, nothing else can say how wide its interval should be.
        seen = ",".join(f"{value:.3f}" for value in held[kind]) if kind in held else ","
        lines.append(f'{what},"{kind}",{len(errors)},{wrong:.3f},{bias:.3f},{seen}')
    return lines


if __name__ == "__main__":
    main()
