"""`python -m benchmarks [NAME ...] [--json]`: run all benchmarks, or those named."""

import argparse
from collections.abc import Callable, Iterator

from benchmarks import activation, attacks, line, networks, regions, report, start

BENCHMARKS: dict[str, Callable[[], Iterator[report.Section]]] = {
    "activation": activation.sections,
    "attacks": attacks.sections,
    "line": line.sections,
    "networks": networks.sections,
    "regions": regions.sections,
    "start": start.sections,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time kwta against the usual ways.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON text instead of tables")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"NAME must be one of {', '.join(BENCHMARKS)}, got {', '.join(sorted(unknown))}")
    chosen = (s for name in arguments.names or BENCHMARKS for s in BENCHMARKS[name]())
    if arguments.json:
        print(report.as_json(chosen))
        return
    report.print_machine()
    for section in chosen:
        report.print_section(section)


if __name__ == "__main__":
    main()
