"""Data sets by name, loaded once for all viewers."""

from dataclasses import dataclass, replace
from math import prod

import streamlit as st

from app.compute import Unusable, uploads
from kwta.datasets import NAMES, Data, DownloadError, Images, Points, Spec, load, named, sources
from kwta.datasets.sources import SOURCES
from kwta.datasets.specs import SHAPES

# Of a public image set a page uses a class-balanced part: 12,000 CIFAR images are 150 MB, all of them 740 MB.
TRAIN_IMAGES, TEST_IMAGES = 12_000, 2_000
# Data sets kept in memory at a time, over all viewers.
KEPT = 6
MEGABYTES = {"mnist": 12, "fashion-mnist": 31, "cifar10": 170, "svhn": 246}


class DataError(Unusable):
    """A data set that cannot be had; the message says why and what to do."""


@dataclass(frozen=True)
class Outline:
    """What a network must know of a data set: the shape of one input and the number of classes."""

    shape: tuple[int, ...]
    n_classes: int

    @property
    def inputs(self) -> int:
        """Entries of one input."""
        return prod(self.shape)


OUTLINES = (
    {name: Outline((2,), 2) for name in SHAPES}
    | {"digits": Outline((1, 8, 8), 10)}
    | {name: Outline((1, 28, 28), 10) for name in ("mnist", "fashion-mnist")}
    | {name: Outline((3, 32, 32), 10) for name in ("cifar10", "svhn")}
)


def is_made(name: str) -> bool:
    """Whether a data set is one of the 2-D sets, which are drawn at random."""
    return name.partition("@")[0] in SHAPES


def noisy(name: str, noise: float) -> str:
    """The name of a 2-D set with this noise; other names stay.

    >>> noisy("moons", 0.2), noisy("digits", 0.2)
    ('moons@0.2', 'digits')
    """
    return f"{name}@{noise:g}" if is_made(name) else name


def spec(name: str) -> Spec:
    """The spec of a built-in data set, as the app uses it; DataError for any other name.

    A 2-D set may carry its noise: `moons@0.2`. Files are not opened by name: a link must not read the disk of the
    machine that serves it.
    """
    base, _, noise = name.partition("@")
    try:
        found = named(base, files=False)
        if noise and isinstance(found, Points):
            found = replace(found, noise=float(noise))
    except ValueError as error:
        raise DataError(str(error)) from error
    return replace(found, train=TRAIN_IMAGES, test=TEST_IMAGES) if isinstance(found, Images) else found


def outline(name: str) -> Outline:
    """Shape and classes of a data set; of a built-in one without loading it. DataError for an unknown name."""
    if uploads.is_own(name):
        own = data(name)
        return Outline(own.shape, own.n_classes)
    spec(name)
    return OUTLINES[name.partition("@")[0]]


def data(name: str) -> Data:
    """The arrays of a data set (read-only, shared by all viewers); DataError if they cannot be had."""
    try:
        if uploads.is_own(name):
            return uploads.kept(name)
        return _loaded(spec(name))
    except (ValueError, DownloadError) as error:
        raise DataError(str(error)) from error


@st.cache_resource(max_entries=KEPT, show_spinner="Loading the data …")
def _loaded(spec: Spec) -> Data:
    return load(spec)


def at_hand(name: str) -> bool:
    """Whether a built-in data set can be read without a download."""
    return name not in SOURCES or sources.at_hand(SOURCES[name])


def described(name: str) -> str:
    """The name for a list to choose from; it says where a download is needed, and drops the digest of own data.

    >>> described("digits")
    'digits'
    """
    if uploads.is_own(name):
        return uploads.title(name)
    return name if at_hand(name) else f"{name} (downloads {MEGABYTES[name]} MB)"


def title(name: str) -> str:
    """The name as a sentence says it, without noise or digest.

    >>> title("moons@0.05"), title("own-mine.csv-3f2a")
    ('moons', 'mine.csv')
    """
    return uploads.title(name) if uploads.is_own(name) else name.partition("@")[0]


__all__ = [
    "NAMES",
    "DataError",
    "Outline",
    "at_hand",
    "data",
    "described",
    "is_made",
    "noisy",
    "outline",
    "spec",
    "title",
]
