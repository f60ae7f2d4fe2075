"""How wrong a prediction may be: a 90 % interval from errors on rows that no fit had seen.

Split-conformal by group [1]_: for each class of question and each degree of familiarity (chip and engine fitted, one of
them, none) the interval is the shortest range that held nine in ten of the held-out ratios of measured to predicted
time, in the finest group that has enough of them: chip, engine and kind of FFN, down to all. Experts have a group of
their own because routing and their small matrices are what a step is least sure of. A model whose shape no fit has seen
takes the ratios of models that were left out. The factors are in calibration/intervals.toml, written by
``bench/make_intervals.py``; whether they hold, on rows that neither fit nor interval has seen, is in docs/accuracy.md.

References
----------
.. [1] J. Lei et al., "Distribution-free predictive inference for regression", JASA 113(523), 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from roofline import catalog

if TYPE_CHECKING:
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


def familiarity(system: System) -> str:
    """Return whether the fit has seen the chip and the engine of a system, one of them, or neither."""
    table = _table()
    known = (system.names[0] in table["chips"]) + (_engine(system) in table["engines"])
    return WORDS[2 - known]


def _engine(system: System) -> str:
    return system.names[2].partition("@")[0]


def ffn_kind(model: Model) -> str:
    """Return ``moe`` where layers route tokens to experts, else ``dense``."""
    return "moe" if any(ffn.kind == "moe" for ffn in model.ffns.values()) else "dense"


def shape_of(model: Model) -> str:
    """Return a model's width and layers by kind: editions of one architecture are one model to a fit."""
    kinds = ", ".join(f"{n:g} x {mixer} + {ffn}" for (mixer, ffn), n in sorted(model.kinds.items()))
    return f"{model.d_model}: {kinds}"


def cells(chip: str, engine: str, ffn: str, elsewhere: bool) -> list[str]:
    """Return the groups whose factors may stand for a system, finest first.

    `elsewhere` is an engine on chips of a vendor that it was not fitted on: such ports have kernels of their own.
    """
    own = [f"{chip} {engine} {ffn}", f"{engine} {ffn}", f"{chip} {engine}", engine, "any"]
    return ["elsewhere", *own] if elsewhere else own


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


def interval(system: System, question: str) -> Interval | None:
    """Return the interval of a prediction; None for the ideal engine, which predicts nothing.

    Parameters
    ----------
    system : System
    question : str
        ``decode``, ``prefill``, ``tpot``, ``ttft``, ``throughput``, ``static``, ``static_early`` (engines before 2024),
        ``kernel``, ``pool_tpot`` or ``pool_ttft``.
    """
    if system.engine.ideal:
        return None
    if system.spatial:
        return _spatial(system, question)
    table, confidence = _table(), familiarity(system)
    elsewhere = f"{_engine(system)} {system.hardware.vendor}" not in table["engine_vendors"]
    known = confidence != "calibrated" or shape_of(system.model) in table["shapes"]
    factors = table[question][confidence if known else NEW_MODEL]
    groups = cells(system.names[0], _engine(system), ffn_kind(system.model), elsewhere)
    low, high = next(factors[cell] for cell in groups if cell in factors)
    return Interval(low, high, confidence)
