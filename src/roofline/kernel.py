"""The roofline itself: seconds of one step from a table of operations. Scalars in, scalars out, no I/O, no objects.

The same source runs as plain Python (a table is a tuple of floats) and through numba (a table is an array); see
``compiled.py``. Symbols are those of docs/nomenclature.md.

References
----------
.. [1] S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for multicore
   architectures", Communications of the ACM 52(4), 2009.
"""

from __future__ import annotations

import math
from typing import Any

# Columns of an operation table. One row is one kind of operation in one kind of layer.
COUNT = 0  # times per step
FLOPS_TOKEN = 1  # FLOPs per token of this rank
FLOPS_PAIR = 2  # FLOPs per attended (query, key) pair
FLOPS_ENTRY = 3  # FLOPs per cache entry read: MLA re-expansion of latents
FLOPS_PAIR_ALT = 4  # FLOPs per pair in the absorbed form; 0: no such form
FLOPS_SAMPLED = 5  # FLOPs per sampled position
FLOPS_GROUP = 6  # FLOPs per token of the whole expert group
BYTES = 7  # bytes whatever the batch: weights
BYTES_TOKEN = 8  # bytes per token of this rank
BYTES_ENTRY = 9  # bytes per cache entry read
BYTES_SEQUENCE = 10  # bytes per sequence: recurrent state
BYTES_SAMPLED = 11  # bytes per sampled position
BYTES_EXPERTS = 12  # bytes of all experts of this rank; scaled by the share that is touched
LOG_MISS = 13  # ln(1 - k/E): log probability that a token misses an expert; 0: not an expert row
SPAN = 14  # how far a query sees: one of the three codes below
RATIO = 15  # tokens per cache entry
CAP = 16  # most entries a query sees
SECONDS_FLOP = 17  # 1 / achieved FLOP/s
SECONDS_BYTE = 18  # 1 / achieved bytes/s
OVERHEAD = 19  # seconds per call: launch, or latency of a collective
OVERHEAD_SEQUENCE = 20  # seconds per call and sequence
OVERHEAD_ALT = 21  # latency of the other algorithm of a collective
SECONDS_BYTE_ALT = 22  # seconds per byte of the other algorithm; 0: none
OVERLAP = 23  # kappa
RANK_EXPERTS = 24  # experts of this rank
RANK_SPREAD = 25  # sqrt(2 ln EP): how far the busiest rank lies above the mean; 0: one rank
BESIDE = 26  # 1: runs beside all other operations (two-batch overlap); 0: after them
ROUTING = 27  # how evenly experts are liked: shape of a gamma distribution; 0: all alike
N_COLUMNS = 28

#: A query sees min(position / ratio, cap) entries; entries are read once for all queries of the step.
DENSE = 0.0
#: The same, but each query gathers its own entries (token top-k).
GATHER = 1.0
#: A query sees only its own block of `cap` tokens.
CHUNKED = 2.0

#: Stands for "no cap": larger than any context, and finite, so that 0 x UNCAPPED is 0.
UNCAPPED = 1e18


def block_sum(n: float, w: float) -> float:
    """Return the pairs attended by the first `n` tokens when each sees only its own block of `w` tokens."""
    whole = math.floor(n / w)
    rest = n - whole * w
    return whole * 0.5 * w * (w + 1.0) + 0.5 * rest * (rest + 1.0)


def attended_pairs(span: float, ratio: float, cap: float, n: float, p: float) -> float:
    """Return A of one sequence: what its `n` new tokens after `p` past ones attend to, added up."""
    if span == CHUNKED:
        return block_sum(p + n, cap) - block_sum(p, cap)
    growing = min(max(cap * ratio - p, 0.0), n)
    return growing * (p + 0.5 * (growing + 1.0)) / ratio + (n - growing) * cap


def entries_read(span: float, ratio: float, cap: float, n: float, p: float) -> float:
    """Return K of one sequence: cache entries that a step of `n` new tokens after `p` past ones reads."""
    if span == GATHER:
        return attended_pairs(span, ratio, cap, n, p)
    if span == CHUNKED:
        return p + n - math.floor(p / cap) * cap
    return min((p + n) / ratio, cap + n - 1.0)


