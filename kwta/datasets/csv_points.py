"""2-D points with labels from a text table.

One point a line: two coordinates and a label, separated by commas, semicolons, tabs, bars or spaces, whichever the
first line shows. A first line of names is optional; a column named label, class or target may then stand anywhere,
otherwise the label comes last. Labels are any words; if all are numbers the classes go in numerical order, else in
alphabetical. Empty lines and those that start with # are skipped. Between semicolons or tabs, 0,5 is read as 0.5.
"""

import csv
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from kwta.datasets import files
from kwta.datasets.data import Data, check_n_classes, covering, divided
from kwta.datasets.specs import MAX_POINTS, CsvPoints

SEPARATORS = ("\t", ";", "|", ",", None)  # None is any run of spaces; the comma may be a decimal one, so it comes late
LABEL_NAMES = ("label", "labels", "class", "target")
FLOAT32_MAX = float(np.finfo(np.float32).max)

Row = tuple[int, list[str]]  # line number, fields


def data(spec: CsvPoints) -> Data:
    """The points of the file `spec.path`, split 80/20 within each class; ValueError, with the line, for bad ones."""
    with files.opened(spec.path, spec.digest) as file:
        return _data(file, spec)


def from_csv(file: files.Handed, name: str, seed: int = 0, scaled: bool = True) -> Data:
    """The points of an open file or its bytes, as `data` reads them.

    Their spec has `name` as its path and the content's digest, so uploads of one name never pass for each other.
    """
    stream = files.stream(file, name)
    return _data(stream, CsvPoints(name, seed, scaled, files.sha256(stream)))


def _data(file: Any, spec: CsvPoints) -> Data:
    x, words = table(_text(file.read(), spec.path), spec.path)
    classes, labels = classified(words, spec.path)
    if spec.scaled:
        return divided(spec, scaled(x), labels, classes, (-1.0, 1.0))
    return divided(spec, x, labels, classes, covering(float(x.min()), float(x.max())))


def table(text: str, where: str) -> tuple[Float64[ndarray, "n 2"], list[str]]:
    """(coordinates, label words) of every line; ValueError with its number for one that is no point with a label."""
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        raise ValueError(f"{where} is empty; one point a line is needed: two coordinates and a label")
    if len(lines) > MAX_POINTS:
        raise ValueError(f"{where} has {len(lines)} lines; at most {MAX_POINTS} points can be read")
    separator = _separator(lines[0], where)
    rows = [(number, _fields(number, line, separator, where)) for number, line in lines]
    label, header = _layout(rows[0], separator)
    rows = rows[1:] if header else rows
    if not rows:
        raise ValueError(f"{where} has a line of names but no points")
    columns = [column for column in range(3) if column != label]
    x = np.array([[_number(number, fields[column], separator, where) for column in columns] for number, fields in rows])
    return x, [_word(number, fields[label], where) for number, fields in rows]


def classified(words: list[str], where: str) -> tuple[tuple[str, ...], Int64[ndarray, " n"]]:
    """(classes, label of each word): the distinct words, in numerical order if all are numbers, else alphabetical."""
    distinct = set(words)
    check_n_classes(len(distinct), where)
    try:
        classes = tuple(sorted(distinct, key=lambda word: (float(word), word)))
    except ValueError:
        classes = tuple(sorted(distinct))
    place = {word: label for label, word in enumerate(classes)}
    return classes, np.array([place[word] for word in words], dtype=np.int64)


def scaled(x: Float64[ndarray, "n 2"]) -> Float64[ndarray, "n 2"]:
    """2(x − min)/(max − min) − 1 in each coordinate; a coordinate that never changes becomes 0."""
    low, high = x.min(axis=0), x.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    return np.where(high > low, 2 * ((x - low) / span) - 1, 0.0)


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"{where} is not UTF-8 text (byte {problem.start}); save it as CSV in UTF-8") from problem


def _separator(first: tuple[int, str], where: str) -> str | None:
    number, line = first
    for separator in SEPARATORS:
        if len(_fields(number, line, separator, where, any_count=True)) == 3:
            return separator
    raise ValueError(
        f"{where}, line {number}: {_short(line)} is not three fields; two coordinates and a label are needed, "
        "separated by commas, semicolons, tabs, bars or spaces"
    )


def _fields(number: int, line: str, separator: str | None, where: str, any_count: bool = False) -> list[str]:
    if separator is None:
        fields = line.split()
    else:
        try:
            fields = next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=not any_count))
        except csv.Error as problem:
            raise ValueError(f"{where}, line {number}: {problem} in {_short(line)}") from problem
    if len(fields) != 3 and not any_count:
        raise ValueError(
            f"{where}, line {number}: {len(fields)} fields in {_short(line)}; needed are two coordinates and a label"
        )
    return [field.strip() for field in fields]


def _layout(first: Row, separator: str | None) -> tuple[int, bool]:
    """(column of the label, whether the first line holds names)."""
    fields = [field.lower() for field in first[1]]
    if any(_parsed(field, separator) is not None for field in fields[:2]):
        return 2, False
    named = [column for column, field in enumerate(fields) if field in LABEL_NAMES]
    return (named[0] if len(named) == 1 else 2), True


def _number(number: int, field: str, separator: str | None, where: str) -> float:
    value = _parsed(field, separator)
    if value is None or not abs(value) <= FLOAT32_MAX:
        raise ValueError(
            f"{where}, line {number}: {_short(field)} is not a finite number; coordinates are finite 32-bit floats"
        )
    return value


def _parsed(field: str, separator: str | None) -> float | None:
    """The number in a field, NaN and infinities included, or None."""
    if separator in (";", "\t") and "." not in field:
        field = field.replace(",", ".", 1)
    try:
        return None if "_" in field else float(field)
    except ValueError:
        return None


def _word(number: int, field: str, where: str) -> str:
    if not field or field.lower() == "nan":
        raise ValueError(f"{where}, line {number}: the label is {field!r}; each point needs one")
    return field


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
