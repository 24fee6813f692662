"""What determines a data set: one frozen, hashable, serialisable value for each kind."""

import math
import operator
import os
from dataclasses import dataclass
from typing import Literal, get_args

from kwta.seeds import MAX_SEED

Shape = Literal["moons", "circles", "spirals", "checkerboard", "gaussians", "xor"]
Name = Literal["mnist", "fashion-mnist", "cifar10", "svhn"]

SHAPES: tuple[str, ...] = get_args(Shape)
IMAGES: tuple[str, ...] = get_args(Name)

# Images in the official files, training and test.
IMAGE_COUNTS = {
    "mnist": (60_000, 10_000),
    "fashion-mnist": (60_000, 10_000),
    "cifar10": (50_000, 10_000),
    "svhn": (73_257, 26_032),
}
IMAGE_CLASSES = 10  # in each of the four

MULTICLASS_SHAPES = ("spirals", "gaussians")
MAX_CLASSES = 100  # of any set: more distinct labels are measurements; whoever draws them may count on fewer than 256
MAX_CLASSES_OF_POINTS = 10  # more clouds or arms would overlap at any noise
MIN_POINTS_PER_CLASS = 10  # so that each class has two test points
MAX_POINTS = 1_000_000  # what a page can still train on and draw
MAX_NOISE = 10.0  # ten times the set itself; nothing of it is left to see
MAX_SIDE = 1024  # pixels of an image folder's images


def _whole(what: str, value: object, low: int, high: int) -> int:
    """`value` as an int, if it is a whole number in [low, high]; ValueError otherwise."""
    allowed = f"a whole number from {low} to {high}" if low < high else str(low)
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or not low <= number <= high:
        raise ValueError(f"{what} must be {allowed}, got {value!r}")
    return number