def experts_touched(log_miss: float, tokens: float) -> float:
    """Return the share of experts that `tokens` touch, each choosing k of E uniformly: 1 - (1 - k/E)^tokens."""
    return -math.expm1(tokens * log_miss)


def independent_tokens(log_miss: float, tokens: float, shape: float) -> float:
    """Return how many tokens of uniform choice touch as many experts as `tokens` whose choices agree.

    Some experts are liked better than others: where their popularity is gamma distributed with this shape, a token
    count T misses an expert with probability (1 + T q / shape)^-shape instead of exp(-T q), q = -`log_miss`. The first
    token still touches its k.
    """
    if shape == 0.0 or log_miss <= -100.0:
        return tokens
    return min(tokens, 1.0) - shape / log_miss * math.log1p(-max(tokens - 1.0, 0.0) * log_miss / shape)


def busiest_share(share: float, experts: float, spread: float) -> float:
    """Return the share of its experts that the busiest of the expert ranks reads, from the mean over ranks.

    Each rank's count is near binomial; the largest of EP such counts lies about sqrt(2 ln EP) standard deviations above
    the mean. All ranks wait for it.
    """
    if spread == 0.0:
        return share
    return min(1.0, share + spread * math.sqrt(share * (1.0 - share) / experts))


def roof(c: float, m: float, overlap: float) -> float:
    """Return the longer of compute and memory time plus the share κ of the shorter that does not hide behind it [s]."""
    return c + m - (1.0 - overlap) * min(c, m)


def op_flops(table: Any, at: int, b: float, n: float, p: float, s: float, g: float) -> float:
    """Return the FLOPs of one call of an operation on one chip.

    Parameters
    ----------
    table : sequence of float
        Rows one after another, N_COLUMNS numbers each: flat, so that compiled code indexes without making views.
    at : int
        Where the operation's row begins.
    b : float
        Sequences on this rank.
    n, p : float
        New and past tokens of each sequence.
    s : float
        Positions sampled per sequence.
    g : float
        Tokens of the whole expert group.
    """
    flops: float = table[at + FLOPS_TOKEN] * b * n + table[at + FLOPS_SAMPLED] * b * s + table[at + FLOPS_GROUP] * g
    if table[at + FLOPS_PAIR] > 0.0:
        pairs = b * attended_pairs(table[at + SPAN], table[at + RATIO], table[at + CAP], n, p)
        core = table[at + FLOPS_PAIR] * pairs
        if table[at + FLOPS_ENTRY] > 0.0:
            core += (
                table[at + FLOPS_ENTRY] * b * entries_read(table[at + SPAN], table[at + RATIO], table[at + CAP], n, p)
            )
            core = min(core, table[at + FLOPS_PAIR_ALT] * pairs + table[at + FLOPS_ENTRY] * b * n)
        flops += core
    return flops


def op_bytes(table: Any, at: int, b: float, n: float, p: float, s: float, g: float) -> float:
    """Return the bytes that one call of an operation moves on one chip [B]; parameters as in `op_flops`."""
    total: float = (
        table[at + BYTES]
        + table[at + BYTES_TOKEN] * b * n
        + table[at + BYTES_SEQUENCE] * b
        + table[at + BYTES_SAMPLED] * b * s
    )
    if table[at + BYTES_ENTRY] > 0.0:
        total += table[at + BYTES_ENTRY] * b * entries_read(table[at + SPAN], table[at + RATIO], table[at + CAP], n, p)
    if table[at + LOG_MISS] < 0.0:
        alone = independent_tokens(table[at + LOG_MISS], g, table[at + ROUTING])
        share = experts_touched(table[at + LOG_MISS], alone)
        total += table[at + BYTES_EXPERTS] * busiest_share(share, table[at + RANK_EXPERTS], table[at + RANK_SPREAD])
    return total


