"""The Python interface: named axes, arrays, conversions, and one line for every mistake."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import roofline


def test_axes_given_as_lists_are_the_shape() -> None:
    result = roofline.decode(hw="wse3", model="llama4-maverick", batch=[1, 8], context=[1024, 8192])
    assert result.shape == result.step_seconds.shape == (2, 2)
    assert list(result.axes) == ["batch", "context"]
    np.testing.assert_allclose(result.tokens_per_second, np.array([[1], [8]]) / result.step_seconds)


def test_scalars_make_no_axis_and_arrays_do() -> None:
    one = roofline.decode(hw="h100", model="llama-3.1-8b")
    assert one.step_seconds.shape == ()
    many = roofline.decode(hw=["h100", "b200"], model="llama-3.1-8b", batch=np.arange(1, 65), context=range(1, 1000, 9))
    assert many.tokens_per_second_per_user.shape == (2, 64, 111)
    some = roofline.decode(hw=["h100", "b200"], model="llama-3.1-8b", batch=[1, 8, 64], context=[1, 10])
    np.testing.assert_allclose(some.step_seconds[:, 1, 1], many.step_seconds[:, 7, 1], rtol=1e-12)


def test_options_are_keywords_and_may_be_axes() -> None:
    result = roofline.decode(hw="h100", model="llama-3.1-70b", chips=8, weights=["fp8", "bf16"], batch=4)
    assert list(result.axes) == ["weights"]
    assert result.step_seconds[0] < result.step_seconds[1]


def test_arrays_keep_the_physical_time_where_it_does_not_fit() -> None:
    result = roofline.decode(hw="h100", model="llama-3.1-70b", chips=4, batch=[1, 4096])
    assert result.fits.tolist() == [True, False]
    assert np.isfinite(result.step_seconds).all()
    assert "tokens_per_second" not in result.records()[1]


def test_records_agree_with_the_arrays() -> None:
    result = roofline.decode(hw=["h100", "h200"], model="llama-3.1-8b", batch=[1, 8], context=[1024, 8192])
    times = [record["step_seconds"] for record in result.records()]
    np.testing.assert_allclose(times, result.step_seconds.ravel(), rtol=1e-12)


def test_prefill() -> None:
    result = roofline.prefill(hw="h100", model="llama-3.1-8b", isl=[1024, 4096])
    assert result.ttft_seconds.shape == (2,)
    assert result.ttft_seconds[1] > result.ttft_seconds[0]
    with pytest.raises(roofline.RooflineError, match="belongs to decode"):
        _ = result.tpot_seconds


def test_conversions() -> None:
    result = roofline.decode(hw=["h100", "h200"], model="llama-3.1-8b", batch=[1, 8])
    data = result.to_xarray()
    assert dict(data.sizes) == {"hw": 2, "batch": 2}
    assert float(data["tokens_per_second"].sel(hw="h100", batch=8)) == pytest.approx(result.tokens_per_second[0, 1])
    assert result.to_polars().height == len(result.to_pandas()) == 4


def test_overrides() -> None:
    base = roofline.decode(hw="h100", model="llama-3.1-8b").step_seconds
    fast = roofline.decode(hw="h100", model="llama-3.1-8b", set="hw.memory.0.bandwidth=6.7TB/s").step_seconds
    named = roofline.decode(hw="h100", model="llama-3.1-8b", set=["hw.memory.HBM3.bandwidth=6.7TB/s"]).step_seconds
    assert fast == named < base


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hw": "h101"}, "unknown chip 'h101' .*did you mean 'h100'"),
        ({"model": "lama-3.1-8b"}, "unknown model"),
        ({"batch": 0}, "batch: 0 is out of range"),
        ({"batch": float("nan")}, "batch: nan is not a whole number"),
        ({"batch": 1e300}, "batch: .* is out of range"),
        ({"batch": []}, "batch: the list is empty"),
        ({"context": "8k"}, "context: '8k' is not a whole number"),
        ({"weights": "fp9"}, "unknown dtype 'fp9'"),
        ({"tp": 3}, "--tp 3 does not divide the 32 heads"),
        ({"chips": 8, "tp": 4, "pp": 4}, "--chips 8 is not tp 4 x pp 4"),
        ({"chips": 8, "tp": 8, "dp": 2}, "--chips 8 is not a multiple of the 16 chips of tp 8 x dp 2"),
        ({"chips": 12, "tp": 8}, "--chips 12 is not a multiple of the 8 chips of tp 8 x dp 1"),
        ({"ep": 4}, "has no experts"),
        ({"chip": 8}, "unknown option 'chip' .*did you mean 'chips'"),
        ({"usd_per_hour": -1}, "usd_per_hour: -1 is out of range"),
        ({"set": "hw.memory.0.bandwith=1TB/s"}, "memory.0.bandwith: unknown key"),
        ({"set": "hw.memory.9.bandwidth=1TB/s"}, "no item '9'; there are 0 = HBM3"),
        ({"set": "hw.memory.0.bandwidth=fast"}, "'fast' is not a quantity"),
        ({"set": "memory=1"}, "write hw.KEY=VALUE"),
        ({"kv_tier": 7}, "--kv-tier 7: .* has the memory tiers"),
    ],
)
def test_mistakes_are_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(roofline.RooflineError, match=message) as caught:
        _ = roofline.decode(**({"hw": "h100", "model": "llama-3.1-8b"} | options)).records()  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_closed_models_are_ranges() -> None:
    with pytest.raises(roofline.RooflineError, match="is closed"):
        roofline.decode(hw="h100", model="gpt-4.1")


@pytest.mark.parametrize(
    "code",
    [
        "import roofline",
        "from roofline.cli.main import cli; cli.main(['--help'], standalone_mode=False)",
        "from roofline.cli.main import cli; cli.main(['decode', '--hw', 'h100', '--model', 'llama4-maverick'], "
        "standalone_mode=False)",
        "from roofline.cli.main import cli; cli.main(['fit', '--hw', 'wse3', '--model', 'llama4-maverick'], "
        "standalone_mode=False)",
    ],
)
def test_nothing_heavy_is_imported_for_one_point(code: str) -> None:
    check = "; import sys; heavy = {'numpy', 'numba', 'rich', 'pandas'} & set(sys.modules); assert not heavy, heavy"
    subprocess.run([sys.executable, "-c", code + check], check=True, capture_output=True)
