"""Where a command's words go: results to stdout, everything else to stderr; with --json stdout is one document."""

import json
import math
import sys
from argparse import ArgumentParser, BooleanOptionalAction
from fractions import Fraction
from typing import Any

from tqdm import tqdm


def arguments(parser: ArgumentParser) -> None:
    """The options that every command has."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print one JSON document on stdout, all else on stderr")
    progress = "draw progress bars on stderr (default: if it is a terminal)"
    group.add_argument("--progress", action=BooleanOptionalAction, default=None, help=progress)


class Console:
    """Says things at the right place."""

    def __init__(self, as_json: bool, progress: bool | None) -> None:
        self.as_json = as_json
        self.draws_bars = sys.stderr.isatty() if progress is None else progress

    def say(self, text: str) -> None:
        """A line of the result for people; --json gives it to programs instead."""
        if not self.as_json:
            self._write(text, sys.stdout)

    def report(self, text: str) -> None:
        """A line on work under way, which people read as part of the result."""
        self._write(text, sys.stderr if self.as_json else sys.stdout)

    def note(self, text: str) -> None:
        """A message beside the result."""
        self._write(text, sys.stderr)

    def document(self, content: dict[str, Any]) -> None:
        """The result for programs, with --json only."""
        if self.as_json:
            print(json.dumps(plain(content), indent=2, allow_nan=False))

    def bar(self, total: int, unit: str) -> "tqdm[Any]":
        """A progress bar; close it or use it in a `with`."""
        return tqdm(total=total, unit=unit, disable=not self.draws_bars, dynamic_ncols=True, leave=False)

    def _write(self, text: str, stream: Any) -> None:
        tqdm.write(text, file=stream)  # which makes room for itself above a bar
        stream.flush()


def plain(value: Any) -> Any:
    """A value as JSON has it: tuples as lists, fractions as "k/n", numbers that are not finite as null."""
    match value:
        case dict():
            return {name: plain(entry) for name, entry in value.items()}
        case list() | tuple():
            return [plain(entry) for entry in value]
        case Fraction():
            return f"{value.numerator}/{value.denominator}"
        case float() if not math.isfinite(value):
            return None
    return value