def _choice(what: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{what} must be one of {', '.join(allowed)}, got {value!r}")


def _switch(what: str, value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{what} must be True or False, got {value!r}")


def _path(value: object) -> str:
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or not path.strip() or "\0" in path:
        raise ValueError(f"path must be the name of a file or folder, got {value!r}")
    return path


def _digest(value: str | None) -> None:
    if value is not None and (len(value) != 64 or set(value) - set("0123456789abcdef")):
        raise ValueError(f"digest must be a SHA-256 in 64 lower-case hexadecimal digits, got {value!r}")


def _settle(spec: object, field: str, value: object) -> None:
    """Give a frozen spec's field its canonical value, so that equal specs hash and print alike."""
    object.__setattr__(spec, field, value)


@dataclass(frozen=True)
class Points:
    """A made 2-D set of `size` points in `classes` classes; `kwta.datasets.points` has the formulas.

    Without noise every set fits [−1, 1]²; `noise` is the standard deviation, in the same units, of the normal
    displacement added to each coordinate, cut off at three times itself. Hence the data box [−1 − 3 noise, 1 + 3
    noise]².
    """

    shape: Shape
    size: int = 1000
    noise: float = 0.1
    seed: int = 0
    classes: int = 2
    kind: Literal["points"] = "points"

    def __post_init__(self) -> None:
        _choice("shape", self.shape, SHAPES)
        most = MAX_CLASSES_OF_POINTS if self.shape in MULTICLASS_SHAPES else 2
        _settle(self, "classes", _whole(f"classes of {self.shape}", self.classes, 2, most))
        _settle(self, "size", _whole("size", self.size, MIN_POINTS_PER_CLASS * self.classes, MAX_POINTS))
        try:
            noise = float(self.noise)
        except (TypeError, ValueError):
            noise = math.nan
        if not 0 <= noise <= MAX_NOISE:
            raise ValueError(f"noise must be a number from 0 to {MAX_NOISE:g}, got {self.noise!r}")
        _settle(self, "noise", noise + 0.0)  # -0.0 becomes 0.0
        _settle(self, "seed", _whole("seed", self.seed, 0, MAX_SEED))


@dataclass(frozen=True)
class Digits:
    """The 1,797 digits of 8×8 pixels that ship with scikit-learn; `seed` decides the split into training and test."""

    seed: int = 0
    kind: Literal["digits"] = "digits"

    def __post_init__(self) -> None:
        _settle(self, "seed", _whole("seed", self.seed, 0, MAX_SEED))


@dataclass(frozen=True)
class Images:
    """A public image set with its official split; `train` and `test` keep that many images of each part.

    A selection's classes are balanced as far as possible. With one seed a smaller selection is part of every larger
    one. None keeps all.
    """

    name: Name
    train: int | None = None
    test: int | None = None
    seed: int = 0
    kind: Literal["images"] = "images"

    def __post_init__(self) -> None:
        _choice("name", self.name, IMAGES)
        for field, most in zip(("train", "test"), IMAGE_COUNTS[self.name], strict=True):
            wanted = getattr(self, field)
            if wanted is not None:
                _settle(self, field, _whole(f"{field} of {self.name}", wanted, IMAGE_CLASSES, most))
        _settle(self, "seed", _whole("seed", self.seed, 0, MAX_SEED))


@dataclass(frozen=True)
class CsvPoints:
    """2-D points with labels from a text table; `kwta.datasets.csv_points` says what such a file may look like.

    `scaled` maps each coordinate onto [−1, 1]; otherwise the file's units stay. `seed` decides the split. `digest`,
    if given, is the SHA-256 of the file, and any other content is refused: so the spec of an upload names its very
    points.
    """

    path: str
    seed: int = 0
    scaled: bool = True
    digest: str | None = None
    kind: Literal["csv"] = "csv"

    def __post_init__(self) -> None:
        _settle(self, "path", _path(self.path))
        _settle(self, "seed", _whole("seed", self.seed, 0, MAX_SEED))
        _switch("scaled", self.scaled)
        _digest(self.digest)


@dataclass(frozen=True)
class NpzFile:
    """Arrays from an .npz file; `kwta.datasets.npz_file` says which. `seed` splits what the file does not."""

    path: str
    seed: int = 0
    digest: str | None = None
    kind: Literal["npz"] = "npz"

    def __post_init__(self) -> None:
        _settle(self, "path", _path(self.path))
        _settle(self, "seed", _whole("seed", self.seed, 0, MAX_SEED))
        _digest(self.digest)


@dataclass(frozen=True)
class ImageFolder:
    """Images in one subfolder per class, brought to `size` = (height, width); see `kwta.datasets.image_folder`."""

    path: str
    size: tuple[int, int] = (32, 32)
    grey: bool = False
    seed: int = 0
    kind: Literal["folder"] = "folder"

    def __post_init__(self) -> None:
        _settle(self, "path", _path(self.path))
        if not isinstance(self.size, tuple) or len(self.size) != 2:
            raise ValueError(f"size must be (height, width), got {self.size!r}")
        height, width = (
            _whole(what, side, 1, MAX_SIDE) for what, side in zip(("height", "width"), self.size, strict=True)
        )
        _settle(self, "size", (height, width))
        _switch("grey", self.grey)
        _settle(self, "seed", _whole("seed", self.seed, 0, MAX_SEED))


@dataclass(frozen=True)
class ImageZip:
    """Such a folder as a ZIP file; see `kwta.datasets.image_zip`. `digest`, if given, is the SHA-256 of the file."""

    path: str
    size: tuple[int, int] = (32, 32)
    grey: bool = False
    seed: int = 0
    digest: str | None = None
    kind: Literal["zip"] = "zip"

    def __post_init__(self) -> None:
        folder = ImageFolder(self.path, self.size, self.grey, self.seed)
        for field in ("path", "size", "seed"):
            _settle(self, field, getattr(folder, field))
        _digest(self.digest)


Spec = Points | Digits | Images | CsvPoints | NpzFile | ImageFolder | ImageZip
KINDS: dict[str, type] = {spec.kind: spec for spec in get_args(Spec)}
