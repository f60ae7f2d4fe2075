"""Generated files are current, and what the documents show works."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from roofline.cli.main import COMMANDS, cli
from roofline.specs.schema import KINDS, schema_text

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_schemas_are_current(kind: str) -> None:
    path = ROOT / "schemas" / f"{kind}.schema.json"
    assert path.read_text() == schema_text(kind), f"run: roofline schema {kind} > {path.relative_to(ROOT)}"


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        ("hardware", "hardware/*.toml"),
        ("hardware-class", "hardware/classes/*.toml"),
        ("model", "models/*.toml"),
        ("engine", "engines/*.toml"),
        ("workload", "workloads/*.toml"),
    ],
)
def test_shipped_files_match_their_schema(kind: str, pattern: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema_text(kind)))
    for path in ROOT.glob(pattern):
        problems = [error.message for error in validator.iter_errors(tomllib.loads(path.read_text()))]
        assert not problems, (path, problems[:2])


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
    if name not in ("hw", "model", "engine", "schema", "workload", "price"):
        assert re.search(rf"roofline {name}[ \n]", result.output.partition("Usage:")[2].partition("\n")[2])


def test_changelog_tells_which_numbers_changed() -> None:
    assert "### Numbers that changed" in (ROOT / "CHANGELOG.md").read_text()


def commands(text: str) -> list[str]:
    return re.findall(r"`(roofline [^`]+)`", text)


def test_set_up_commands_stand_alone() -> None:
    # .ci/run takes them out of README.md and runs exactly these.
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert blocks == [
        "pip install . && roofline decode --hw wse3 --model llama4-maverick\n",
        "pip install -e '.[dev]' && pytest\n",
    ]


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_is_shown_in_a_document(name: str) -> None:
    text = (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    assert re.search(rf"roofline {name}[ `]", text)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/model.md"])
def test_commands_that_documents_name_exist(document: str) -> None:
    for command in commands((ROOT / document).read_text()):
        words = command.split()[1:]
        depth = 2 if words[0] in ("hw", "model", "engine", "workload", "price", "plot") else 1
        result = CliRunner().invoke(cli, [*words[:depth], "--help"])
        assert result.exit_code == 0, (command, result.output)
        for option in re.findall(r"(?<!\S)(--?[a-z][a-z-]*)", command):
            assert option in result.output, (command, option)


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/model.md", "docs/nomenclature.md"]
)
def test_links_between_documents_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        assert target.startswith("http") or (path.parent / target).exists(), target


def test_python_example_of_the_readme_runs() -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    space: dict[str, Any] = {}
    exec(example, space)
    assert space["result"].step_seconds.shape == (2, 2)


#: Commands that end by themselves, of files that are there.
SERVERS = ("roofline web", "roofline mcp")
ENDING = [c for c in commands((ROOT / "README.md").read_text()) if "FILE" not in c and not c.startswith(SERVERS)]


@pytest.mark.parametrize("command", ENDING)
def test_commands_of_the_readme_run(command: str, tmp_path: Path) -> None:
    if "import config.json" in command:
        pytest.skip("needs a configuration of the reader's own")
    words = command.split()[1:]
    result = subprocess.run(
        [sys.executable, "-c", "from roofline.cli.main import run; run()", *words],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("family", ["hw", "model", "engine"])
def test_examples_of_contributing_are_valid(family: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    path = tmp_path / "mine.toml"
    path.write_text(blocks[["hw", "model", "engine"].index(family)])
    result = CliRunner().invoke(cli, [family, "validate", str(path)])
    assert result.exit_code == 0, result.output


def test_readme_shows_what_the_main_job_prints() -> None:
    result = CliRunner().invoke(cli, ["decode", "--hw", "wse3", "--model", "llama4-maverick"])
    assert result.output.strip() in (ROOT / "README.md").read_text(), "refresh the first example of README.md"


def test_the_accuracy_page_is_current() -> None:
    from roofline import validate
    from roofline.report import accuracy

    page = ROOT / "docs" / "accuracy.md"
    expected = accuracy.text(validate.check_all(validate.shipped()))
    assert page.read_text() == expected, "run: roofline validate --page docs/accuracy.md"
