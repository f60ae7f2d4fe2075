"""How wrong a prediction may be: a 90 % interval from errors on rows that no fit had seen.

Normalised split-conformal prediction [1]_: a prediction has a scale, the product of factors of its question, chip,
engine, kind of FFN and width of weights, and of how much of a service's time goes to prefills, fitted to the size of
such errors; nine in ten of them lay within a range of scales. Experts have a factor of their own because routing and
their small matrices are what a step is least sure of. Each degree of familiarity has its own table: chip and engine
fitted, a model whose shape no fit has seen, only chip or engine fitted, neither. The tables are in
calibration/intervals.toml, written by ``bench/make_intervals.py``; whether they hold, on rows that neither fit nor
interval has seen, is in docs/accuracy.md.

References
----------
.. [1] J. Lei et al., "Distribution-free predictive inference for regression", JASA 113(523), 2018, section 5.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from roofline import catalog
from roofline.dtypes import BYTES

if TYPE_CHECKING:
    from roofline.specs.hardware import Hardware
    from roofline.specs.model import Model
    from roofline.system import System


@dataclass(frozen=True, slots=True)
class Interval:
    """Factors on a predicted time.

    Attributes
    ----------
    low, high : float
        The measured time lies between `low` and `high` times the predicted one in nine cases of ten.
    confidence : str
        ``calibrated``, ``transferred`` or ``spec-sheet``.
    """

    low: float
    high: float
    confidence: str


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    path = catalog.shipped_folder() / "calibration" / "intervals.toml"
    return catalog.parse_toml(catalog.read_text(path), str(path))


#: Degrees of familiarity, closest first.
WORDS = ("calibrated", "transferred", "spec-sheet")
#: The table of fitted chips and engines for a model of another shape than those fitted.
NEW_MODEL = "new-model"
#: The table of an engine on a family of chips that it was not fitted on, or not as early: young ports are slow.
ELSEWHERE = "elsewhere"
#: The table of separate pools, which are in no fit.
POOLS = "pools"


#: Engines that serve one user, whose steps have measurements of their own; steps of a server err as its TPOT does.
OF_ONE_USER = ("llama.cpp", "ollama", "gpt-fast")


def question_of(question: str, engine: str) -> str:
    """Return the question whose errors a question to an engine has."""
    return "tpot" if question == "decode" and engine not in OF_ONE_USER else question


def familiarity(system: System) -> str:
    """Return whether the fit has seen the chip and the engine of a system, one of them, or neither."""
    table = _table()
    known = (system.names[0] in table["chips"]) + (_engine(system) in table["engines"])
    return WORDS[2 - known]


def _engine(system: System) -> str:
    return system.names[2].partition("@")[0]


def is_young(name: str, hardware: Hardware) -> bool:
    """Return whether a fitted engine was never seen on a chip's family, or is older there than any that was."""
    engine, _, date = name.partition("@")
    if engine not in _table()["engines"]:
        return False
    since = _table()["since"].get(f"{engine} {catalog.chip_family(hardware.hardware_class)}")
    return since is None or "" < date < since


def ffn_kind(model: Model) -> str:
    """Return ``moe`` where layers route tokens to experts, else ``dense``."""
    return "moe" if any(ffn.kind == "moe" for ffn in model.ffns.values()) else "dense"


def shape_of(model: Model) -> str:
    """Return a model's width and layers by kind: editions of one architecture are one model to a fit."""
    kinds = ", ".join(f"{n:g} x {mixer} + {ffn}" for (mixer, ffn), n in sorted(model.kinds.items()))
    return f"{model.d_model}: {kinds}"


def per_busy(question: str) -> str:
    """Return the name of the factor for a machine that does nothing but prefill; less of it is that power of it."""
    return f"{question} busy"


def width_of(system: System) -> str:
    """Return the width of the format that most weights are in: experts, where there are any."""
    size = BYTES[system.deployment.experts]
    return "16-bit" if size > 1.5 else "8-bit" if size > 0.8 else "4-bit"


def factors_of(question: str, chip: str, engine: str, ffn: str, width: str) -> list[str]:
    """Return the names of the factors of a scale."""
    return [question, chip, engine, ffn, f"{question} {width}", f"{question} {chip} {engine} {ffn}"]


def _spatial(system: System, question: str) -> Interval:
    """Return the interval of a wafer or LPU without speculation.

    A wafer's is what its published points without speculation show; its decode constants were fitted to another
    generation, whose two readings of that time lie within 8 % without the fixed time per token.
    """
    engine = system.engine.spatial
    if engine is not None and engine.layer_dense is not None and engine.served_range is not None:
        return Interval(1.0 / engine.served_range.value, engine.served_range.value, "calibrated")
    if system.names[0] not in ("wse2", "wse3"):
        return Interval(0.5, 2.0, "spec-sheet")
    low, high = _table()["spatial"].get(question, (0.8, 1.25))
    return Interval(min(low, 0.8), max(high, 1.25), "calibrated")


def interval(system: System, question: str, busy: float = 0.0) -> Interval | None:
    """Return the interval of a prediction; None for the ideal engine, which predicts nothing.

    Parameters
    ----------
    system : System
    question : str
        ``decode``, ``prefill``, ``tpot``, ``ttft``, ``throughput`` (of a closed loop), ``saturated``, ``static``,
        ``static_early`` (engines before 2024), ``kernel``, ``pool_tpot`` or ``pool_ttft``.
    busy : float
        Share of a service's time that goes to prefills, whose turns are harder to tell than steps of decode.
    """
    if system.engine.ideal:
        return None
    if system.spatial:
        return _spatial(system, question)
    tables, confidence = _table(), familiarity(system)
    engine = _engine(system)
    question = question_of(question, engine)
    name = confidence
    if confidence == WORDS[0] and shape_of(system.model) not in tables["shapes"]:
        name = NEW_MODEL
    if question in tables[POOLS]["range"]:
        name = POOLS
    elif question in tables[ELSEWHERE]["range"] and is_young(system.names[2], system.hardware):
        name = ELSEWHERE
    table = tables[name]
    names = factors_of(question, system.names[0], engine, ffn_kind(system.model), width_of(system))
    scale = math.prod(table["scale"].get(factor, 1.0) for factor in names)
    scale *= table["scale"].get(per_busy(question), 1.0) ** busy
    low, high = table["range"][question]
    return Interval(math.exp(low * scale), math.exp(high * scale), confidence)
