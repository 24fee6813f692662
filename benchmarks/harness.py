"""Time two ways of doing the same thing against each other, in one run.

The two alternate block by block, so that whatever else the machine does meets both; each pair of blocks gives one
ratio, and the median of the ratios is the result. Absolute times come from the same blocks. Work of one thread on the
CPU is timed by that thread's own clock, which stands still while another program has the core.
"""

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

# A block lasts long enough for the clock and the call's overhead not to matter, short enough to share a machine's mood.
BLOCK_SECONDS = 0.01
REPETITIONS = 21
# A clock with coarser steps than this (Windows counts a thread's time in 1/64 s) is of no use for a block.
FINE_SECONDS = 1e-6


@dataclass(frozen=True)
class Comparison:
    """How many times as fast as the other our way is: median and quartiles of the ratios; milliseconds of one call."""

    case: str
    device: str
    threads: int
    ours_ms: float
    other_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    target: float | None = None  # the ratio that was promised

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return f"{'met' if self.ratio >= self.target else 'MISSED'} (≥ {self.target:g})"


@dataclass(frozen=True)
class Timing:
    """Nanoseconds per entry of one way, median and quartiles of the blocks."""

    case: str
    device: str
    threads: int
    ns_per_entry: float
    ns_low: float
    ns_high: float


@dataclass(frozen=True)
class First:
    """Seconds until the first result, on the wall and of the processor, which is what an idle machine's wall shows."""

    case: str
    wall_s: float
    cpu_s: float
    target: float

    @property
    def verdict(self) -> str:
        return f"{'met' if self.cpu_s <= self.target else 'MISSED'} (≤ {self.target:g} s of one core)"


Call = Callable[[], object]
Clock = Callable[[], float]


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _clock(device: torch.device) -> Clock:
    """The clock that sees our work and as little else as possible."""
    is_alone = device.type == "cpu" and torch.get_num_threads() == 1
    if is_alone and time.get_clock_info("thread_time").resolution <= FINE_SECONDS:
        return time.thread_time
    return time.perf_counter


def _seconds(call: Call, calls: int, device: torch.device) -> float:
    """Seconds per call, over a block of calls."""
    clock = _clock(device)
    _finish(device)
    start = clock()
    for _ in range(calls):
        call()
    _finish(device)
    return (clock() - start) / calls


def _calls_per_block(call: Call, device: torch.device) -> int:
    _seconds(call, 1, device)  # the first call may compile or allocate
    return max(1, round(BLOCK_SECONDS / _seconds(call, 3, device)))


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, median, high


@contextmanager
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Let torch, and with it our kernels, use n threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compare(
    case: str,
    ours: Call,
    other: Call,
    device: torch.device | None = None,
    target: float | None = None,
    repetitions: int | None = None,
) -> Comparison:
    """Time both calls in alternating blocks on the current number of threads; calls of seconds may repeat less."""
    device = device or torch.device("cpu")
    calls, other_calls = _calls_per_block(ours, device), _calls_per_block(other, device)
    a: list[float] = []
    b: list[float] = []
    with _without_collector():
        for repetition in range(repetitions or REPETITIONS):
            # Who goes first alternates too: the second of two may find a warmer cache or a hotter core.
            for first in (repetition % 2 == 0, repetition % 2 == 1):
                if first:
                    a.append(_seconds(ours, calls, device))
                else:
                    b.append(_seconds(other, other_calls, device))
    low, ratio, high = _quartiles([theirs / mine for mine, theirs in zip(a, b, strict=True)])
    return Comparison(
        case,
        device.type,
        torch.get_num_threads(),
        1e3 * statistics.median(a),
        1e3 * statistics.median(b),
        ratio,
        low,
        high,
        target,
    )


def timing(case: str, call: Call, entries: int, device: torch.device | None = None) -> Timing:
    """Time one call on the current number of threads, per entry that it handles."""
    device = device or torch.device("cpu")
    calls = _calls_per_block(call, device)
    with _without_collector():
        blocks = [1e9 * _seconds(call, calls, device) / entries for _ in range(REPETITIONS)]
    low, median, high = _quartiles(blocks)
    return Timing(case, device.type, torch.get_num_threads(), median, low, high)
