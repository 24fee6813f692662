"""How long the first regions take in a new process: with the kernels on the disk, and with nothing compiled.

Every number comes from a Python of its own; only the call is timed, not what is imported before it.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import First
from benchmarks.report import Section

ROOT = Path(__file__).resolve().parents[1]
REPETITIONS = 5
CACHED, COMPILED = 1.0, 25.0  # seconds that a person may have to wait, at most
CACHED_AIM, COMPILED_AIM = 0.2, 8.0

CALLS = {
    "cells of a plane, k-WTA": "plane.cells(build(MLP((2, 64, 64, 1), 0.125), 0), slices.square(-1, 1, -1, 1))",
    "cells of a plane, ReLU": "plane.cells(build(MLP((2, 64, 64, 1)), 0), slices.square(-1, 1, -1, 1))",
    "pieces of a line": "line.pieces(build(MLP((2, 64, 64, 1), 0.125), 0), slices.segment(np.zeros(2), np.ones(2)))",
}
PROGRAM = """
import time
import numpy as np
from kwta import slices
from kwta.networks import MLP, build
from kwta.regions import line, plane
wall, cpu = time.perf_counter(), time.process_time()
{call}
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def _first(call: str, cache: str | None) -> tuple[float, float]:
    """Seconds on the wall and of the processor until a new process has the result."""
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    command = [sys.executable, "-c", PROGRAM.format(call=call)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    wall, cpu = map(float, result.stdout.split())
    return wall, cpu


def _cached() -> Iterator[First]:
    for case, call in CALLS.items():
        _first(call, None)  # compiles what is not on the disk yet
        times = [_first(call, None) for _ in range(REPETITIONS)]
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        yield First(case, wall, cpu, CACHED)


def _compiled() -> Iterator[First]:
    for case, call in CALLS.items():
        with tempfile.TemporaryDirectory() as folder:
            yield First(case, *_first(call, folder), COMPILED)


def sections() -> Iterator[Section]:
    yield Section(
        "First result of a new process, kernels on the disk",
        f"Median of {REPETITIONS} processes; the aim is {CACHED_AIM:g} s.",
        _cached(),
    )
    yield Section(
        "First result ever, nothing compiled",
        f"One process each, with an empty cache; the aim is {COMPILED_AIM:g} s. `make run` compiles beforehand.",
        _compiled(),
    )
