"""The operation table: what a step does, as coefficients of the step variables. See docs/model.md."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain
from operator import attrgetter

from roofline import kernel

#: What an operation waits for most, as `bound` names it.
COMPUTE, WEIGHTS, KV, LINK, OVERHEAD = "compute", "weight bandwidth", "KV bandwidth", "interconnect", "launch and host"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of operation in one kind of layer; fields are the kernel's columns, in order.

    FLOPs and bytes are per chip and call; `seconds_per_flop` and `seconds_per_byte` already hold the achieved
    fractions. See ``kernel.py`` for the meaning of each column.
    """

    op: str
    layer: str
    memory: str = WEIGHTS
    dtype: str = ""
    count: float = 1.0
    flops_token: float = 0.0
    flops_pair: float = 0.0
    flops_entry: float = 0.0
    flops_pair_alt: float = 0.0
    flops_sampled: float = 0.0
    flops_group: float = 0.0
    bytes_fixed: float = 0.0
    bytes_token: float = 0.0
    bytes_entry: float = 0.0
    bytes_sequence: float = 0.0
    bytes_sampled: float = 0.0
    bytes_experts: float = 0.0
    log_miss: float = 0.0
    span: float = kernel.DENSE
    ratio: float = 1.0
    cap: float = kernel.UNCAPPED
    seconds_per_flop: float = 0.0
    seconds_per_byte: float = 0.0
    overhead: float = 0.0
    overhead_sequence: float = 0.0
    overhead_alt: float = 0.0
    seconds_per_byte_alt: float = 0.0
    overlap: float = 0.0
    rank_experts: float = 1.0
    rank_spread: float = 0.0
    beside: float = 0.0
    routing: float = 0.0

    @property
    def values(self) -> tuple[float, ...]:
        """The kernel's columns."""
        return _numbers(self)

    @property
    def depends_on_context(self) -> bool:
        """True for attention cores and indexers: the only rows whose time changes with context."""
        return self.flops_pair > 0 or self.bytes_entry > 0


_LABELS = 4
_COLUMNS = tuple(field.name for field in fields(Row))[_LABELS:]
assert len(_COLUMNS) == kernel.N_COLUMNS  # one field per column, in order
_numbers = attrgetter(*_COLUMNS)


@dataclass(frozen=True, eq=False)
class Table:
    """All operations of a step of one phase. A table is itself only: compiled forms are kept for each."""

    rows: tuple[Row, ...]
    ranks: float
    """Attention-DP ranks."""

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The rows as plain numbers, one after another, kernel.N_COLUMNS each."""
        return tuple(chain.from_iterable(map(_numbers, self.rows)))

    @cached_property
    def launched(self) -> float:
        """Operations that the host sends to the chips of all stages."""
        return sum(row.count for row in self.rows if row.overhead > 0)
