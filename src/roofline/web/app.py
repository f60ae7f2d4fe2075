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
from starlette.exceptions import HTTPException

from roofline import __version__
from roofline.errors import RooflineError
from roofline.report.record import Record
from roofline.web import answers, ask, pictures

STATIC = Path(__file__).parent / "static"
#: Bytes of a request's body and of its address, and seconds that an answer may take.
MOST_BODY, MOST_ADDRESS, MOST_SECONDS = 1_000_000, 4_000, 10.0
SUMMARY = (
    "What the commands print, as JSON: flat records in base units, the unit in each key. "
    "What does not apply is absent; mistakes are one line with status 422."
)
#: Only what this server sends runs, and nothing is evaluated from text: charts use the expression interpreter.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)


def create() -> FastAPI:
    """Return the application."""
    app = FastAPI(title="roofline", version=__version__, docs_url=None, redoc_url=None, description=SUMMARY)
    app.middleware("http")(_guard)
    app.exception_handler(RooflineError)(_refused)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_elsewhere)

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(STATIC / "docs.html")

    @app.get("/api/names")
    async def names() -> dict[str, list[str]]:
        """List what a request may name: chips, models, engines, formats, price bases."""
        return answers.names()

    @app.get("/api/decode", responses=ask.REFUSALS)
    async def decode(asked: ask.Asked) -> dict[str, list[Record]]:
        """Predict generating: the records of `roofline decode`."""
        return {"records": answers.decoded(asked)}

    @app.get("/api/grid", responses=ask.REFUSALS)
    def grid(asked: ask.Asked) -> Response:
        """Evaluate a batch x context grid of each chip [s]: rows are batches; null where it does not fit."""
        return Response(json.dumps({"grids": answers.gridded(asked)}), media_type="application/json")

    @app.get("/api/compare", responses=ask.REFUSALS)
    def compare(asked: ask.Asked) -> dict[str, list[Record]]:
        """Put chips side by side: the records of `roofline compare`, with list price and electricity."""
        return {"records": answers.compared(asked, asked.requests())}

    @app.get("/api/serve", responses=ask.REFUSALS)
    def serve(asked: ask.Asked) -> dict[str, list[Record]]:
        """Say what the users of a service see: the records of `roofline serve --concurrency`."""
        return {"records": answers.served(asked, asked.requests())}

    @app.get("/api/fit", responses=ask.REFUSALS)
    def fit(asked: ask.Asked) -> dict[str, list[Record]]:
        """Say what is stored where and what fits: the records of `roofline fit`."""
        return {"records": answers.fitted(asked)}

    @app.get("/api/price", responses=ask.REFUSALS)
    def price(model: ask.ModelName = ask.MODEL, isl: ask.Size = 4096) -> dict[str, list[Record]]:
        """List what providers sell a model for: the records of `roofline price show`."""
        return {"records": answers.priced(model, isl)}

    @app.get("/api/chart/{kind}", responses=ask.REFUSALS, response_model=dict[str, Any])
    def chart(kind: pictures.Kind, asked: ask.Asked) -> Response:
        """Draw a chart: a Vega-Lite specification, its data inside."""
        return Response(pictures.drawn(kind, asked), media_type="application/json")

    @app.post("/api/upload", responses=ask.REFUSALS | ask.NO_BODY)
    def upload(given: ask.Upload) -> dict[str, list[Record]]:
        """Evaluate a chip or model file of one's own, which is not stored: as `compare` and as `serve`."""
        return answers.uploaded(given)

    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app


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


async def _elsewhere(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)[:200]}, error.status_code, error.headers)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
    return JSONResponse({"error": f"{where[:80]}: {first['msg'][:200]}"}, 422)
