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
from typing import Any

import numpy as np
from numpy import ndarray

from . import files
from .data import Data, covering, divided
from .images import unit
from .specs import NpzFile

SPLIT = ("x_train", "labels_train", "x_test", "labels_test")
WHOLE = ("x", "labels")
ALIASES = {"y": "labels", "y_train": "labels_train", "y_test": "labels_test"}
OPTIONAL = ("classes", "box")
MAX_BYTES = 4 << 30  # unpacked; a small file can announce any size
CHANNELS = (1, 3, 4)

Arrays = dict[str, ndarray]


def data(spec: NpzFile) -> Data:
    """The arrays of the file `spec.path`; ValueError, naming the file, for one that does not hold a data set."""
    with files.opened(spec.path, spec.digest) as file:
        return _data(file, spec)


def from_npz(file: files.Handed, name: str, seed: int = 0) -> Data:
    """The arrays of an open file or its bytes, as `data` reads them.

    Their spec has `name` as its path and the content's digest, so uploads of one name never pass for each other.
    """
    stream = files.stream(file, name)
    return _data(stream, NpzFile(name, seed, files.sha256(stream)))


def _data(file: Any, spec: NpzFile) -> Data:
    arrays = _arrays(file, spec.path)
    parts = ("_train", "_test") if "x_train" in arrays else ("",)
    inputs = [_inputs(arrays[f"x{part}"], f"{spec.path}: x{part}") for part in parts]
    labels = [_labels(arrays[f"labels{part}"], f"{spec.path}: labels{part}") for part in parts]
    classes, labels = _classified(labels, arrays.get("classes"), spec.path)
    box = _box(inputs, arrays.get("box"), spec.path)
    if len(parts) == 1:
        return divided(spec, inputs[0], labels[0], classes, box)
    return Data(spec, inputs[0], labels[0], inputs[1], labels[1], classes, box)


def _arrays(file: Any, where: str) -> Arrays:
    """The file's arrays under their canonical names, never unpickling anything."""
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"it unpacks to {size:,} bytes, and at most {MAX_BYTES:,} are read")
        file.seek(0)
        with np.load(file, allow_pickle=False) as held:
            names = _names(held.files)
            return {name: _array(held[key], key) for name, key in names.items()}
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


def _array(held: object, key: str) -> ndarray:
    if not isinstance(held, ndarray):
        raise ValueError(f"its {key} is not an array")
    return held


def _names(keys: list[str]) -> dict[str, str]:
    """Canonical name -> key in the file, for one of the two layouts."""
    found = {canonical: key for key, canonical in ALIASES.items() if key in keys} | {key: key for key in keys}
    for layout in (SPLIT, WHOLE):
        if set(layout) <= set(found):
            return {name: key for name, key in found.items() if name in (*layout, *OPTIONAL)}
    raise ValueError(
        f"it holds {', '.join(keys) or 'nothing'}; needed are {', '.join(SPLIT)}, or {' and '.join(WHOLE)}"
    )


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
        return tuple(map(str, distinct.tolist())), [np.searchsorted(distinct, part) for part in labels]
    if names.ndim != 1:
        raise ValueError(f"{where}: classes has shape {names.shape}; needed is one name for each class")
    classes = tuple(map(str, names.tolist()))
    if together.dtype.kind != "U":
        return classes, [part.astype(np.int64) for part in labels]
    if unknown := set(together.tolist()) - set(classes):
        raise ValueError(f"{where}: the label {min(unknown)!r} is none of the classes {', '.join(classes)}")
    return classes, [np.array([classes.index(word) for word in part.tolist()]) for part in labels]


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
