"""What a request may ask: names that are names, sizes that are bounded, and the records that answer."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from roofline import axes, catalog, dtypes, evaluate
from roofline.errors import RooflineError
from roofline.report.record import Record, clean, decode_records
from roofline.resolve import Loaded, Request, deploy, load

#: Records that one request may ask for, points of a grid, and chips to compare.
MOST_RECORDS, MOST_POINTS, MOST_CHIPS = 500, 40_000, 12
#: A catalogue name: no separators, so that no text of a request is ever a path.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+()@-]{0,63}")

Size = Annotated[int, Field(ge=1, le=2**24)]


class Point(BaseModel):
    """The state of the page: chips, a model, formats, and a load."""

    model_config = ConfigDict(extra="forbid")

    hw: str = Field("wse3,h100,b200", max_length=400, description="Chips: names or aliases, commas between them.")
    model: str = Field("llama-4-maverick", max_length=64, description="A model: name or alias.")
    engine: str | None = Field(None, max_length=64)
    weights: str | None = Field(None, max_length=16)
    kv: str | None = Field(None, max_length=16)
    chips: int | None = Field(None, ge=1, le=4096)
    batch: str = Field("1", max_length=200, description="Sequences: 8, or 1,2,4..64, or 1:64:x2.")
    context: str = Field("8192", max_length=200, description="Cached tokens: 8k, or 1k:128k:x2.")
    isl: Size = 4096
    width: int = Field(420, ge=240, le=900, description="Of a chart [px].")

    def requests(self) -> list[Request]:
        """Return one request per chip.

        Raises
        ------
        RooflineError
            If a name looks like a path, is unknown, or there are too many.
        """
        names = [name(part, "chip") for part in self.hw.split(",")]
        if len(names) > MOST_CHIPS:
            raise RooflineError(f"{len(names)} chips asked for; at most {MOST_CHIPS} at once")
        engine = None if self.engine is None else name(self.engine, "engine")
        weights = None if self.weights is None else dtypes.normalise(self.weights, "weights")
        kv = None if self.kv is None else dtypes.normalise(self.kv, "kv")
        model = name(self.model, "model")
        chips = dict.fromkeys(names)
        return [Request(chip, model, engine, chips=self.chips, weights=weights, kv=kv) for chip in chips]

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


Asked = Annotated[Point, Query()]


class Upload(BaseModel):
    """A chip or model file of one's own, evaluated in memory and never stored."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["chip", "model", "config"]
    text: str = Field(max_length=500_000, description="TOML of a chip or model, or a Hugging Face config.json.")
    hw: str = Field("h100", max_length=64)
    model: str = Field("llama-4-maverick", max_length=64)
    batch: Size = 1
    context: Size = 8192


def name(text: str, what: str) -> str:
    """Return a catalogue name; what looks like a path or a file is refused, so that no request opens one.

    Raises
    ------
    RooflineError
    """
    text = text.strip()
    if not _NAME.fullmatch(text) or ".." in text or text.lower().endswith((".toml", ".json")):
        raise RooflineError(f"{text[:64]!r} is not the name of a {what}")
    return text


def decoded(asked: Point) -> list[Record]:
    """Return the records of `roofline decode`."""
    batches, contexts = asked.sizes(MOST_RECORDS)
    return evaluate.decode(asked.requests(), batches, contexts)


def uploaded(given: Upload) -> list[Record]:
    """Return the records of `roofline decode` for a file that was sent.

    Raises
    ------
    RooflineError
        For what is wrong with the file; the message names the key.
    """
    where = "your file"
    other = load(name(given.hw, "chip"), name(given.model, "model"), None, ())
    if given.kind == "chip":
        chip = catalog.hardware_from_table(catalog.parse_toml(given.text, where), where)
        # A file may name its class and engine, and those are names too, not paths.
        name(chip.hardware_class, "class")
        base = load("h100", other.names[1], name(chip.default_engine, "engine"), ())
        achieved = catalog.merge_achieved(chip.achieved, catalog.class_defaults(chip.hardware_class))
        specs = Loaded((chip.name, other.names[1], base.names[2]), chip, achieved, other.model, base.engine)
    else:
        model = catalog.model_from_table(_model_table(given, where), where)
        specs = replace(other, names=(other.names[0], model.name, other.names[2]), model=model)
    request = Request("your file", "your file")
    system = deploy(request, specs, float(given.batch), float(given.context))
    naive = evaluate.naive_system(system) if system.spatial else None
    price = evaluate.pricing(system, None, None, 1.0)
    found = decode_records(system, float(given.batch), float(given.context), price, system, naive)
    return [clean(record) for record in found]


def _model_table(given: Upload, where: str) -> dict[str, Any]:
    if given.kind == "model":
        return catalog.parse_toml(given.text, where)
    from roofline.huggingface import import_config

    try:
        return import_config(given.text, where)
    except RecursionError:
        raise RooflineError(f"{where}: nested too deeply") from None
