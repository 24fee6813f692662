"""What a person reads of the measurements, and what a program reads."""

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numba
import torch

from benchmarks.harness import Comparison, First, Timing

# The load above which somebody else is at work: less than one core's worth of the minute before.
BUSY = 0.5

Row = Comparison | First | Timing


@dataclass(frozen=True)
class Section:
    """Rows under one heading, with a sentence on what is compared."""

    title: str
    note: str
    rows: Iterable[Row]  # measured while they are read


def load() -> float | None:
    """How many programs wanted a core during the last minute, where the system tells."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def print_machine() -> None:
    """One line on the machine, and a warning where others use it too."""
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items() if value is not None))
    if (busy := load() or 0) > BUSY:
        print(
            f"Others use this machine (load {busy}): rows of one thread hold, for they count its own time; but several"
            " threads of torch then wait for each other, which makes their ratios look better than they are."
        )


def machine() -> dict[str, object]:
    """What the numbers depend on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": load(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numba": numba.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _start(row: Comparison | Timing) -> str:
    return f"{row.case:<28} {row.device:<6} {row.threads:>7}"


def _header(row: Row) -> str:
    if isinstance(row, First):
        return f"{'case':<28} {'wall/s':>9} {'cpu/s':>9}  target"
    start = f"{'case':<28} {'device':<6} {'threads':>7}"
    if isinstance(row, Comparison):
        return f"{start} {'ours/ms':>9} {'other/ms':>9} {'ratio':>7} {'quartiles':>15}  target"
    return f"{start} {'ns/entry':>9} {'quartiles':>15}"


def _line(row: Row) -> str:
    if isinstance(row, First):
        return f"{row.case:<28} {row.wall_s:>9.2f} {row.cpu_s:>9.2f}  {row.verdict}"
    if isinstance(row, Comparison):
        spread = f"{row.ratio_low:.2f} – {row.ratio_high:.2f}"
        times = f"{row.ours_ms:>9.3f} {row.other_ms:>9.3f} {row.ratio:>7.2f}"
        return f"{_start(row)} {times} {spread:>15}  {row.verdict}".rstrip()
    spread = f"{row.ns_low:.2f} – {row.ns_high:.2f}"
    return f"{_start(row)} {row.ns_per_entry:>9.2f} {spread:>15}"


def print_section(section: Section) -> None:
    """Print the rows of a section, each as soon as it is measured."""
    print(f"\n{section.title}\n{section.note}\n")
    for i, row in enumerate(section.rows):
        if i == 0:
            print(_header(row))
        print(_line(row), flush=True)


def as_json(sections: Iterable[Section]) -> str:
    """All measurements and the machine as one JSON text."""
    return json.dumps(
        {
            "machine": machine(),
            "sections": [
                {
                    "title": s.title,
                    "note": s.note,
                    "rows": [asdict(row) | {"kind": type(row).__name__} for row in s.rows],
                }
                for s in sections
            ],
        },
        indent=2,
        ensure_ascii=False,
    )
