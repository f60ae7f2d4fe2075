"""JSON Schemas of the spec files, generated from the pydantic models."""

from __future__ import annotations

import ast
import inspect
import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from roofline.specs import engine, figure, hardware, layers, model, workload

KINDS: dict[str, type[Any]] = {
    "hardware": hardware.Hardware,
    "hardware-class": hardware.HardwareClass,
    "model": model.Model,
    "engine": engine.Engine,
    "workload": workload.Workload,
}


@cache
def _docstrings(module: Any) -> dict[str, dict[str, str]]:
    """Return the string under each field of each class of a module.

    pydantic can read these itself, but does so whenever a class is made, which every command would pay for.
    """
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if not isinstance(node, ast.ClassDef):
            continue
        fields = found.setdefault(node.name, {})
        for field, text in zip(node.body, node.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
                and isinstance(text.value.value, str)
            ):
                fields[field.target.id] = inspect.cleandoc(text.value.value)
    return found


def _describe(schema: dict[str, Any], cls_name: str) -> None:
    """Add each field's docstring as its description; a field that is inherited is described where it is declared."""
    modules = (figure, hardware, layers, model, engine, workload)
    cls = next((getattr(module, cls_name) for module in modules if hasattr(module, cls_name)), object)
    texts: dict[str, str] = {}
    for base in cls.__mro__[:-1]:
        texts = _docstrings(inspect.getmodule(base)).get(base.__name__, {}) | texts
    for key, entry in schema.get("properties", {}).items():
        text = texts.get(key)
        if text and "description" not in entry:
            entry["description"] = text


def schema_text(kind: str) -> str:
    """Return the schema of one kind of spec file as JSON text."""
    cls = KINDS[kind]
    schema = TypeAdapter(cls).json_schema(mode="validation")
    _describe(schema, cls.__name__)
    for name, part in schema.get("$defs", {}).items():
        _describe(part, name)
        if name == "Figure":
            # In a file the value may carry its unit.
            part["properties"]["value"]["anyOf"] = [
                {"type": part["properties"]["value"].pop("type")},
                {"type": "string"},
            ]
    if "hardware_class" in schema["properties"]:
        # `class` is a keyword of Python and so no name for a field.
        schema["properties"] = {{"hardware_class": "class"}.get(k, k): v for k, v in schema["properties"].items()}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
