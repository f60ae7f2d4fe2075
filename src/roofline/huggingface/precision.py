"""Formats in which a checkpoint ships: quantization_config, expert_dtype, torch_dtype."""

from __future__ import annotations

from typing import Any

from roofline.huggingface.fields import Config, shown

_PLAIN = {
    "bfloat16": "bf16",
    "float16": "fp16",
    "half": "fp16",
    "float32": "fp32",
    "float": "fp32",
    "float8_e4m3fn": "fp8",
}
_MODELOPT = {
    "FP8": "fp8",
    "FP8_PER_CHANNEL_PER_TOKEN": "fp8",
    "FP8_PB_WO": "fp8_block",
    "MXFP8": "mxfp8",
    "NVFP4": "nvfp4",
    "NVFP4_AWQ": "nvfp4",
    "W4A16_NVFP4": "nvfp4",
    "W4A8_MXFP4_FP8": "mxfp4",
    "MXFP4": "mxfp4",
    "W4A16_AWQ": "int4",
    "W4A8_AWQ": "int4",
    "INT4_AWQ": "int4",
    "INT8_SQ": "int8",
    "W8A16": "int8",
}
_EXPERTS = {"fp4": "mxfp4", "mxfp4": "mxfp4", "nvfp4": "nvfp4", "fp8": "fp8", "bf16": "bf16", "bfloat16": "bf16"}
_ADVICE = "write a model file with [precision] (see CONTRIBUTING.md)"


def precision(c: Config, experts: bool) -> dict[str, str]:
    """Return the [precision] table.

    Raises
    ------
    RooflineError
        If the quantisation method is not known; its name is in the message.
    """
    everywhere = c.anywhere()
    name = everywhere.text("dtype", "torch_dtype")
    plain = _PLAIN.get(name.removeprefix("torch.") or "bfloat16")
    if plain is None:
        c.fail("torch_dtype", f"{shown(name)} is not known; {_ADVICE}")
    if not name:
        c.notes.append("torch_dtype is not in the file: bf16 is assumed.")
    quantised = everywhere.table("quantization_config")
    table = {"weights": plain}
    own = c.text("expert_dtype")
    if quantised is not None:
        table = _quantised(quantised, plain, experts) | _cache(quantised)
        own = quantised.text("expert_dtype") or own
    if experts and own:
        table["experts"] = _EXPERTS.get(own) or c.fail("expert_dtype", f"{shown(own)} is not known; {_ADVICE}")
    return table


def _quantised(q: Config, plain: str, experts: bool) -> dict[str, str]:
    method = q.text("quant_method").lower()
    if method in ("fp8", "fbgemm_fp8"):
        return {"weights": "fp8_block" if q.items("weight_block_size") else "fp8", "embeddings": plain}
    if method in ("mxfp4", "mxfp8"):
        # gpt-oss quantises its experts only; the rest is listed as not converted.
        if method == "mxfp4" and experts:
            return {"weights": plain, "experts": "mxfp4"}
        return {"weights": method, "embeddings": plain}
    if method in ("awq", "gptq", "gptq_marlin", "awq_marlin", "auto-round"):
        bits, size = q.whole("bits", "w_bit"), q.maybe("group_size", "q_group_size", low=-1)
        if bits not in (4, 8):
            q.fail("bits", f"{bits} is not 4 or 8")
        return {"weights": "int8" if bits == 8 else "int4_g32" if size == 32 else "int4", "embeddings": plain}
    if method == "bitsandbytes":
        if q.flag("load_in_4bit", "_load_in_4bit") or q.flag("load_in_8bit", "_load_in_8bit"):
            return {"weights": "int4" if q.flag("load_in_4bit", "_load_in_4bit") else "int8", "embeddings": plain}
        q.fail("load_in_4bit", "neither load_in_4bit nor load_in_8bit is true")
    if method == "compressed-tensors":
        return _groups(q, plain, experts)
    if method.startswith("modelopt") or (not method and q.text("quant_algo")):
        algorithm = q.text("quant_algo")
        form = _MODELOPT.get(algorithm.upper())
        if form is None:
            q.fail("quant_algo", f"{shown(algorithm)} is not known; {_ADVICE}")
        return _parts(q, form, plain, experts, "ignore", "exclude_modules")
    return q.fail("quant_method", f"{shown(method)} is not known; {_ADVICE}" if method else f"missing; {_ADVICE}")


def _groups(q: Config, plain: str, experts: bool) -> dict[str, str]:
    groups = q.table("config_groups")
    found = {_group(groups, name) for name in groups.values} if groups else set()
    if len(found) != 1:
        q.fail("config_groups", f"{len(found)} formats of weights, one is needed; write a model file with [precision]")
    return _parts(q, found.pop(), plain, experts, "ignore")


def _group(groups: Config, name: str) -> str:
    group = groups.table(name)
    w = group.table("weights") if group else None
    if w is None:
        groups.fail(name, "no weights")
    bits, size, form = w.whole("num_bits"), w.maybe("group_size", low=-1), w.text("type", default="int")
    if bits == 8:
        return ("mxfp8" if size == 32 else "fp8") if form == "float" else "int8"
    if bits == 4 and form == "float":
        return "nvfp4" if size == 16 else "mxfp4"
    if bits == 4:
        return "int4_g32" if size == 32 else "int4"
    return w.fail("num_bits", f"{bits} is not 4 or 8")


def _parts(q: Config, form: str, plain: str, experts: bool, *names: str) -> dict[str, str]:
    """Return the format of the weights, or of the experts alone where attention is left out."""
    ignored = " ".join(str(entry) for entry in q.items(*names) or ())
    if experts and "attn" in ignored:
        return {"weights": plain, "experts": form}
    return {"weights": form, "embeddings": plain}


def _cache(q: Config) -> dict[str, str]:
    """Return the format of the KV cache, where the checkpoint prescribes one."""
    named = q.text("kv_cache_quant_algo").lower()
    if named in ("fp8", "nvfp4", "int8"):
        return {"kv": named}
    scheme: Any = q.first("kv_cache_scheme")[1]
    if named or (scheme is not None and not isinstance(scheme, dict)):
        q.fail(
            "kv_cache_scheme" if scheme is not None else "kv_cache_quant_algo",
            f"{shown(scheme or named)} is not known; {_ADVICE}",
        )
    if not scheme:
        return {}
    s = q.inside(scheme, "kv_cache_scheme")
    bits, form = s.whole("num_bits"), s.text("type", default="int")
    known = {(8, "float"): "fp8", (8, "int"): "int8", (4, "float"): "nvfp4"}
    return {
        "kv": known.get((bits, form)) or s.fail("num_bits", f"{bits} bits of {shown(form)} is not known; {_ADVICE}")
    }
