"""Where the public image sets come from: a folder that is given, a cache, or a download that is checked.

Checksums of MNIST and Fashion-MNIST agree with those that TensorFlow Datasets publishes (SHA-256) and torchvision
(MD5); those of CIFAR-10 and SVHN are TensorFlow Datasets'.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA_VARIABLE = "KWTA_DATA"
CACHE_VARIABLE = "KWTA_CACHE"
TIMEOUT_SECONDS = 30  # without a byte
CHUNK_BYTES = 1 << 16


class DownloadError(OSError):
    """A file of a public data set could be had from none of its mirrors; the message names each try and what to do."""


@dataclass(frozen=True)
class Source:
    """A public data set: the name of its folder, addresses ending in "/", and (file, SHA-256) in its reader's order."""

    name: str
    mirrors: tuple[str, ...]
    files: tuple[tuple[str, str], ...]


def located(source: Source, progress: bool = False) -> tuple[Path, ...]:
    """A path for each file of `source`: in the folder KWTA_DATA if it is there, else in the cache, downloaded once.

    Files in KWTA_DATA/<name>/ are taken as they are, those in the cache by their checksum. `progress` draws a bar on
    stderr. Raises ValueError if KWTA_DATA is no folder, DownloadError if a file cannot be had or its checksum is
    wrong.
    """
    return tuple(_given(source, file) or _fetched(source, file, checksum, progress) for file, checksum in source.files)


def at_hand(source: Source) -> bool:
    """Whether every file of `source` lies in the folder KWTA_DATA or in the cache, so that none is downloaded."""
    return all(
        _in_data_folder(source, file) or (cache_folder() / source.name / file).is_file() for file, _ in source.files
    )


def cache_folder() -> Path:
    """Where downloads are kept: KWTA_CACHE, or else the user's cache folder for kwta."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given).expanduser()
    import pooch  # imported only here and in _fetched: a tenth of a second that most sets do not need

    return Path(pooch.os_cache("kwta"))


def _given(source: Source, file: str) -> Path | None:
    given = os.environ.get(DATA_VARIABLE)
    if given and not Path(given).expanduser().is_dir():
        raise ValueError(f"{DATA_VARIABLE} must name a folder that exists, got {given!r}")
    return _in_data_folder(source, file)


def _in_data_folder(source: Source, file: str) -> Path | None:
    if not (given := os.environ.get(DATA_VARIABLE)):
        return None
    path = Path(given).expanduser() / source.name / file
    return path if path.is_file() else None


def _fetched(source: Source, file: str, checksum: str, progress: bool) -> Path:
    """The cached file, from the first mirror that serves it; pooch moves it in place once its checksum is right."""
    import pooch

    folder = cache_folder() / source.name
    known = f"sha256:{checksum}"
    downloader: Any = pooch.HTTPDownloader(progressbar=progress, chunk_size=CHUNK_BYTES, timeout=TIMEOUT_SECONDS)
    failures: list[str] = []
    for mirror in source.mirrors:
        try:
            with _quiet(pooch.get_logger()):
                return Path(pooch.retrieve(mirror + file, known, fname=file, path=folder, downloader=downloader))
        except (OSError, ValueError) as problem:  # requests' errors are OSErrors, a wrong checksum is a ValueError
            failures.append(f"{mirror}{file}: {_reason(problem)}")
    raise DownloadError(
        f"{source.name}: {file} could not be downloaded ({'; '.join(failures)}). "
        f"Without a connection, put {', '.join(name for name, _ in source.files)} into a folder {source.name}/ "
        f"and set {DATA_VARIABLE} to the folder above it."
    )


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Only warnings and errors of `logger` inside.

    A filter of one's own goes as it came, also where two threads overlap; a level that is set back would not.
    """

    def serious(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING

    logger.addFilter(serious)
    try:
        yield
    finally:
        logger.removeFilter(serious)


def _reason(problem: Exception) -> str:
    """A failure in a few words."""
    import requests.exceptions as net

    if isinstance(problem, net.HTTPError) and problem.response is not None:
        return f"the server answered {problem.response.status_code}"
    if isinstance(problem, net.Timeout):
        return f"no answer within {TIMEOUT_SECONDS} seconds"
    if isinstance(problem, net.ChunkedEncodingError):
        return "the connection broke off"
    if isinstance(problem, net.ConnectionError):
        return "no connection"
    if isinstance(problem, ValueError) and "hash" in str(problem):
        return "wrong checksum: the file is damaged or another one"
    return str(problem)


IDX_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)

MNIST = Source(
    "mnist",
    ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    tuple(
        zip(
            IDX_FILES,
            (
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
            strict=True,
        )
    ),
)
FASHION_MNIST = Source(
    "fashion-mnist",
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
    tuple(
        zip(
            IDX_FILES,
            (
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
            strict=True,
        )
    ),
)
CIFAR10 = Source(  # Toronto comes second: it serves the archive at some 50 kB a second
    "cifar10",
    (
        "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10/",
        "https://www.cs.toronto.edu/~kriz/",
        "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/",
    ),
    (("cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),),
)
SVHN = Source(
    "svhn",
    ("http://ufldl.stanford.edu/housenumbers/",),
    (
        ("train_32x32.mat", "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
        ("test_32x32.mat", "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
    ),
)
SOURCES = {source.name: source for source in (MNIST, FASHION_MNIST, CIFAR10, SVHN)}
