"""What a request may ask: names that are names, and sizes that are bounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from roofline import axes, dtypes, evaluate
from roofline.catalog import plain_name
from roofline.cost.owner import USD_PER_KWH
from roofline.errors import RooflineError
from roofline.resolve import Request

#: Records that one request may ask for, points of a grid, and chips to compare.
MOST_RECORDS, MOST_POINTS, MOST_CHIPS = 500, 40_000, 12
MODEL = "llama-4-maverick"

Size = Annotated[int, Field(ge=1, le=2**24)]
ModelName = Annotated[str, Query(max_length=64, description="A model: name or alias.")]
Format = Annotated[str | None, Field(max_length=16)]
Count = Annotated[int | None, Field(ge=1, le=4096)]
_DEGREE = " degree; of chips that share an operation (a wafer splits a model by layers)."


class Point(BaseModel):
    """The state of the page: chips, a model, formats, a deployment, a load and prices."""

    model_config = ConfigDict(extra="forbid")

    hw: str = Field("wse3,h100,b200", max_length=400, description="Chips: names or aliases, commas between them.")
    model: str = Field(MODEL, max_length=64, description="A model: name or alias.")
    engine: str | None = Field(None, max_length=64, description="A serving engine; each chip's usual one by default.")
    weights: Format = Field(None, description="Format of the weights; as shipped by default.")
    experts: Format = Field(None, description="Format of routed experts; that of the weights by default.")
    kv: Format = Field(None, description="Format of the KV cache.")
    chips: Count = Field(None, description="Chips of one copy; as few as hold the model by default.")
    tp: Count = Field(None, description="Tensor parallel" + _DEGREE)
    pp: Count = Field(None, description="Pipeline parallel" + _DEGREE)
    dp: Count = Field(None, description="Attention-data parallel" + _DEGREE)
    ep: Count = Field(None, description="Expert parallel" + _DEGREE)
    batch: str = Field("1", max_length=200, description="Sequences: 8, or 1,2,4..64, or 1:64:x2.")
    context: str = Field("8192", max_length=200, description="Cached tokens: 8k, or 1k:128k:x2.")
    isl: Size = Field(4096, description="Prompt tokens of a request.")
    osl: Size = Field(1024, description="Answer tokens of a request.")
    concurrency: Size = Field(8, description="Users that each send the next request when the last is answered.")
    usd_per_hour: float | None = Field(None, ge=0, le=1e6, description="One's own price of a chip [USD/h].")
    basis: str | None = Field(None, max_length=32, description="Price basis, e.g. rental-median; each chip's first.")
    utilisation: float = Field(1.0, ge=0.001, le=1, description="Busy share of the paid time.")
    usd_per_kwh: float = Field(USD_PER_KWH, ge=0, le=1000, description="Price of electricity [USD/kWh].")
    provider: str | None = Field(None, max_length=64, description="Whose list price; the median by default.")
    list_price: str | None = Field(None, max_length=64, description="One's own list price: IN,OUT [USD/M].")
    width: int = Field(420, ge=240, le=900, description="Of a chart [px].")

    def requests(self) -> list[Request]:
        """Return one request per chip.

        Raises
        ------
        RooflineError
            If a name looks like a path, is unknown, or there are too many.
        """
        names = [plain_name(part, "chip") for part in self.hw.split(",")]
        if len(names) > MOST_CHIPS:
            raise RooflineError(f"{len(names)} chips asked for; at most {MOST_CHIPS} at once")
        model = plain_name(self.model, "model")
        engine = None if self.engine is None else plain_name(self.engine, "engine")
        weights, experts, kv = (
            None if text is None else dtypes.normalise(text, what)
            for text, what in ((self.weights, "weights"), (self.experts, "experts"), (self.kv, "kv"))
        )
        plain = Request("", model, engine, chips=self.chips, weights=weights, experts=experts, kv=kv)
        whole = [replace(plain, hw=chip) for chip in dict.fromkeys(names)]
        if not any((self.tp, self.pp, self.dp, self.ep)):
            return whole
        split = {"tp": self.tp, "pp": self.pp, "dp": self.dp, "ep": self.ep}
        return [evaluate.at(one, split) for one in whole]

    def sizes(self, most: int) -> tuple[list[int], list[int]]:
        """Return batches and contexts, in bounds.

        Raises
        ------
        RooflineError
            If one is out of range, or there are more than `most` points.
        """
        batches, contexts = axes.counts(self.batch, "batch"), axes.counts(self.context, "context")
        if max(*batches, *contexts, 0) > 2**24:
            raise RooflineError(f"batch and context: values must be from 1 to {2**24:,}")
        points = len(batches) * len(contexts) * len(self.hw.split(","))
        if points > most:
            raise RooflineError(f"{points:,} points asked for; at most {most:,} at once here")
        return batches, contexts

    def money(self) -> tuple[float | None, str | None, float]:
        """Return the price of a chip-hour [USD/h], its basis, and the busy share of the paid time."""
        return self.usd_per_hour, self.basis, self.utilisation


Asked = Annotated[Point, Query()]


class Upload(Point):
    """A chip or model file of one's own beside the state of the page, evaluated in memory and never stored."""

    kind: Literal["chip", "model", "config"]
    text: str = Field(max_length=500_000, description="TOML of a chip or model, or a Hugging Face config.json.")


class Refusal(BaseModel):
    """Why a request is refused, in one line."""

    error: str


#: What every operation may answer besides its own.
REFUSALS: dict[int | str, dict[str, Any]] = {
    413: {"model": Refusal, "description": "The address or the body is too large."},
    422: {"model": Refusal, "description": "A name is not known, a value is out of range, or it takes too long."},
}
NO_BODY: dict[int | str, dict[str, Any]] = {
    400: {"model": Refusal, "description": "The body is not text."},
    411: {"model": Refusal, "description": "The request does not state its length."},
}
