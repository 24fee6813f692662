"""A data set as arrays, checked at the door."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from numpy import ndarray

from kwta.datasets.specs import MAX_CLASSES, Spec
from kwta.datasets.split import stratified


@dataclass(frozen=True, eq=False, init=False)
class Data:
    """Examples x with class labels, split into training and test, and the spec they follow from.

    x is float32 of shape [n, *shape] (images: C, H, W), labels are int64 in 0..n_classes − 1, `classes` their names,
    `box` the (low, high) that bounds every coordinate: the data box of slices and attacks. The arrays are read-only
    views, so that a cache can hand one copy to many readers; torch.tensor(data.x_train) makes a copy to work on.
    """

    spec: Spec
    x_train: Float32[ndarray, "train *shape"]
    labels_train: Int64[ndarray, " train"]
    x_test: Float32[ndarray, "test *shape"]
    labels_test: Int64[ndarray, " test"]
    classes: tuple[str, ...]
    box: tuple[float, float]

    def __init__(
        self,
        spec: Spec,
        x_train: ndarray,
        labels_train: ndarray,
        x_test: ndarray,
        labels_test: ndarray,
        classes: tuple[str, ...],
        box: tuple[float, float],
    ) -> None:
        """Take inputs of any real type and whole-numbered labels, checked and converted.

        Raises ValueError, naming the spec's file or kind, for empty arrays, lengths or shapes that do not fit, values
        that are not finite or lie outside the box, labels without a class, and fewer than two classes among the
        training labels.
        """
        where = origin(spec)
        _check_classes(classes, where)
        _check_box(box, where)
        self._set(spec=spec, classes=classes, box=(float(box[0]), float(box[1])))
        self._set(**_part("train", x_train, labels_train, classes, box, where))
        self._set(**_part("test", x_test, labels_test, classes, box, where))
        if self.x_test.shape[1:] != self.shape:
            both = f"training inputs have shape {self.shape}, test {self.x_test.shape[1:]}"
            raise ValueError(f"{where}: {both}; both must agree")
        if (self.labels_train == self.labels_train[0]).all():
            only = classes[self.labels_train[0]]
            raise ValueError(f"{where}: every training label is {only!r}; learning needs at least two classes")

    def _set(self, **fields: object) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one input."""
        return self.x_train.shape[1:]

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)


def divided(spec: Spec, x: ndarray, labels: ndarray, classes: tuple[str, ...], box: tuple[float, float]) -> Data:
    """Data from one set of examples, split 80/20 within each class by the spec's seed.

    Raises ValueError as Data does, and if no class has the two examples that a test takes.
    """
    where = origin(spec)
    _check_classes(classes, where)
    x, labels = _inputs(x, f"{where}: x"), _labels(labels, f"{where}: labels", classes)
    if len(x) != len(labels):
        raise ValueError(f"{where}: there are {len(x)} examples but {len(labels)} labels; each needs one label")
    train, test = stratified(labels, np.random.default_rng(getattr(spec, "seed", 0)))
    if not len(test):
        raise ValueError(
            f"{where}: none of the {len(classes)} classes has two examples; at least one must, to train and to test"
        )
    return Data(spec, x[train], labels[train], x[test], labels[test], classes, box)


def covering(low: float, high: float) -> tuple[float, float]:
    """The data box of values from low to high: these, or from low to low + max(1, |low|) where they are equal."""
    return low, high if high > low else low + max(1.0, abs(low))


def check_n_classes(n_classes: int, where: str) -> None:
    """Raise ValueError, naming the number, for more classes than can be told apart; readers ask before they go on."""
    if n_classes > MAX_CLASSES:
        raise ValueError(f"{where} has {n_classes} classes; at most {MAX_CLASSES} can be told apart")


def origin(spec: Spec) -> str:
    """Where a set comes from, for messages: its file, its name, or its kind."""
    return str(getattr(spec, "path", None) or getattr(spec, "name", None) or getattr(spec, "shape", None) or spec.kind)


def _read_only(values: ndarray, dtype: type[np.generic]) -> ndarray:
    """A read-only, contiguous view of `values` as `dtype`, copied only where it must be."""
    with np.errstate(over="ignore"):  # what float32 cannot hold turns infinite, and infinite values are refused
        view = np.ascontiguousarray(values, dtype=dtype).view()
    view.setflags(write=False)
    return view


def _part(
    part: str, x: ndarray, labels: ndarray, classes: tuple[str, ...], box: tuple[float, float], where: str
) -> dict[str, ndarray]:
    """The checked inputs and labels of the training or test part, under the names of Data's fields."""
    inputs = _inputs(x, f"{where}: x_{part}")
    targets = _labels(labels, f"{where}: labels_{part}", classes)
    if len(inputs) != len(targets):
        lengths = f"x_{part} has {len(inputs)} examples but labels_{part} has {len(targets)}"
        raise ValueError(f"{where}: {lengths}; each needs one label")
    _check_inside(inputs, f"{where}: x_{part}", box)
    return {f"x_{part}": inputs, f"labels_{part}": targets}


def _inputs(array: ndarray, where: str) -> ndarray:
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{where} holds {array.dtype.name} values; real numbers are needed")
    if array.ndim < 2 or not array.size:
        raise ValueError(
            f"{where} has shape {array.shape}; at least one example and one value for each is needed: [n, ...]"
        )
    x = _read_only(array, np.float32)
    # The extremes carry any NaN, at a fraction of the cost and memory of np.isfinite.
    if not (math.isfinite(x.min()) and math.isfinite(x.max())):
        place = np.unravel_index(int(np.argmin(np.isfinite(x))), x.shape)
        at = ", ".join(str(int(index)) for index in place)
        raise ValueError(
            f"{where}[{at}] is {array[place]}; every value must be finite and within the range of 32-bit floats"
        )
    return x


def _check_inside(x: ndarray, where: str, box: tuple[float, float]) -> None:
    low, high = np.float32(box[0]), np.float32(box[1])  # rounding is monotone, so what lay inside still does
    for value in (x.min(), x.max()):
        if not low <= value <= high:
            raise ValueError(f"{where} holds {value}, outside the data box [{box[0]}, {box[1]}]")


def _labels(array: ndarray, where: str, classes: tuple[str, ...]) -> ndarray:
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{where} has shape {array.shape}; one label for each of at least one example is needed: [n]")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{where} holds {array.dtype.name} values; whole numbers are needed")
    outside = (array < 0) | (array >= len(classes))
    if outside.any():
        first = int(np.argmax(outside))
        raise ValueError(
            f"{where}[{first}] is {array[first]}; labels must lie in 0..{len(classes) - 1} for {len(classes)} classes"
        )
    return _read_only(array, np.int64)


def _check_classes(names: tuple[str, ...], where: str) -> None:
    check_n_classes(len(names), where)
    if not all(name.strip() for name in names):
        raise ValueError(f"{where}: classes must have names, got {names!r}")
    if len(names) < 2:
        found = f"the only class is {names[0]!r}" if names else "there is no class"
        raise ValueError(f"{where}: {found}; learning needs at least two classes")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{where}: the class {twice!r} is named twice; names must differ")


def _check_box(box: tuple[float, float], where: str) -> None:
    low, high = box
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"{where}: the data box must be two finite numbers, low below high, got {box!r}")
