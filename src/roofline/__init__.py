"""LLM inference performance and cost, from chip and model files to tokens per second and dollars.

>>> import roofline
>>> result = roofline.decode(hw="h100", model="llama-3.1-70b", chips=8, batch=[1, 8], context=[1024, 8192])
>>> result.tokens_per_second.shape
(2, 2)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from roofline.api import compare, decode, fit, plot, prefill
    from roofline.errors import RooflineError
    from roofline.explore import plan, sensitivity, sweep
    from roofline.result import Result

__version__ = "0.1.0"
__all__ = ["Result", "RooflineError", "compare", "decode", "fit", "plan", "plot", "prefill", "sensitivity", "sweep"]


def __getattr__(name: str) -> Any:
    """Import the parts of the interface when they are first used: `import roofline` loads nothing heavy."""
    if name == "RooflineError":
        from roofline.errors import RooflineError

        return RooflineError
    if name in __all__:
        from roofline import api, explore

        return getattr(explore if name in ("plan", "sensitivity", "sweep") else api, name)
    raise AttributeError(f"module 'roofline' has no attribute {name!r}")
