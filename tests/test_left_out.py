"""Refits without a part of the rows: constants that only the part speaks of return to their priors."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from roofline import calibrate, left_out
from roofline.constants import Parameter
from roofline.measurements import read_csv
from test_calibration import made_up


def test_a_part_that_agrees_is_predicted_and_one_that_differs_is_not_learned(tmp_path: Path) -> None:
    host = Parameter("engine", "vllm", "host_per_step")
    rows = read_csv(made_up(tmp_path / "rows.csv", {}))
    rows = [replace(m, value=m.value * (1.5 if m.isl == 8192 else 1.0)) for m in rows]
    fit = calibrate.fit(rows, [host], processes=1)
    odd = [i for i, m in enumerate(fit.rows) if m.isl == 8192]
    even = [i for i, m in enumerate(fit.rows) if m.isl != 8192]
    (_, missed), _ = left_out.without(fit, [odd, even], processes=1)
    # Without the odd rows the constants are today's, which the even rows were made with: the odd are 1.5 times as slow.
    assert missed == pytest.approx(-math.log(1.5), abs=0.05)
