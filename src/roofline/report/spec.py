"""Spec files as records: what a chip, model, engine or workload says, and where each figure comes from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from roofline import catalog, dtypes
from roofline.report.record import Record, clean


def load(family: catalog.Family, name: str) -> Any:
    """Load a spec of a family and, for a chip, the class it takes its defaults from."""
    if family == "hardware":
        chip = catalog.hardware(name)
        catalog.class_defaults(chip.hardware_class)
        catalog.find("engines", chip.default_engine)
        return chip
    loader = {"models": catalog.model, "engines": catalog.engine, "workloads": catalog.workload}[family]
    return loader(name)


def listing(family: catalog.Family) -> list[Record]:
    """Return one record per spec file of a family; a user's file hides a shipped one of the same name."""
    seen: dict[str, Record] = {}
    for origin, stem, path in catalog.files(family):
        if stem in seen:
            continue
        spec = load(family, str(path))
        record: Record = {"name": stem, "full_name": spec.name, "aliases": list(spec.aliases), "origin": origin}
        seen[stem] = clean(record | _summary(family, spec))
    return list(seen.values())


def _summary(family: catalog.Family, spec: Any) -> Record:
    if family == "hardware":
        nearest = spec.memory[0]
        best = max(spec.peak.values(), key=lambda figure: figure.value)
        half = spec.peak.get("bf16") or spec.peak.get("fp16")
        return {
            "vendor": spec.vendor,
            "year": spec.year,
            "status": spec.status,
            "peak_16_bit_flops_per_second": half.value if half else None,
            "peak_flops_per_second": best.value,
            "memory_bytes": nearest.capacity.value,
            "memory_bytes_per_second": nearest.bandwidth.value,
            "priced": spec.price.rental is not None or spec.price.owner is not None,
        }
    if family == "engines":
        return {"note": spec.note}
    if family == "workloads":
        return {
            "isl": spec.isl.mean.value,
            "osl": spec.osl.mean.value,
            "cache_hit": spec.cache_hit.value,
            "turns": spec.turns.value if spec.turns else None,
            "average_to_peak": spec.average_to_peak.value if spec.average_to_peak else None,
            "offline": spec.offline,
        }
    if spec.scenario is not None:
        total, active = spec.scenario.total_parameters, spec.scenario.active_parameters
        return {
            "developer": spec.developer,
            "estimate": "estimate",
            "total_parameters_low": total.low,
            "total_parameters_high": total.high,
            "active_parameters_low": active.low,
            "active_parameters_high": active.high,
        }
    from roofline.lower.parameters import active_parameters, total_parameters

    return {
        "developer": spec.developer,
        "release": spec.release,
        "total_parameters": total_parameters(spec),
        "active_parameters": active_parameters(spec),
        "max_context": spec.max_context,
    }


def _figures(name: str, spec: Any) -> list[Record]:
    return [clean({"name": name, "figure": path} | asdict(figure)) for path, figure in spec.figures()]


def hardware_records(name: str) -> list[Record]:
    """Return every figure of a chip, its own before those of its class."""
    chip = catalog.hardware(name)
    label = catalog.label("hardware", name)
    records = _figures(label, chip)
    own = {record["figure"] for record in records}
    below = catalog.class_defaults(chip.hardware_class)
    for field, value in vars(below).items():
        for key, figure in value.items() if isinstance(value, dict) else [("", value)]:
            path = f"achieved.{field}" + (f".{key}" if key else "")
            if figure is not None and path not in own:
                record = {"name": label, "figure": path} | asdict(figure)
                records.append(clean(record | {"note": f"class default of {chip.hardware_class}"}))
    return records


def engine_records(name: str) -> list[Record]:
    """Return every figure of an engine, inherited ones included."""
    return _figures(catalog.label("engines", name), catalog.engine(name))


def workload_records(name: str) -> list[Record]:
    """Return every figure of a workload profile."""
    return _figures(catalog.label("workloads", name), catalog.workload(name))


def model_record(name: str, context: int, kv: str, weights: str | None) -> Record:
    """Return a model's counts at a context: parameters, bytes of weights and of one sequence's cache."""
    spec = catalog.model(name)
    label = catalog.label("models", name)
    record: Record = {"model": label, "full_name": spec.name, "developer": spec.developer, "release": spec.release}
    record["context_tokens"] = context
    if spec.scenario is not None:
        record |= _summary("models", spec) | {"proxies": list(spec.scenario.proxies)}
        return clean(record | {"note": spec.note, "source": spec.source})
    from roofline.lower.cache import kv_bytes, recurrent_bytes
    from roofline.lower.parameters import active_parameters, routed_parameters, total_parameters

    form = dtypes.normalise(weights, "--weights") if weights else None
    cache = dtypes.normalise(kv, "--kv")
    total, routed = total_parameters(spec), routed_parameters(spec)
    assert spec.d_model and spec.vocab_size
    ends = spec.d_model * spec.vocab_size * (1 if spec.tied_embeddings else 2)
    main = form or dtypes.normalise(spec.precision.weights)
    experts = form or dtypes.normalise(spec.precision.experts or main)
    edge = form or dtypes.normalise(spec.precision.embeddings or main)
    sizes = dtypes.BYTES
    record |= {
        "total_parameters": total,
        "active_parameters": active_parameters(spec),
        "kv_dtype": cache,
        "kv_bytes": kv_bytes(spec, context, sizes[cache]),
        "state_bytes": recurrent_bytes(spec),
        "weights_dtype": main,
        "experts_dtype": experts,
        "weights_bytes": routed * sizes[experts] + ends * sizes[edge] + (total - routed - ends) * sizes[main],
        "layers": spec.n_layers,
        "layer_kinds": [f"{n} x {mixer} + {ffn}" for (mixer, ffn), n in spec.kinds.items()],
        "d_model": spec.d_model,
        "vocab_size": spec.vocab_size,
        "tied_embeddings": spec.tied_embeddings,
        "max_context": spec.max_context,
        "mtp_modules": spec.mtp.modules if spec.mtp else 0,
        "hf_id": spec.hf_id,
        "confidence": spec.confidence,
        "note": spec.note,
        "source": spec.source,
    }
    return clean(record)
