"""The four public image sets: files to arrays, whole or a balanced selection."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from numpy import ndarray

from kwta.datasets import cifar, idx, svhn
from kwta.datasets.data import Data
from kwta.datasets.sources import SOURCES, Source, located
from kwta.datasets.specs import Images
from kwta.datasets.split import balanced

WHITE = np.float32(255)

Part = tuple[UInt8[ndarray, "_n c h w"], Int64[ndarray, " _n"]]  # each part has its own n


def data(spec: Images, source: Source | None = None, progress: bool = False) -> Data:
    """The set of `spec` with pixels p/255 in [0, 1], from `source` or else the set's own.

    Raises DownloadError if a file cannot be had, ValueError if one is damaged or holds fewer images than asked for.
    """
    paths = located(source or SOURCES[spec.name], progress)
    train, test = READERS[spec.name](paths)
    x_train, labels_train = _selected(train, spec.train, f"{spec.name}, training", (spec.seed, 0))
    x_test, labels_test = _selected(test, spec.test, f"{spec.name}, test", (spec.seed, 1))
    return Data(spec, x_train, labels_train, x_test, labels_test, CLASSES[spec.name], (0.0, 1.0))


def unit(pixels: UInt8[ndarray, "*shape"]) -> Float32[ndarray, "*shape"]:
    """p/255, in one pass and C order."""
    return np.divide(pixels, WHITE, dtype=np.float32, order="C")


def _selected(
    part: Part, size: int | None, where: str, seed: tuple[int, int]
) -> tuple[Float32[ndarray, "n c h w"], Int64[ndarray, " n"]]:
    pixels, labels = part
    if len(pixels) != len(labels):
        raise ValueError(f"{where}: there are {len(pixels)} images but {len(labels)} labels; each image needs one")
    if size is None:
        return unit(pixels), labels
    if size > len(labels):
        raise ValueError(f"{where}: {size} images wanted, but the files hold {len(labels)}")
    chosen = balanced(
        labels, size, np.random.default_rng(seed)
    )  # before the conversion, which takes four times the memory
    return unit(pixels[chosen]), labels[chosen]


def _idx_parts(paths: tuple[Path, ...]) -> tuple[Part, Part]:
    train_images, train_labels, test_images, test_labels = paths
    return _idx_part(train_images, train_labels), _idx_part(test_images, test_labels)


def _idx_part(images: Path, labels: Path) -> Part:
    pixels = idx.read(images, 3)
    if pixels.shape[1:] != (28, 28):
        raise ValueError(f"{images} holds images of {pixels.shape[1]}×{pixels.shape[2]} pixels; this set has 28×28")
    return pixels[:, None], idx.read(labels, 1).astype(np.int64)


def _svhn_parts(paths: tuple[Path, ...]) -> tuple[Part, Part]:
    train, test = paths
    return svhn.read(train), svhn.read(test)


def _cifar_parts(paths: tuple[Path, ...]) -> tuple[Part, Part]:
    (archive,) = paths
    return cifar.read(archive)


READERS: dict[str, Callable[[tuple[Path, ...]], tuple[Part, Part]]] = {
    "mnist": _idx_parts,
    "fashion-mnist": _idx_parts,
    "cifar10": _cifar_parts,
    "svhn": _svhn_parts,
}
DIGITS = tuple("0123456789")
CLASSES = {
    "mnist": DIGITS,
    "fashion-mnist": (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "svhn": DIGITS,
}
