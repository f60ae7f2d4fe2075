"""Refits without a part of the rows: constants that only the part speaks of return to their priors.

And what a fit begins at: priors that no fit has written, and what constants of one kind have in common.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roofline import calibrate, descent, left_out
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


ROOT = Path(__file__).resolve().parents[1]
FITTED = "fit to published measurements"


def test_every_fitted_file_has_a_prior_that_no_fit_wrote() -> None:
    for folder in ("hardware", "hardware/classes", "engines"):
        for path in (ROOT / folder).glob("*.toml"):
            prior = ROOT / "bench" / "priors" / folder / path.name
            if FITTED in path.read_text():
                assert prior.exists(), f"{path}: a refit would begin at the last fit's own constants"
            if prior.exists():
                assert FITTED not in prior.read_text(), prior


def test_a_fit_that_begins_where_another_ended_stays_there(tmp_path: Path) -> None:
    host = Parameter("engine", "vllm", "host_per_step")
    rows = read_csv(made_up(tmp_path / "rows.csv", {}))
    rows = [replace(m, value=m.value * 1.2) for m in rows]
    fit = calibrate.fit(rows, [host], processes=1)
    again = calibrate.fit(rows, [host], processes=1, begin=fit.values, known=fit)
    assert again.values[host] == pytest.approx(fit.values[host], rel=0.02)
    # With the known fit's Jacobian for a part of its rows, it finds what a fit of those rows alone finds.
    some = rows[::2]
    short = calibrate.fit(some, [host], processes=1, begin=fit.values, known=fit)
    alone = calibrate.fit(some, [host], processes=1)
    assert short.values[host] == pytest.approx(alone.values[host], rel=0.05)


def test_constants_of_one_kind_drift_together_in_part() -> None:
    names = [Parameter("engine", engine, "launches_moe") for engine in ("vllm", "sglang", "llama.cpp")]
    names.append(Parameter("engine", "vllm", "launch"))
    prior = descent.precision(names)
    # Told that vLLM's constant drifted by 1, we expect half of it of SGLang's, nothing of what is of another kind or of
    # an engine apart: for a Gaussian of precision P, E[x_rest | x_0 = 1] = -P_rr^-1 P_r0.
    expected = -np.linalg.solve(prior[1:, 1:], prior[1:, 0])
    assert expected == pytest.approx([0.5, 0.0, 0.0], abs=1e-9)
    # Alone, each may drift as far as its spread: the variances are the inverse's diagonal.
    assert np.linalg.inv(prior).diagonal() == pytest.approx([p.spread**2 for p in names])


def test_a_step_that_would_leave_its_limits_is_held_and_the_rest_solved_again() -> None:
    # (x + y - 3)^2 + (x - y)^2 / 10 is least at 1.5, 1.5. With x held at 1: 2 (y - 2) + (y - 1) / 5 = 0, y = 21 / 11.
    left = 2 * np.array([[1.1, 0.9], [0.9, 1.1]])
    right = 2 * np.array([3.0, 3.0])
    assert descent.step_within(left, right, np.array([[-9.0, 9.0], [-9.0, 9.0]]), 9.0) == pytest.approx([1.5, 1.5])
    assert descent.step_within(left, right, np.array([[-9.0, 1.0], [-9.0, 9.0]]), 9.0) == pytest.approx([1.0, 21 / 11])
    assert descent.step_within(left, right, np.array([[-9.0, 9.0], [-9.0, 9.0]]), 0.5) == pytest.approx([0.5, 0.5])


def test_a_step_teaches_the_jacobian_its_change_and_keeps_its_zeros() -> None:
    jacobian = np.array([[1.0, 0.0], [2.0, 3.0], [0.0, 0.0]])
    step, change = np.array([0.1, 0.2]), np.array([0.15, 0.9, 0.0])
    found = descent.learned(jacobian, step, change)
    assert found @ step == pytest.approx(change)
    assert (found == 0.0).tolist() == (jacobian == 0.0).tolist()
    # Of all such changes the smallest: along the step, (0.9 - 0.8) / (0.1^2 + 0.2^2) = 2 times (0.1, 0.2).
    assert found[1] == pytest.approx([2.2, 3.4])
