"""Write the generated pages: docs/cli.md from `--help`, docs/cookbook.md from commands and what they print,
docs/adding.md from CONTRIBUTING.md, and the chart of README.md.

    python bench/make_docs.py

A test runs both again and compares.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

import click
from click.testing import CliRunner

from roofline.cli.main import COMMANDS, cli

ROOT = Path(__file__).resolve().parents[1]
#: The chart of README.md.
CHART = "roofline plot dollars --hw wse3,h100,b200 --model llama4-maverick --batch 1:256:x2 --context 8k"
#: Twenty questions, and the command that answers each.
QUESTIONS = [
    ("How fast is a wafer on a big open model?", "roofline decode --hw wse3 --model llama4-maverick"),
    ("And GPUs beside it?", "roofline compare --hw wse3,h100,b200 --model llama4-maverick"),
    (
        "How many users share a server before it feels slow?",
        "roofline serve --hw h100 --model llama-3.3-70b --weights fp8 --isl 1k --osl 1k --concurrency 1,8,32,128",
    ),
    (
        "Does the model fit with its cache, and how many users?",
        "roofline fit --hw h100 --model deepseek-v3 --context 32k --batch 16",
    ),
    (
        "How many wafers does the cache of many long conversations take?",
        "roofline fit --hw wse3 --model gpt-oss-120b --context 96k --batch 1,64,256",
    ),
    ("Where does the time of a step go?", "roofline explain --hw h100 --model llama-3.1-8b --batch 32 --context 4k"),
    ("How long is a long prompt read?", "roofline prefill --hw b200 --model llama-3.3-70b --isl 1k,8k,64k"),
    (
        "What does +10 % of bandwidth buy?",
        "roofline sensitivity --hw h100 --model llama-3.1-8b --batch 8",
    ),
    (
        "How much bandwidth would 200 tok/s take?",
        "roofline sensitivity --hw h100 --model llama-3.1-8b "
        "--target tokens_per_second_per_user=200 --vary hw.memory.0.bandwidth",
    ),
    (
        "What if this chip had twice the bandwidth?",
        "roofline decode --hw h100 --model llama-3.1-8b --set hw.memory.0.bandwidth=6.7TB/s --format csv",
    ),
    (
        "Which deployment is cheapest at 50 tok/s?",
        "roofline plan --hw h100,b200 --model llama-3.3-70b --engine vllm --isl 8k --osl 1k --ttft 2s --speed 50",
    ),
    (
        "What does a chat service cost at 20 requests a second?",
        "roofline cost --hw h100 --model llama-3.3-70b --chips 4 --weights fp8 --profile chat --rate 20 --tpot 40ms "
        "--basis rental-median",
    ),
    (
        "Own machines or an API?",
        "roofline cost --hw b200 --model gpt-oss-120b --profile rag --versus-api list --basis rental-median",
    ),
    ("What did models sell for in May 2026?", "roofline price list --as-of 2026-05-11"),
    (
        "Retail price, predicted cost, electricity?",
        "roofline price compare --hw b200 --model gpt-oss-120b --batch 64",
    ),
    (
        "What does a coding-agent session cost?",
        "roofline session --profile coding-agent --model claude-opus-4.7,gpt-5.5,kimi-k3",
    ),
    (
        "What would a closed model be on GPUs?",
        "roofline decode --hw b200 --model claude-opus-4.7 --batch 8",
    ),
    (
        "Does speculation help?",
        "roofline serve --hw h100 --model llama-3.3-70b --weights fp8 --isl 1k --osl 1k --concurrency 4 "
        "--drafted 3 --accepted 2.5",
    ),
    ("What do workloads look like?", "roofline workload list"),
    ("Where does a figure come from?", "roofline hw show gaudi3"),
]


def run(*words: str) -> str:
    """Return what a command prints."""
    found = CliRunner().invoke(cli, list(words), standalone_mode=False, catch_exceptions=False)
    return found.stdout.rstrip()


def cookbook() -> str:
    """Return the cookbook."""
    parts = [
        "# Cookbook\n\nTwenty questions, the command for each, and what it prints. Made by `python bench/make_docs.py`."
    ]
    for question, command in QUESTIONS:
        parts.append(f"## {question}\n\n```sh\n{command}\n```\n\n```text\n{run(*shlex.split(command)[1:])}\n```")
    return "\n\n".join(parts) + "\n"


def reference() -> str:
    """Return the help of every command."""
    head = "# Command line\n\nWhat `--help` prints, command by command. Made by `python bench/make_docs.py`."
    parts = [head, _help(["roofline"], cli)]
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        parts.append(_help(["roofline", name], command))
        if isinstance(command, click.Group):
            parts += [_help(["roofline", name, sub], command.commands[sub]) for sub in sorted(command.commands)]
    return "\n\n".join(parts) + "\n"


def adding() -> str:
    """Return the part of CONTRIBUTING.md that adds a chip, a model and an engine."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rule = text[text.index("## The provenance rule") : text.index("## How numbers may change")]
    rest = text[text.index("## Add a chip") :]
    # Links into the repository say nothing on the site.
    plain = re.sub(r"\[([^]]*)\]\((?!https?:|#)[^)]*\)", r"\1", rule + rest)
    return "# Add a chip, a model or an engine\n\nFrom CONTRIBUTING.md, by `python bench/make_docs.py`.\n\n" + plain


def chart() -> str:
    """Return the chart of README.md as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chart.svg"
        run(*shlex.split(CHART)[1:], "-o", str(path))
        return path.read_text(encoding="utf-8")


def _help(words: list[str], command: click.Command) -> str:
    context = click.Context(
        command,
        info_name=" ".join(words),
        terminal_width=100,
        max_content_width=100,
        help_option_names=["-h", "--help"],
    )
    level = "##" if len(words) < 3 else "###"
    return f"{level} {' '.join(words)}\n\n```text\n{command.get_help(context).rstrip()}\n```"


PAGES = {"cli.md": reference, "cookbook.md": cookbook, "adding.md": adding, "cost-of-speed.svg": chart}


def main() -> None:
    """Write the pages."""
    for name, make in PAGES.items():
        (ROOT / "docs" / name).write_text(make(), encoding="utf-8")
        print("wrote", f"docs/{name}")


if __name__ == "__main__":
    main()
