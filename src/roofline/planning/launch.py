"""The command that starts a deployment in its engine.

References
----------
.. [1] vLLM, "Engine arguments" and "Speculative decoding", https://docs.vllm.ai
.. [2] SGLang, "Server arguments", https://docs.sglang.ai
.. [3] NVIDIA, "trtllm-serve", https://nvidia.github.io/TensorRT-LLM
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from roofline import dtypes

if TYPE_CHECKING:
    from roofline.system import System
    from roofline.workload import Speculation


#: Stands for a checkpoint of a draft head, where the model ships no module of its own.
DRAFT = "EAGLE3_HEAD"


def command(
    system: System, batch: float, context: int, role: str | None = None, speculation: Speculation | None = None
) -> str | None:
    """Return the command line that starts one copy, or None for engines that are not started by hand.

    Parameters
    ----------
    system : System
    batch : float
        Sequences that decode together, over all attention-DP ranks.
    context : int
        Longest sequence [tokens].
    role : {"prefill", "decode"}, optional
        Of a pool of its own; the cache then travels over NIXL.
    speculation : Speculation, optional
        Drafted by the model's own module, or by a head that stands as EAGLE3_HEAD in the command.
    """
    commands = {"vllm": _vllm, "sglang": _sglang, "tensorrt-llm": _tensorrt_llm}
    # A profile of somebody's own, or of a class of chips, is started like what it derives from.
    build = commands.get(system.names[2].partition("@")[0]) or commands.get(system.engine.parent or "")
    if build is None:
        return None
    drafted = speculation.drafted if speculation else 0
    return build(system, max(1, round(batch / system.deployment.dp)), context, role, drafted)


def _repository(system: System) -> str:
    return system.model.hf_id or system.names[1]


def _quantised(system: System) -> bool:
    """Return whether weights are stored in FP8 that the checkpoint does not ship."""
    return system.deployment.weights == "fp8" and system.model.precision.weights not in ("fp8", "fp8_block")


def _vllm(system: System, batch: int, context: int, role: str | None, drafted: int) -> str:
    d = system.deployment
    words = ["vllm", "serve", _repository(system), "--tensor-parallel-size", str(d.tp)]
    words += ["--pipeline-parallel-size", str(d.pp)] if d.pp > 1 else []
    words += ["--data-parallel-size", str(d.dp)] if d.dp > 1 else []
    words += ["--enable-expert-parallel"] if d.ep > 1 else []
    words += ["--decode-context-parallel-size", str(d.dcp)] if d.dcp > 1 else []
    words += ["--quantization", "fp8"] if _quantised(system) else []
    words += ["--kv-cache-dtype", "fp8"] if dtypes.BYTES[d.kv] == 1 else []
    if drafted:
        draft = {"method": "mtp"} if system.model.mtp else {"method": "eagle3", "model": DRAFT}
        words += ["--speculative-config", json.dumps(draft | {"num_speculative_tokens": drafted})]
    if role is not None:
        words += ["--kv-transfer-config", '{"kv_connector": "NixlConnector", "kv_role": "kv_both"}']
    return shlex.join([*words, "--max-model-len", str(context), "--max-num-seqs", str(batch)])


def _sglang(system: System, batch: int, context: int, role: str | None, drafted: int) -> str:
    d = system.deployment
    # SGLang counts attention-DP ranks inside its tensor-parallel group.
    words = ["python", "-m", "sglang.launch_server", "--model-path", _repository(system), "--tp-size", str(d.tp * d.dp)]
    words += ["--pp-size", str(d.pp)] if d.pp > 1 else []
    words += ["--dp-size", str(d.dp), "--enable-dp-attention"] if d.dp > 1 else []
    words += ["--ep-size", str(d.ep)] if d.ep > 1 else []
    words += ["--dcp-size", str(d.dcp)] if d.dcp > 1 else []
    words += ["--quantization", "fp8"] if _quantised(system) else []
    words += ["--kv-cache-dtype", "fp8_e4m3"] if dtypes.BYTES[d.kv] == 1 else []
    if drafted:
        own = ["EAGLE"] if system.model.mtp else ["EAGLE3", "--speculative-draft-model-path", DRAFT]
        words += ["--speculative-algorithm", *own, "--speculative-num-steps", str(drafted)]
        words += ["--speculative-eagle-topk", "1", "--speculative-num-draft-tokens", str(drafted + 1)]
    words += ["--disaggregation-mode", role, "--disaggregation-transfer-backend", "nixl"] if role else []
    return shlex.join([*words, "--context-length", str(context), "--max-running-requests", str(batch * d.dp)])


def _tensorrt_llm(system: System, batch: int, context: int, role: str | None, drafted: int) -> str:
    d = system.deployment
    # Context-parallel ranks are counted beside the tensor-parallel ones, attention-DP ranks among them.
    words = ["trtllm-serve", _repository(system), "--tp_size", str(d.tp * d.dp // d.dcp)]
    words += ["--cp_size", str(d.dcp)] if d.dcp > 1 else []
    words += ["--pp_size", str(d.pp)] if d.pp > 1 else []
    words += ["--ep_size", str(d.ep)] if d.ep > 1 else []
    words += ["--max_batch_size", str(batch), "--max_seq_len", str(context)]
    # Attention-DP, formats and cache transfer are not flags: they go into a file of options.
    lines = ["enable_attention_dp: true"] if d.dp > 1 else []
    lines += ["cp_config: {cp_type: HELIX}"] if d.dcp > 1 else []
    lines += ["kv_cache_config: {dtype: fp8}"] if dtypes.BYTES[d.kv] == 1 else []
    lines += ["quant_config: {quant_algo: FP8}"] if _quantised(system) else []
    lines += ["cache_transceiver_config: {backend: NIXL}"] if role else []
    if drafted:
        own = f"MTP, num_nextn_predict_layers: {drafted}"
        head = f"Eagle, max_draft_len: {drafted}, speculative_model_dir: {DRAFT}"
        lines += [f"speculative_config: {{decoding_type: {own if system.model.mtp else head}}}"]
    if not lines:
        return shlex.join(words)
    given = shlex.join(["printf", "%s\\n", *lines])
    return f"{given} > options.yaml && {shlex.join([*words, '--extra_llm_api_options', 'options.yaml'])}"
