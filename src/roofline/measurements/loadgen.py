"""Result files of the common load generators, as the tools write them, turned into measurements.

Such a file says how the load was made and how fast the answers came; it does not say the chip, the split over chips
or the precision, so the caller gives those.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Literal

from roofline.errors import RooflineError
from roofline.measurements import genai, serving
from roofline.measurements.record import Measurement
from roofline.measurements.run import Run
from roofline.measurements.table import COLUMNS, measurement, parse_csv
from roofline.measurements.text import load

Kind = Literal["csv", "vllm", "sglang", "aiperf", "genai-perf"]

#: Load generators whose result files are read: the source of their rows.
GENERATORS: dict[Kind, str] = {
    "vllm": "vllm bench serve",
    "sglang": "sglang bench_serving",
    "aiperf": "AIPerf",
    "genai-perf": "GenAI-Perf",
}
_FILE: dict[Kind, str] = {
    "vllm": "a vLLM result file",
    "sglang": "an SGLang result file",
    "aiperf": "an AIPerf result file",
    "genai-perf": "a GenAI-Perf result file",
}
_SAME = {column: column for column in COLUMNS}


def sniff(path: str | Path) -> Kind:
    """Return what kind of benchmark file this is, by its content and not its name.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    {"csv", "vllm", "sglang", "aiperf", "genai-perf"}
        ``csv`` is this project's table, and any other text that is not JSON.

    Raises
    ------
    RooflineError
        If the file cannot be read, or is JSON that none of these tools writes.
    """
    text = load(path)
    return _kind(text, _objects(text, path), path)


def read(
    path: str | Path,
    *,
    hardware: str | None = None,
    model: str | None = None,
    engine: str | None = None,
    engine_version: str = "",
    n_chips: int = 1,
    tp: int | None = None,
    weights: str | None = None,
    kv: str | None = None,
) -> list[Measurement]:
    """Read a benchmark file of any known kind.

    Parameters
    ----------
    path : str or Path
        This project's CSV, the JSON of ``vllm bench serve --save-result``, the JSONL of SGLang's ``bench_serving``,
        or ``profile_export_genai_perf`` / ``profile_export_aiperf`` as JSON or CSV.
    hardware : str
        Chip; needed for every kind but this project's CSV, which names its own and takes none of these arguments.
    model : str, optional
        Needed where the file does not name it (SGLang, and CSV of GenAI-Perf and AIPerf).
    engine, engine_version : str, optional
        By default the engine that the file's backend names, or the load generator's own; empty when neither says.
    n_chips, tp : int, optional
        Chips in use, and how many of them share each layer.
    weights, kv : str, optional
        Number formats of the weights and of the KV cache.

    Returns
    -------
    list of Measurement
        Up to three rows a run: ``tpot_ms`` and ``ttft_ms`` (means) and ``output_tok_s_total``. The mode is ``server``
        when requests came at a finite rate (`extra` has ``request_rate``; a limit on concurrency is only a cap
        then), else ``concurrency`` with the number of clients in `batch`; without either, all requests came at once.

    Raises
    ------
    RooflineError
        If the file cannot be read, nothing in it was measured, or something that it does not say was not given.
    """
    text = load(path)
    objects = _objects(text, path)
    kind = _kind(text, objects, path)
    if kind == "csv":
        if hardware or model:
            raise RooflineError(
                f"{path}: a table of measurements names its own chips and models; drop --hw and --model"
            )
        return parse_csv(text, path)
    if not hardware:
        raise RooflineError(f"{path}: --hw is needed: {_FILE[kind]} does not name the chip")
    given = {
        "source": GENERATORS[kind],
        "source_ref": Path(path).name,
        "hardware": hardware,
        "n_chips": str(n_chips),
        "tp": "" if tp is None else str(tp),
        "engine_version": engine_version,
        "weight_precision": weights or "",
        "kv_precision": kv or "",
    }
    found: list[Measurement] = []
    for number, run in enumerate(_runs(kind, text, objects, path), start=1):
        where = f"{path}: row {run.line}"
        name = model or run.model
        if not name:
            raise RooflineError(f"{where}: --model is needed: {_FILE[kind]} of this form does not name the model")
        if not run.values:
            raise RooflineError(f"{where}: nothing measured: no mean TTFT, TPOT or output throughput above zero")
        cells = given | _cells(run, where) | {"model": name, "engine": engine or run.engine}
        extra = _extra(run)
        for metric, value in run.values.items():
            cells |= {"id": f"{Path(path).stem}-{number}-{metric}", "metric": metric, "value": repr(value)}
            raw = {column: cells.get(column, "") for column in COLUMNS} | extra
            found.append(measurement(raw, _SAME, extra, run.line, where))
    return found


def _objects(text: str, path: str | Path) -> list[tuple[int, dict[str, Any]]]:
    """Return (line, object) of each JSON object of a text, one after another; none if the text is not JSON."""
    if text.lstrip()[:1] not in ("{", "["):
        return []
    decoder, at, line, found = json.JSONDecoder(), 0, 1, []
    while at < len(text):
        if text[at].isspace():
            line += text[at] == "\n"
            at += 1
            continue
        try:
            item, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            raise RooflineError(f"{path}: row {error.lineno}: not valid JSON: {error.msg}") from None
        except (RecursionError, ValueError) as error:
            raise RooflineError(f"{path}: row {line}: not valid JSON: {error}") from None
        if not isinstance(item, dict):
            raise RooflineError(f"{path}: row {line}: a JSON {type(item).__name__}, not an object with results")
        found.append((line, item))
        line += text.count("\n", at, end)
        at = end
    return found


def _kind(text: str, objects: list[tuple[int, dict[str, Any]]], path: str | Path) -> Kind:
    if not objects:
        return genai.csv_tool(text) or "csv"
    line, first = objects[0]
    kinds = {_object_kind(item) for _, item in objects}
    kind = _object_kind(first)
    if kind is None:
        raise RooflineError(f"{path}: row {line}: JSON of an unknown kind; known are {', '.join(GENERATORS.values())}")
    if len(kinds) > 1:
        odd = next(line for line, item in objects if _object_kind(item) != kind)
        raise RooflineError(f"{path}: row {odd}: not {_FILE[kind]} like the rows above; keep one tool to a file")
    return kind


def _object_kind(item: dict[str, Any]) -> Kind | None:
    if serving.is_vllm(item):
        return "vllm"
    return genai.json_tool(item) or ("sglang" if serving.is_sglang(item) else None)


def _runs(kind: Kind, text: str, objects: list[tuple[int, dict[str, Any]]], path: str | Path) -> list[Run]:
    if not objects:
        try:
            return [genai.from_csv(text)]
        except csv.Error as error:
            raise RooflineError(f"{path}: not valid CSV: {error}") from None
    if kind == "vllm":
        return [serving.from_vllm(item, line) for line, item in objects]
    if kind == "sglang":
        return [serving.from_sglang(item, line) for line, item in objects]
    return [genai.from_json(item, line) for line, item in objects]


def _cells(run: Run, where: str) -> dict[str, str]:
    """Return the columns that the run itself says."""
    mode, batch, notes = "concurrency", run.concurrency, "means over requests"
    if run.rate is not None:
        mode, batch = "server", None
    elif batch is None and run.in_flight is not None:
        batch = max(1, round(run.in_flight))
        notes += "; concurrency by Little's law, requests per second x mean latency"
    elif batch is None and run.requests is not None:
        batch = run.requests
        notes += "; no limit on rate or concurrency, all requests sent at once"
    elif batch is None:
        raise RooflineError(f"{where}: the file states neither a concurrency, a request rate nor a request count")
    return {
        "date": run.date,
        "mode": mode,
        "batch": _text(batch),
        "isl": _text(run.isl),
        "osl": _text(run.osl),
        "spec_decode": "true" if run.acceptance is not None and run.acceptance > 1 else "",
        "notes": notes,
    }


def _extra(run: Run) -> dict[str, str]:
    numbers = {
        "request_rate": run.rate,
        "max_concurrency": run.concurrency,
        "requests": run.requests,
        "acceptance_length": run.acceptance,
    }
    return {column: _text(number) for column, number in numbers.items() if number is not None}


def _text(number: float | None) -> str:
    if number is None:
        return ""
    return str(int(number)) if number == int(number) else repr(number)
