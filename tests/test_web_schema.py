"""schemathesis against the interface: whatever the OpenAPI document allows or forbids, the answers are as documented.

Every check of schemathesis runs (no 5xx; status, content type and body as documented; what the document forbids is
refused; methods that are not there say so) but one: `positive_data_acceptance`, that what the document allows is
accepted. A schema cannot list the names that a catalogue knows, aliases and a user's own files among them, nor say
which deployments are possible or what is a chip file; such requests are refused with the documented 422.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("altair")
pytest.importorskip("schemathesis")
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import Case, Config, GenerationMode

from roofline import catalog
from roofline.web.app import create

#: What is forbidden may also be too large, or a path that nobody serves.
REFUSED = {"enabled": True, "expected-statuses": ["400", "404", "405", "411", "413", "422"]}
CHECKS = {"negative_data_rejection": REFUSED, "positive_data_acceptance": {"enabled": False}}
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", create(), config=Config.from_dict({"checks": CHECKS}))
KNOWN = {
    "hw": sorted(stem for _, stem, _ in catalog.files("hardware")),
    "model": sorted(stem for _, stem, _ in catalog.files("models")),
    "engine": ["ideal", "vllm", None],
    "weights": ["fp8", "int4", None],
    "kv": ["fp8", None],
    "experts": ["mxfp4", None],
    "basis": ["rental-median", None, None],
    "provider": [None],
    "batch": ["1", "8", "1,2,4..64", "16777216"],
    "context": ["1", "8k", "1k:128k:x2", "16777216"],
}


def bounded(examples: int) -> Any:
    """Return so many examples of each operation, the same every time."""
    return settings(max_examples=examples, deadline=None, derandomize=True, database=None)


@SCHEMA.parametrize()
@bounded(60)
def test_answers_are_those_of_the_document(case: Case) -> None:
    case.call_and_validate()


@pytest.mark.parametrize("path", ["decode", "compare", "serve", "fit", "grid", "chart/{kind}"])
def test_known_names_with_any_number(path: str) -> None:
    """Names that exist, with whatever numbers the document allows: past the first check, into the arithmetic."""
    operation = SCHEMA[f"/api/{path}"]["GET"]
    seen: Counter[int] = Counter()

    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE), seed=st.integers(0, 2**32))
    @bounded(80)
    def ask(case: Case, seed: int) -> None:
        draw = random.Random(seed)
        for key, values in KNOWN.items():
            if (value := draw.choice(values)) is None:
                case.query.pop(key, None)
            else:
                case.query[key] = value
        for degree in ("chips", "tp", "pp", "dp", "ep"):
            if draw.random() < 0.8:
                case.query.pop(degree, None)
        seen[case.call_and_validate().status_code] += 1

    ask()
    assert seen[200] >= 10, seen
