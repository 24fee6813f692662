"""Short names for data sets, as the command line and links use them, and specs from records."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from kwta.datasets.specs import (
    IMAGES,
    KINDS,
    SHAPES,
    CsvPoints,
    Digits,
    ImageFolder,
    Images,
    ImageZip,
    NpzFile,
    Points,
    Spec,
)

NAMES: tuple[str, ...] = ("digits", *IMAGES, *SHAPES)


def named(text: str, files: bool = True) -> Spec:
    """The spec, with its defaults, for a built-in name or for the path of a .csv, .npz or .zip file or an image folder.

    Built-in names come first. With `files` False only they are known: so that a link cannot name files of the machine
    that serves it. Raises ValueError with the names that are known.

    >>> named("moons")
    Points(shape='moons', size=1000, noise=0.1, seed=0, classes=2, kind='points')
    """
    name = text.strip()
    if name == "digits":
        return Digits()
    if name in IMAGES:
        return Images(name)  # type: ignore[arg-type]
    if name in SHAPES:
        return Points(name)  # type: ignore[arg-type]
    if files and (spec := _file(name)) is not None:
        return spec
    choices = (
        f"{', '.join(NAMES)}{', or the path of a .csv, .npz or .zip file or of a folder of images' if files else ''}"
    )
    raise ValueError(f"a data set must be one of {choices}; got {text!r}")


def _file(name: str) -> Spec | None:
    if name and "\0" not in name and Path(name).expanduser().is_dir():
        return ImageFolder(name)
    match Path(name).suffix.lower():
        case ".csv":
            return CsvPoints(name)
        case ".npz":
            return NpzFile(name)
        case ".zip":
            return ImageZip(name)
    return None


def from_record(record: Mapping[str, Any]) -> Spec:
    """The spec that dataclasses.asdict turned into `record`, also after a trip through JSON.

    Raises ValueError for an unknown kind, unknown or missing fields, and values the spec refuses.

    >>> from_record({"kind": "digits", "seed": 3})
    Digits(seed=3, kind='digits')
    """
    kind = record.get("kind")
    if kind not in KINDS:
        raise ValueError(f"the kind of a data set must be one of {', '.join(KINDS)}, got {kind!r}")
    known = {field.name for field in fields(KINDS[kind])}
    if strange := [name for name in record if name not in known]:
        raise ValueError(
            f"a {kind} data set has no {', '.join(map(repr, strange))}; its fields are {', '.join(sorted(known))}"
        )
    try:
        return KINDS[kind](
            **{name: tuple(value) if isinstance(value, list) else value for name, value in record.items()}
        )
    except TypeError as problem:
        raise ValueError(f"a {kind} data set cannot be made of {dict(record)!r}: {problem}") from problem
