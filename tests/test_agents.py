"""The tools as an agent sees them: the SDK's own client over a real process's standard input and output."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest

import roofline

pytest.importorskip("mcp")
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


def converse(*calls: tuple[str, dict[str, Any]]) -> tuple[list[Any], list[Any]]:
    """Return the tools, and the result of each call."""

    async def talk() -> tuple[list[Any], list[Any]]:
        command = StdioServerParameters(
            command=sys.executable, args=["-c", "from roofline.cli.main import run; run()", "mcp"]
        )
        async with stdio_client(command) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            return tools, [await session.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(asyncio.wait_for(talk(), 60))


def test_tools_answer_what_the_commands_answer() -> None:
    point = {"hw": "h100", "model": "llama-3.1-8b", "batch": "8", "context": "4k"}
    tools, (estimate, fit, names, explain, plan) = converse(
        ("estimate", point),
        ("fit", point),
        ("list", {"family": "hardware"}),
        ("explain", {"hw": "h100", "model": "llama-3.1-8b"}),
        ("plan", {"hw": "h100", "model": "llama-3.1-8b", "isl": 1024, "osl": 256, "tpot": 0.02, "max_chips": 4}),
    )
    assert {tool.name for tool in tools} == {"estimate", "fit", "plan", "list", "explain"}
    assert all(tool.description and tool.input_schema["properties"] for tool in tools)
    (known,) = roofline.decode("h100", "llama-3.1-8b", batch=8, context=4096).records()
    assert json.loads(estimate.content[0].text)["step_seconds"] == known["step_seconds"]
    assert json.loads(fit.content[0].text)["fits"] is True
    assert "wse3" in [part.text for part in names.content]
    assert json.loads(explain.content[-1].text)["operation"] == "step"
    assert json.loads(plan.content[0].text)["role"] == "cheapest"


def test_mistakes_are_one_line() -> None:
    _, results = converse(
        ("estimate", {"hw": "h10o", "model": "llama-3.1-8b"}),
        ("estimate", {"hw": "../../etc/passwd", "model": "llama-3.1-8b"}),
        ("estimate", {"hw": "h100", "model": "mine.toml"}),
        ("estimate", {"hw": "h100", "model": "llama-3.1-8b", "batch": "1:1000:1"}),
        ("plan", {"hw": "h100", "model": "llama-3.1-8b", "tpot": 1e-9}),
    )
    says = [
        "unknown chip 'h10o'",
        "not the name of a chip",
        "not the name of a model",
        "at most 60",
        "no deployment meets",
    ]
    for result, part in zip(results, says, strict=True):
        assert result.is_error
        text = result.content[0].text
        assert part in text
        assert "Traceback" not in text and "\n" not in text