def op_seconds(table: Any, at: int, b: float, n: float, p: float, s: float, g: float) -> float:
    """Return the time of one call of an operation [s]; parameters as in `op_flops`.

    The roof over compute and memory time plus the overhead of the call. A collective takes the faster of its two
    algorithms.
    """
    moved = op_bytes(table, at, b, n, p, s, g)
    c = op_flops(table, at, b, n, p, s, g) * table[at + SECONDS_FLOP]
    m = moved * table[at + SECONDS_BYTE]
    t: float = roof(c, m, table[at + OVERLAP]) + table[at + OVERHEAD]
    if table[at + SECONDS_BYTE_ALT] > 0.0:
        t = min(t, moved * table[at + SECONDS_BYTE_ALT] + table[at + OVERHEAD_ALT])
    t += table[at + OVERHEAD_SEQUENCE] * b
    return t


def step_seconds(table: Any, batch: float, ranks: float, n: float, p: float, s: float) -> float:
    """Return the time of one step [s].

    Parameters
    ----------
    table : sequence of float, shape (n_rows x N_COLUMNS,)
    batch : float
        Sequences in the step, over all attention-DP ranks.
    ranks : float
        Attention-DP ranks; a rank that has any sequence has at least one.
    n : float
        New tokens per sequence: 1 in plain decode, the tokens verified with speculation, the chunk in prefill.
    p : float
        Tokens of each sequence that are already cached.
    s : float
        Positions sampled per sequence.
    """
    b = max(batch / ranks, 1.0)
    g = max(batch, 1.0) * n
    total = 0.0
    beside = 0.0
    for at in range(0, len(table), N_COLUMNS):
        t = table[at + COUNT] * op_seconds(table, at, b, n, p, s, g)
        if table[at + BESIDE] > 0.0:
            beside += t
        else:
            total += t
    return max(total, beside)


def prefill_groups(b: float, n: float, chunk: float) -> float:
    """Return how many groups `b` prompts of `n` tokens are prefilled in: whole prompts share a step while they fit."""
    together = max(1.0, math.floor(chunk / n)) if n < chunk else 1.0
    return max(1.0, math.ceil(b / min(together, b) - 1e-9))


def prefill_work(table: Any, batch: float, ranks: float, n: float, p: float, chunk: float) -> float:
    """Return the time of all steps that prefill one group, `n` tokens of each of `batch` sequences after `p` [s]."""
    pieces = max(1.0, math.ceil(n / chunk - 1e-9))
    work = 0.0
    done = 0.0
    for _ in range(int(pieces)):
        size = min(chunk, n - done)
        last = 1.0 if done + size >= n else 0.0
        work += step_seconds(table, batch, ranks, size, p + done, last)
        done += size
    return work


def prefill_longest(table: Any, batch: float, ranks: float, n: float, p: float, chunk: float) -> float:
    """Return the time of the longest of these steps, the last full one [s]."""
    size = min(chunk, n)
    done = size * (math.floor(n / size + 1e-9) - 1.0)
    return step_seconds(table, batch, ranks, size, p + done, 1.0 if done + size >= n else 0.0)


def prefill_seconds(
    table: Any, batch: float, ranks: float, n: float, p: float, chunk: float, stages: float, host: float
) -> float:
    """Return the time to prefill `n` tokens of each of `batch` sequences after `p` cached ones [s].

    Parameters
    ----------
    table : sequence of float, shape (n_rows x N_COLUMNS,)
        The whole model's operations, all pipeline stages together.
    batch, ranks, n, p : float
        As in `step_seconds`.
    chunk : float
        Most tokens that one step takes, over the sequences of a rank.
    stages : float
        Pipeline stages; chunks follow one another through them.
    host : float
        Host time per chunk that no kernel hides [s].
    """
    b = max(batch / ranks, 1.0)
    groups = prefill_groups(b, n, chunk)
    steps = groups * max(1.0, math.ceil(n / chunk - 1e-9))
    work = prefill_work(table, b / groups * ranks, ranks, n, p, chunk)
    seconds = work * groups
    if stages > 1.0:
        # Stages that fill and drain wait for the longest chunk; work holds all stages of one group.
        seconds += (stages - 1.0) * prefill_longest(table, b / groups * ranks, ranks, n, p, chunk)
    return seconds / stages + host * steps
