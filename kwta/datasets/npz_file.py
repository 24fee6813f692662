"""Arrays from an .npz file, as numpy.savez writes it.

Inputs are x_train and x_test with labels_train and labels_test, or x with labels, to be split; y may stand for
labels. Inputs are [n, d] points or vectors, [n, H, W] grey images or [n, C, H, W]; bytes (uint8) are divided by 255.
Labels are whole numbers, truth values or words, [n] or [n, 1]. Optional: `classes`, the names of the labels 0, 1,
..., without which the classes are the labels that occur; and `box`, (low, high), without which it is [0, 1] if that
holds all inputs and otherwise their range.
"""

import tokenize
import zipfile
import zlib
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from kwta.datasets import files
from kwta.datasets.data import Data, check_n_classes, covering, divided
from kwta.datasets.images import unit
from kwta.datasets.specs import NpzFile

SPLIT = ("x_train", "labels_train", "x_test", "labels_test")
WHOLE = ("x", "labels")
ALIASES = {"y": "labels", "y_train": "labels_train", "y_test": "labels_test"}
OPTIONAL = ("classes", "box")
NEEDED = f"{', '.join(SPLIT)}, or {' and '.join(WHOLE)}"
MAX_BYTES = 4 << 30  # unpacked; a small file can announce any size
VALUE_BYTES = 4  # of an input in the end: bytes become 32-bit floats
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # NumPy's; others may ask for gigabytes to unpack anything
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
CHANNELS = (1, 3, 4)

Arrays = dict[str, ndarray]


def data(spec: NpzFile) -> Data:
    """The arrays of the file `spec.path`; ValueError, naming the file, for one that does not hold a data set."""
    with files.opened(spec.path, spec.digest) as file:
        return _data(file, spec, MAX_BYTES)


def from_npz(file: files.Handed, name: str, seed: int = 0, max_bytes: int = MAX_BYTES) -> Data:
    """The arrays of an open file or its bytes, as `data` reads them.

    Their spec has `name` as its path and the content's digest, so uploads of one name never pass for each other.

    Raises ValueError as `data` does. Arrays of more than `max_bytes`, with values of one or two bytes counted as the
    32-bit floats that they become, are refused by their headers, before any of them is unpacked.
    """
    stream = files.stream(file, name)
    return _data(stream, NpzFile(name, seed, files.sha256(stream)), max_bytes)


def _data(file: Any, spec: NpzFile, max_bytes: int) -> Data:
    arrays = _arrays(file, spec.path, max_bytes)
    parts = ("_train", "_test") if "x_train" in arrays else ("",)
    inputs = [_inputs(arrays[f"x{part}"], f"{spec.path}: x{part}") for part in parts]
    labels = [_labels(arrays[f"labels{part}"], f"{spec.path}: labels{part}") for part in parts]
    classes, labels = _classified(labels, arrays.get("classes"), spec.path)
    box = _box(inputs, arrays.get("box"), spec.path)
    if len(parts) == 1:
        return divided(spec, inputs[0], labels[0], classes, box)
    return Data(spec, inputs[0], labels[0], inputs[1], labels[1], classes, box)


def _arrays(file: Any, where: str, max_bytes: int) -> Arrays:
    """The file's arrays under their canonical names, never unpickling anything."""
    try:
        if not zipfile.is_zipfile(file):
            raise ValueError(f"it is damaged or was not written by numpy.savez; needed are {NEEDED}")
        with zipfile.ZipFile(file) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            wanted = {name: members[key] for name, key in _names(list(members)).items()}
            _check_size(sum(member.file_size for member in wanted.values()), max_bytes)
            _check_size(sum(_n_bytes(archive, member) for member in wanted.values()), max_bytes)
            return {name: _array(archive, member) for name, member in wanted.items()}
    except (
        ValueError,
        KeyError,
        EOFError,
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        SyntaxError,
        MemoryError,
        tokenize.TokenError,
    ) as problem:
        raise ValueError(f"{where} is no NPZ file with a data set: {problem}") from problem


