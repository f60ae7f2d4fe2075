"""The calculator as tools for agents, over the Model Context Protocol.

References
----------
.. [1] Model Context Protocol, specification, https://modelcontextprotocol.io
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from roofline import axes, catalog, evaluate
from roofline.catalog import plain_name
from roofline.errors import RooflineError
from roofline.report.record import Record
from roofline.resolve import Request

#: Records that one call returns at most: what an agent can read.
MOST = 60

Names = Annotated[str, Field(description="Names or aliases, commas between them, e.g. wse3,h100,b200")]
Model = Annotated[str, Field(description="Name or alias of a model, e.g. llama-4-maverick")]
Sizes = Annotated[str, Field(description="A number or a set: 8, 8k, 1,2,4..64, 1k:128k:x2")]
Format = Annotated[str | None, Field(description="bf16, fp8, nvfp4, int4 ...; as shipped by default")]


def server() -> MCPServer:
    """Return the server with its tools: estimate, fit, plan, list and explain."""
    app = MCPServer(
        "roofline", instructions="LLM inference performance and cost. Numbers are in base units; see the keys."
    )

    @app.tool()
    def estimate(
        hw: Names, model: Model, batch: Sizes = "1", context: Sizes = "8k", weights: Format = None, kv: Format = None
    ) -> list[Record]:
        """Predict generating: step time, speed per user, throughput, storage, power and dollars, with intervals."""
        return _told(lambda: _decode(hw, model, batch, context, weights, kv))

    @app.tool()
    def fit(hw: Names, model: Model, batch: Sizes = "1", context: Sizes = "8k", weights: Format = None) -> list[Record]:
        """Say where weights and KV cache sit, what fits, how many users and how many chips."""
        return _told(
            lambda: evaluate.fit(
                _requests(hw, model, weights), axes.counts(batch, "batch"), axes.counts(context, "context")
            )
        )

    @app.tool()
    def plan(
        hw: Names,
        model: Model,
        isl: Annotated[int, Field(ge=1, description="Prompt tokens")] = 8192,
        osl: Annotated[int, Field(ge=1, description="Answer tokens")] = 1024,
        ttft: Annotated[float | None, Field(description="Promise: first token within so many seconds")] = None,
        tpot: Annotated[float | None, Field(description="Promise: seconds per later token")] = None,
        max_chips: Annotated[int, Field(ge=1, le=64, description="Chips in all")] = 16,
    ) -> list[Record]:
        """Find the cheapest and the fastest deployment that keep a promise, who lost and why, and what speed costs."""

        def ask() -> list[Record]:
            from roofline.planning.ask import ask as search

            return search(
                _chips(hw), [plain_name(model, "model")], isl=isl, osl=osl, ttft=ttft, tpot=tpot, max_chips=max_chips
            )

        return _told(ask)

    @app.tool(name="list")
    def names(family: Literal["hardware", "models", "engines", "workloads"]) -> list[str]:
        """List the names of the catalogue."""
        return sorted({stem for _, stem, _ in catalog.files(family)})

    @app.tool()
    def explain(
        hw: Names, model: Model, phase: Literal["decode", "prefill"] = "decode", batch: int = 1, tokens: int = 8192
    ) -> list[Record]:
        """Show the operation table behind a number: FLOPs, bytes, time and bound of each operation."""
        return _told(lambda: evaluate.explain(_requests(hw, model, None)[0], phase, batch, tokens, 0))

    return app


def _decode(hw: str, model: str, batch: str, context: str, weights: str | None, kv: str | None) -> list[Record]:
    batches, contexts = axes.counts(batch, "batch"), axes.counts(context, "context")
    points = len(batches) * len(contexts) * len(hw.split(","))
    if points > MOST:
        raise RooflineError(f"{points:,} points asked for; at most {MOST} in one call")
    return evaluate.decode(_requests(hw, model, weights, kv), batches, contexts)


def _requests(hw: str, model: str, weights: str | None, kv: str | None = None) -> list[Request]:
    # Names, never paths: an agent's text opens no file.
    return [Request(chip, plain_name(model, "model"), weights=weights, kv=kv) for chip in _chips(hw)]


def _chips(hw: str) -> list[str]:
    return [plain_name(part, "chip") for part in hw.split(",")]


def _told(ask: Any) -> list[Record]:
    """Return the records of a question, at most `MOST`; a user's mistake becomes the tool's error, in one line."""
    try:
        found: list[Record] = ask()
    except RooflineError as error:
        raise ToolError(str(error)) from None
    return found[:MOST]
