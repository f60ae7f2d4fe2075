"""The shipped chips and classes: all load and validate, every figure has a source, all names resolve."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest

from roofline import catalog
from roofline.errors import RooflineError
from roofline.specs.figure import Kind
from roofline.specs.hardware import Achieved, Hardware, HardwareClass
from roofline.specs.validate import validate

FOLDER = catalog.shipped_folder() / "hardware"
STEMS = sorted(path.stem for path in FOLDER.glob("*.toml"))
CLASSES = sorted(path.stem for path in (FOLDER / "classes").glob("*.toml"))
NAMES = json.loads((Path(__file__).parent / "data" / "hardware_names.json").read_text())
KINDS = set(get_args(Kind))


def table(path: Path) -> dict[str, Any]:
    raw = tomllib.loads(path.read_text())
    return {"hardware_class" if key == "class" else key: value for key, value in raw.items()}


@pytest.mark.parametrize("stem", STEMS)
def test_chip_file_is_valid_and_every_figure_says_where_it_comes_from(stem: str) -> None:
    path = FOLDER / f"{stem}.toml"
    assert path.read_text().startswith("#:schema ../schemas/hardware.schema.json\n")
    chip = validate(Hardware, table(path), str(path))
    assert chip == catalog.hardware(str(path))
    assert chip.checked
    assert chip.note
    for place, figure in chip.figures():
        assert figure.source, place
        assert figure.kind in KINDS, place


@pytest.mark.parametrize("stem", STEMS)
def test_chip_is_plausible(stem: str) -> None:
    chip = catalog.hardware(stem)
    peak = {unit: figure.value for unit, figure in chip.peak.items()}
    assert set(peak) & {"bf16", "fp16", "fp8", "fp4"}
    for wide, narrow in (("bf16", "fp8"), ("fp8", "fp4"), ("tf32", "bf16")):
        if wide in peak and narrow in peak:
            assert peak[narrow] >= peak[wide], (wide, narrow)
    bandwidths = [tier.bandwidth.value for tier in chip.memory if tier.bandwidth]
    assert bandwidths == sorted(bandwidths, reverse=True), "tiers are listed nearest first"
    assert chip.memory[0].on_chip == (chip.execution == "spatial" or stem == "corsair")
    if chip.cache:
        assert chip.cache.on_chip
    catalog.class_defaults(chip.hardware_class)
    catalog.find("engines", chip.default_engine)


@pytest.mark.parametrize("stem", STEMS)
def test_prices_are_ordered_and_dated(stem: str) -> None:
    price = catalog.hardware(stem).price
    if price.rental:
        offers = [figure for figure in (price.rental.low, price.rental.median, price.rental.high) if figure]
        assert [figure.value for figure in offers] == sorted(figure.value for figure in offers)
        # Without a date an offer is no more than a memory of one.
        assert price.rental.date or all(figure.kind == "estimate" for figure in offers)
    if price.owner:
        assert price.owner.date
        if price.owner.hyperscaler and price.owner.neocloud:
            assert price.owner.hyperscaler.value <= price.owner.neocloud.value
    for figure in (price.purchase, price.server):
        assert figure is None or figure.kind == "estimate"


#: Dense peaks [FLOP/s]; the vendors' sparse headlines are 1.33 to 10 times these.
DENSE = [
    ("a100", "bf16", 312e12, 312e12),
    ("h100", "bf16", 989e12, 990e12),
    ("h100", "fp8", 1978e12, 1979e12),
    ("h200", "bf16", 989e12, 990e12),
    ("b200", "bf16", 2.25e15, 2.25e15),
    ("b200", "fp8", 4.5e15, 4.5e15),
    ("b200", "fp4", 9e15, 9e15),
    ("gb200", "fp4", 10e15, 10e15),
    ("b300", "fp4", 12.6e15, 14e15),
    ("gb300", "fp4", 15e15, 15e15),
    ("vr200", "fp4", 35e15, 35e15),
    ("l40s", "fp8", 733e12, 733e12),
    ("l4", "fp8", 242e12, 243e12),
    ("mi300x", "fp8", 2614e12, 2615e12),
    ("mi355x", "fp4", 10e15, 10.1e15),
    ("rtx5090", "fp4", 1676e12, 1677e12),
    ("dgx-spark", "fp4", 500e12, 500e12),
    ("gaudi3", "bf16", 1677e12, 1677e12),
    ("trainium2", "fp8", 1299e12, 1300e12),
    ("tpu-v6e", "fp8", 918e12, 918e12),
    ("wse3", "fp16", 15.6e15, 15.6e15),
    ("wse2", "fp16", 7.5e15, 7.5e15),
]


@pytest.mark.parametrize(("chip", "unit", "low", "high"), DENSE)
def test_peak_is_dense(chip: str, unit: str, low: float, high: float) -> None:
    assert low * (1 - 1e-9) <= catalog.hardware(chip).peak[unit].value <= high * (1 + 1e-9)


def test_memory_of_wafer_and_gpu() -> None:
    wafer = catalog.hardware("wse3")
    assert (wafer.memory[0].capacity.value, wafer.memory[0].bandwidth.value) == (44e9, 21e15)  # type: ignore[union-attr]
    assert wafer.execution == "spatial"
    gpu = catalog.hardware("h100")
    assert (gpu.memory[0].capacity.value, gpu.memory[0].bandwidth.value) == (80e9, 3.35e12)  # type: ignore[union-attr]


def test_half_and_double_cards() -> None:
    # One GCD is half of an MI250X; the dual card is twice a B60.
    for small, large, units in (("mi250x-gcd", "mi250x", ("bf16",)), ("arc-pro-b60", "arc-pro-b60-dual", ("int8",))):
        one, two = catalog.hardware(small), catalog.hardware(large)
        for unit in units:
            assert two.peak[unit].value == pytest.approx(2 * one.peak[unit].value)
        assert two.memory[0].capacity.value == 2 * one.memory[0].capacity.value
        assert two.memory[0].bandwidth.value == pytest.approx(2 * one.memory[0].bandwidth.value, rel=1e-3)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", NAMES)
def test_name_resolves(name: str) -> None:
    assert catalog.find("hardware", name).parent == FOLDER


@pytest.mark.parametrize(
    ("alias", "stem"),
    [
        ("h100-sxm", "h100"), ("H100 SXM5", "h100"), ("H100-80GB", "h100"), ("b200-sxm", "b200"), ("CS-3", "wse3"),
        ("wse-3", "wse3"), ("cerebras", "wse3"), ("groq", "groq-lpu"), ("trn2", "trainium2"), ("trillium", "tpu-v6e"),
        ("Ironwood", "tpu-v7"), ("tpu-v7x", "tpu-v7"), ("gb200-nvl72", "gb200"), ("mi300", "mi300x"),
        ("4090", "rtx4090"), ("RTX 4090", "rtx4090"), ("spark", "dgx-spark"), ("gb10", "dgx-spark"),
    ],
)  # fmt: skip
def test_what_people_type(alias: str, stem: str) -> None:
    assert catalog.find("hardware", alias).stem == stem


def test_no_name_stands_for_two_chips() -> None:
    owner: dict[str, str] = {}
    for stem in STEMS:
        for name in (stem, *table(FOLDER / f"{stem}.toml").get("aliases", ())):
            assert owner.setdefault(catalog.key(name), stem) == stem, f"{name}: {stem} and {owner[catalog.key(name)]}"


@pytest.mark.parametrize("name", CLASSES)
def test_class_yields_every_achieved_figure(name: str) -> None:
    path = FOLDER / "classes" / f"{name}.toml"
    spec = validate(HardwareClass, tomllib.loads(path.read_text()), str(path))
    assert spec.note
    for place, figure in spec.figures():
        assert figure.source, place
        assert figure.kind in KINDS, place
    whole = catalog.class_defaults(name)
    for field in fields(Achieved):
        # What widening experts takes is known of the GPUs of two vendors; others stream at the rate of the format.
        known = field.name != "moe_widening" or name.startswith(("nvidia", "amd-cdna"))
        assert bool(getattr(whole, field.name)) == known, f"{name}: {field.name}"
    for figure in (*whole.gemm.values(), *whole.weights.values(), whole.kernel):
        assert figure is not None
        assert figure.source


def test_every_chain_of_classes_ends_at_generic() -> None:
    parents = {name: table(FOLDER / "classes" / f"{name}.toml").get("parent") for name in CLASSES}
    assert [name for name, parent in parents.items() if parent is None] == ["generic"]
    assert set(parents.values()) - {None} <= set(CLASSES)


def test_what_derives_from_itself_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A user's file takes the place of a shipped one of its name: "vllm, but faster" has another name than vllm.
    body = 'source = "mine"\nchecked = "2026-11-28"\nkind = "estimate"\n'
    classes = (("hardware/classes", "a", "b"), ("hardware/classes", "b", "a"))
    for place, name, parent in (*classes, ("engines", "vllm", "vllm")):
        file = tmp_path / place / f"{name}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'name = "{name}"\nparent = "{parent}"\n{body}')
    monkeypatch.setenv("ROOFLINE_PATH", str(tmp_path))
    with pytest.raises(RooflineError, match=r"b\.toml: parent: 'a' derives from this very file; name another"):
        catalog.class_defaults("a")
    with pytest.raises(RooflineError, match=r"vllm\.toml: parent: 'vllm' derives from this very file"):
        catalog.engine("vllm")