def _check_size(n_bytes: int, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        raise ValueError(f"it unpacks to {n_bytes:,} bytes, and at most {max_bytes:,} are read")


def _n_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """What an array will take in memory, by its header alone."""
    key = member.filename.removesuffix(".npy")
    if member.compress_type not in METHODS:
        raise ValueError(f"its {key} is compressed in a way that numpy.savez_compressed does not use")
    with archive.open(member) as stream:
        if stream.read(np.lib.format.MAGIC_LEN)[:-2] != np.lib.format.MAGIC_PREFIX:
            raise ValueError(f"its {key} is not an array")
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in HEADERS:
            raise ValueError(f"its {key} is in version {'.'.join(map(str, version))} of the npy format, not 1.0 or 2.0")
        shape, _, dtype = HEADERS[version](stream)
    if min(shape, default=0) < 0:
        raise ValueError(f"its {key} has the shape {shape}")
    return prod(shape) * max(dtype.itemsize, VALUE_BYTES)


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> ndarray:
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _names(keys: list[str]) -> dict[str, str]:
    """Canonical name -> key in the file, for one of the two layouts."""
    found = {canonical: key for key, canonical in ALIASES.items() if key in keys} | {key: key for key in keys}
    for layout in (SPLIT, WHOLE):
        if set(layout) <= set(found):
            return {name: key for name, key in found.items() if name in (*layout, *OPTIONAL)}
    raise ValueError(f"it holds {', '.join(keys) or 'nothing'}; needed are {NEEDED}")


def _inputs(x: ndarray, where: str) -> ndarray:
    if x.dtype == np.uint8:
        x = unit(x)
    if x.ndim == 3:
        x = x[:, None]
    if x.ndim not in (2, 4):
        raise ValueError(f"{where} has shape {x.shape}; needed is [n, d], [n, H, W] or [n, C, H, W]")
    if x.ndim == 4 and x.shape[1] not in CHANNELS and x.shape[3] in CHANNELS:
        raise ValueError(
            f"{where} has shape {x.shape}, its channels last; they come second here: x.transpose(0, 3, 1, 2)"
        )
    return x


def _labels(labels: ndarray, where: str) -> ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"{where} has shape {labels.shape}; needed is one label for each example, [n] or [n, 1]")
    if labels.dtype.kind == "f" and np.isfinite(labels).all() and (labels == np.rint(labels)).all():
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iubU":
        raise ValueError(
            f"{where} holds {labels.dtype} values, {labels[0]!r} first; labels are whole numbers, truth values or words"
        )
    return labels.astype(np.int64) if labels.dtype.kind == "u" else labels


def _classified(labels: list[ndarray], names: ndarray | None, where: str) -> tuple[tuple[str, ...], list[ndarray]]:
    """(classes, labels 0..n_classes − 1): by the file's names for them, or else by the distinct labels in order."""
    if len({part.dtype.kind == "U" for part in labels}) > 1:
        kinds = " and ".join(str(part.dtype) for part in labels)
        raise ValueError(f"{where}: training and test labels are {kinds}; both must be numbers or both words")
    together = np.concatenate(labels)
    if names is None:
        distinct = np.unique(together)
        check_n_classes(len(distinct), where)
        return tuple(map(str, distinct.tolist())), [np.searchsorted(distinct, part) for part in labels]
    if names.ndim != 1:
        raise ValueError(f"{where}: classes has shape {names.shape}; needed is one name for each class")
    check_n_classes(len(names), where)
    classes = tuple(map(str, names.tolist()))
    if together.dtype.kind != "U":
        return classes, [part.astype(np.int64) for part in labels]
    distinct = np.unique(together)
    if len(unknown := np.setdiff1d(distinct, classes)):
        raise ValueError(f"{where}: the label {str(unknown[0])!r} is none of the classes {', '.join(classes)}")
    place = np.array([classes.index(word) for word in distinct.tolist()])
    return classes, [place[np.searchsorted(distinct, part)] for part in labels]


def _box(inputs: list[ndarray], box: ndarray | None, where: str) -> tuple[float, float]:
    if box is not None:
        if box.shape != (2,) or box.dtype.kind not in "fiu":
            raise ValueError(f"{where}: box is {box.dtype} of shape {box.shape}; needed are two numbers, (low, high)")
        return float(box[0]), float(box[1])
    if any(not x.size or x.dtype.kind not in "fiub" for x in inputs):
        return 0.0, 1.0  # such inputs are refused at the door of Data, with the reason
    low, high = float(min(x.min() for x in inputs)), float(max(x.max() for x in inputs))
    if not np.isfinite([low, high]).all() or (low >= 0 and high <= 1):
        return 0.0, 1.0
    return covering(low, high)
