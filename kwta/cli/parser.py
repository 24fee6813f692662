"""argparse as the commands use it, and the kinds of values that people type."""

import re
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Sequence
from fractions import Fraction
from typing import NoReturn

from kwta.seeds import MAX_SEED

PROGRAM = "python -m kwta"

# More of anything is a typing error, and beyond 2**63 torch cannot count.
MOST = 10**12

RELU = "relu"
PAPER = "paper"


class Parser(ArgumentParser):
    """Takes whole names of options only, and refuses in one line."""

    def __init__(self, prog: str, description: str | None = None, epilog: str | None = None, **options) -> None:
        layout = {"formatter_class": RawDescriptionHelpFormatter, "allow_abbrev": False}
        super().__init__(prog, description=description, epilog=epilog, **{**layout, **options})
        self._negative_number_matcher = re.compile(r"-[\d.]")  # so that -1,1 is a value and no option

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def with_examples(examples: Sequence[str]) -> str:
    """The end of a help text: commands that can be copied."""
    return "\n".join(("examples:", *(f"  {PROGRAM} {example}" for example in examples)))


def whole(text: str) -> int:
    """A count; what is too small its owner refuses.

    >>> whole("20")
    20
    """
    if not re.fullmatch(r"-?[0-9]{1,13}", text) or abs(int(text)) > MOST:
        raise ArgumentTypeError(f"must be a whole number up to {MOST}, got {text!r}")
    return int(text)


def seed(text: str) -> int:
    """A seed of every generator in use."""
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > MAX_SEED:
        raise ArgumentTypeError(f"must be a whole number from 0 to {MAX_SEED}, got {text!r}")
    return int(text)


def number(text: str) -> float:
    """Any number; its owner knows the range."""
    try:
        return float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"must be a number, got {text!r}") from error


def numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between.

    >>> numbers("-1,0.5")
    (-1.0, 0.5)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ArgumentTypeError(f"must be numbers with commas between, such as -1,0.5; got {text!r}") from error


def wholes(text: str) -> tuple[int, ...]:
    """Positive whole numbers.

    >>> wholes("256,128")
    (256, 128)
    """
    parts = text.split(",")
    if not all(re.fullmatch(r"\s*[0-9]{1,13}\s*", part) and int(part) > 0 for part in parts):
        raise ArgumentTypeError(f"must be positive whole numbers with commas between, such as 256,128; got {text!r}")
    return tuple(int(part) for part in parts)


def gammas(text: str) -> float | Fraction | tuple[float | Fraction | None, ...] | None:
    """γ of all layers, or one for each: numbers, fractions, or the word relu.

    >>> gammas("0.2"), gammas("1/3,relu")
    (0.2, (Fraction(1, 3), None))
    """
    ratios = tuple(_ratio(part.strip(), text) for part in text.split(","))
    return ratios if "," in text else ratios[0]


def _ratio(part: str, text: str) -> float | Fraction | None:
    if part.lower() == RELU:
        return None
    try:
        ratio = Fraction(part) if re.fullmatch(r"[0-9]+/[1-9][0-9]*", part) else float(part)
    except ValueError:
        ratio = float("nan")
    if not 0 < ratio <= 1:
        raise ArgumentTypeError(
            f"must be a number above 0 and up to 1, such as 0.2 or 1/3, or one per hidden layer with commas between, "
            f"where {RELU} may stand too; got {text!r}"
        )
    return ratio


def rate_step(text: str) -> tuple[int, float]:
    """EPOCH:RATE.

    >>> rate_step("15:0.01")
    (15, 0.01)
    """
    try:
        epoch, rate = text.split(":")
        return whole(epoch), number(rate)
    except (ValueError, ArgumentTypeError) as error:
        raise ArgumentTypeError(f"must be EPOCH:RATE, such as 15:0.01, got {text!r}") from error


def annealing(text: str) -> str | tuple[float, float, float, int]:
    """START:END:STEP:EVERY, or the word paper.

    >>> annealing("0.4:0.2:0.02:1")
    (0.4, 0.2, 0.02, 1)
    """
    if text == PAPER:
        return PAPER
    try:
        start, end, step, every = text.split(":")
        return number(start), number(end), number(step), whole(every)
    except (ValueError, ArgumentTypeError) as error:
        raise ArgumentTypeError(
            f"must be {PAPER} or START:END:STEP:EVERY, such as 0.4:0.2:0.02:1, got {text!r}"
        ) from error


def sides(text: str) -> tuple[int, int]:
    """HEIGHTxWIDTH in pixels.

    >>> sides("32x48")
    (32, 48)
    """
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text)
    if match is None:
        raise ArgumentTypeError(f"must be HEIGHTxWIDTH, such as 32x32, got {text!r}")
    return int(match[1]), int(match[2])
