"""The server: a JSON interface over the commands' own functions, and one page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles

from roofline import __version__, catalog, evaluate
from roofline.errors import RooflineError
from roofline.report.record import Record
from roofline.resolve import resolve
from roofline.web import ask

STATIC = Path(__file__).parent / "static"
#: Bytes of a request's body and of its address, and seconds that an answer may take.
MOST_BODY, MOST_ADDRESS, MOST_SECONDS = 1_000_000, 4_000, 10.0
#: Only what this server sends runs, and nothing is evaluated from text: charts use the expression interpreter.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
#: Records that each chart is drawn from, by kind.
CHARTS = ("frontier", "dollars", "fit", "roofline")


def create() -> FastAPI:
    """Return the application."""
    app = FastAPI(title="roofline", version=__version__, docs_url=None, redoc_url=None)
    app.middleware("http")(_guard)
    app.exception_handler(RooflineError)(_refused)
    app.exception_handler(RequestValidationError)(_malformed)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/api/names")
    async def names() -> dict[str, list[str]]:
        """List the chips, models and engines of the catalogue."""
        families: tuple[tuple[str, catalog.Family], ...] = (
            ("hw", "hardware"),
            ("model", "models"),
            ("engine", "engines"),
        )
        return {key: sorted({stem for _, stem, _ in catalog.files(family)}) for key, family in families}

    @app.get("/api/decode")
    async def decode(asked: ask.Asked) -> dict[str, list[Record]]:
        """Predict generating: the records of `roofline decode`."""
        return {"records": ask.decoded(asked)}

    @app.get("/api/grid")
    def grid(asked: ask.Asked) -> Response:
        """Evaluate a batch x context grid of each chip [s]: rows are batches; null where it does not fit."""
        return Response(json.dumps({"grids": gridded(asked)}), media_type="application/json")

    @app.get("/api/compare")
    def compare(asked: ask.Asked) -> dict[str, list[Record]]:
        """Put chips side by side: the records of `roofline compare`, with list price and electricity."""
        return {"records": compared(asked)}

    @app.get("/api/fit")
    def fit(asked: ask.Asked) -> dict[str, list[Record]]:
        """Say what is stored where and what fits: the records of `roofline fit`."""
        batches, contexts = asked.sizes(ask.MOST_RECORDS)
        return {"records": evaluate.fit(asked.requests(), batches, contexts)}

    @app.get("/api/chart/{kind}")
    def chart(kind: str, asked: ask.Asked) -> dict[str, Any]:
        """Draw frontier, dollars, fit or roofline: a Vega-Lite specification, its data inside."""
        return drawn(kind, asked)

    @app.post("/api/upload")
    def upload(given: ask.Upload) -> dict[str, list[Record]]:
        """Evaluate a chip or model file of one's own, which is not stored: the records of `roofline decode`."""
        return {"records": ask.uploaded(given)}

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


def gridded(asked: ask.Point) -> list[dict[str, Any]]:
    """Return step times on a dense grid, one entry per chip."""
    from roofline.api import decode_times

    batches, contexts = asked.sizes(ask.MOST_POINTS)
    found = []
    for request in asked.requests():
        system = resolve(request, float(min(batches)), float(min(contexts)))
        room = [system.memory.max_batch(float(context)) for context in contexts]
        rows = decode_times(system, batches, contexts).tolist()
        seconds = [
            [value if batch <= most else None for value, most in zip(row, room, strict=True)]
            for batch, row in zip(batches, rows, strict=True)
        ]
        axis = {"batch": batches, "context_tokens": contexts}
        found.append({"hardware": system.names[0], "chips": system.deployment.chips, **axis, "step_seconds": seconds})
    return found


def compared(asked: ask.Point) -> list[Record]:
    """Return the records of `roofline compare`, with the model's list price and the electricity of a token beside."""
    from roofline.cost import prices, quotes, retail
    from roofline.cost.owner import USD_PER_KWH

    batches, contexts = asked.sizes(ask.MOST_RECORDS)
    records = evaluate.compare(asked.requests(), batches[0], contexts[0], asked.isl)
    try:
        snapshot = prices.snapshot()
        sold = retail.retail(snapshot, asked.model, quotes.When(quotes.noon(snapshot.date)), asked.isl, None)
    except RooflineError:
        return records  # nobody sells it
    return [retail.beside(record, sold, USD_PER_KWH, 1.0) for record in records]


def drawn(kind: str, asked: ask.Point) -> dict[str, Any]:
    """Return the specification of a chart around the state of the page.

    Raises
    ------
    RooflineError
        If the kind is unknown.
    """
    from roofline import ceilings
    from roofline.report import charts

    if kind not in CHARTS:
        raise RooflineError(f"{kind[:40]!r} is no chart of this page; use {', '.join(CHARTS)}")
    batches, contexts = asked.sizes(ask.MOST_RECORDS)
    requests = asked.requests()
    if kind in ("frontier", "dollars"):
        records = evaluate.decode(requests, [2**k for k in range(9)], contexts[:1])
    elif kind == "fit":
        sizes, lengths = [2**k for k in range(0, 11, 1)], [2**k for k in range(10, 18)]
        records = evaluate.fit(requests[:1], sizes, lengths, fixed=True)
    else:
        records = ceilings.records(requests[0], "decode", batches[0], contexts[0])
    return charts.spec(kind, records, width=asked.width, height=260, caption=False)


async def _guard(request: Request, then: Callable[[Request], Awaitable[Response]]) -> Response:
    """Bound what comes in and how long it takes, and say what a browser may do with what goes out."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MOST_BODY or len(str(request.url)) > MOST_ADDRESS:
        answer: Response = JSONResponse({"error": "the request is too large"}, 413)
    elif request.method == "POST" and "content-length" not in request.headers:
        answer = JSONResponse({"error": "the request does not state its length"}, 411)
    else:
        try:
            answer = await asyncio.wait_for(then(request), MOST_SECONDS)
        except TimeoutError:
            answer = JSONResponse({"error": f"not done within {MOST_SECONDS:g} s; ask for less"}, 422)
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 422)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return JSONResponse({"error": f"{where[:80]}: {first['msg'][:200]}"}, 422)
