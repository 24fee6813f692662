"""Inputs by short names that fit into a link: "12" is a test input, "0.3,-0.4" a point, "d…" a drawing."""

import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from app.compute.words import short
from kwta.datasets import Data

# A drawn pixel is one hexadecimal digit: 0 is the low end of the data box, 15 the high end.
DARKEST = 15
# Decimals of a point: finer than a pixel of any map.
DECIMALS = 4
# Of the data box: maps report points to three decimals, which may lie this far outside.
ROUNDING = 1e-3
# No drawing of the image sets is longer than this; a longer name is nobody's drawing.
LONGEST = 4_000
RAW = -zlib.MAX_WBITS  # deflate without header and checksum


@dataclass(frozen=True, eq=False)
class Input:
    """x, float32 of the data's shape, under its `name`. `index` and `label` only where it is a test input."""

    name: str
    x: np.ndarray
    index: int | None = None
    label: int | None = None


def is_planar(data: Data) -> bool:
    """Whether inputs are points of a plane."""
    return data.shape == (2,)


def is_drawable(data: Data) -> bool:
    """Whether inputs are grey images, which a pointer can draw."""
    return len(data.shape) == 3 and data.shape[0] == 1


def found(data: Data, name: str) -> Input:
    """The input of this name; ValueError, saying what is allowed, if the data has none."""
    text = name.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return test_input(data, int(text))
    if is_planar(data):
        return point(data, text)
    if is_drawable(data) and text.startswith("d"):
        return Input(text, _drawn(text, data))
    raise ValueError(f"an input must be {_allowed(data)}, got {short(text)}")


def reader(data: Data) -> Callable[[str], str]:
    """A reader of names of inputs for a table of controls: the name as it is usually written, or ValueError."""
    return lambda text: found(data, text).name


def test_input(data: Data, index: int) -> Input:
    """Test input number `index`; ValueError if there are not so many."""
    if index >= len(data.x_test):
        raise ValueError(f"the test inputs have numbers 0 to {len(data.x_test) - 1}, got {index}")
    return Input(str(index), data.x_test[index], index, int(data.labels_test[index]))


def point(data: Data, text: str) -> Input:
    """The point that two numbers name; ValueError outside the data box, but for the rounding of a hand on its edge."""
    try:
        x, y = (float(word) for word in text.split(","))
    except ValueError:
        x = y = float("nan")
    if not (np.isfinite(x) and np.isfinite(y)):
        raise ValueError(f"an input must be {_allowed(data)}, got {short(text)}")
    low, high = data.box
    if not all(low - ROUNDING * (high - low) <= value <= high + ROUNDING * (high - low) for value in (x, y)):
        raise ValueError(f"both coordinates of a point must lie between {low:g} and {high:g} here, got {short(text)}")
    inside = [round(min(max(value, low), high), DECIMALS) + 0.0 for value in (x, y)]
    return Input(",".join(f"{value:g}" for value in inside), np.array(inside, dtype=np.float32))


def drawing(data: Data, levels: str) -> str:
    """The name of the drawing whose pixels are these hexadecimal digits, row by row; ValueError if they do not fit.

    Two pixels share a byte; the bytes are deflated and written in base 64.
    """
    n = prod(data.shape)
    if not (is_drawable(data) and re.fullmatch(r"[0-9a-f]+", levels) and len(levels) == n):
        raise ValueError(f"a drawing here has {n} pixels, hexadecimal digits each, got {short(levels)}")
    packed = bytes.fromhex(levels + "0" * (n % 2))
    squeezed = zlib.compressobj(9, zlib.DEFLATED, RAW)
    return "d" + urlsafe_b64encode(squeezed.compress(packed) + squeezed.flush()).decode().rstrip("=")


def levels(data: Data, name: str) -> np.ndarray:
    """The pixels 0..15 of a drawing's name, uint8 of the data's shape; ValueError if it is none of this shape."""
    n = prod(data.shape)
    code = name[1:]
    try:
        if len(code) > LONGEST:
            raise ValueError("too long")
        unsqueezed = zlib.decompressobj(RAW)
        packed = unsqueezed.decompress(urlsafe_b64decode(code + "=" * (-len(code) % 4)), (n + 1) // 2 + 1)
    except (ValueError, Base64Error, zlib.error) as error:
        raise ValueError(f"this is no drawing: {short(name)}") from error
    if len(packed) != (n + 1) // 2 or not unsqueezed.eof:
        raise ValueError(f"this drawing has not the {' × '.join(map(str, data.shape[1:]))} pixels of the data")
    pairs = np.frombuffer(packed, dtype=np.uint8)
    return np.stack([pairs >> 4, pairs & 15], axis=1).ravel()[:n].reshape(data.shape)


def _drawn(name: str, data: Data) -> np.ndarray:
    low, high = data.box
    return (low + (high - low) * levels(data, name) / DARKEST).astype(np.float32)


def _allowed(data: Data) -> str:
    number = f"the number of a test input, 0 to {len(data.x_test) - 1}"
    if is_planar(data):
        return f"{number}, or a point such as 0.5,-0.2"
    return f"{number}, or a drawing" if is_drawable(data) else number
