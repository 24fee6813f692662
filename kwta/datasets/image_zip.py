"""A ZIP file of images with one folder per class, as `kwta.datasets.image_folder` reads them from a disk.

Either class/image or train/class/image and test/class/image, also below further folders that all images share. Nothing
is unpacked to a disk, so that no name in the file can lead anywhere.
"""

import io
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy import ndarray

from kwta.datasets import files
from kwta.datasets.data import Data, check_n_classes, divided
from kwta.datasets.image_folder import ENDINGS, pixels, unreadable
from kwta.datasets.images import unit
from kwta.datasets.specs import ImageZip

MAX_BYTES = 4 << 30  # of all images as 32-bit floats
MAX_IMAGES = 100_000
MAX_FILE_BYTES = 32 << 20  # of one image, unpacked: a small file can announce any size
MAX_PIXELS = 1 << 24  # of one image: 4096×4096
MAX_PIXELS_IN_ALL = 1 << 30  # decoding them takes some ten seconds
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # others may ask for gigabytes to unpack anything
LARGEST_OWN_SIZE = 64  # pixels: larger images, and those of different sizes, are brought to USUAL_SIZE
USUAL_SIZE = (32, 32)
SPLIT = {"train", "test"}
GREY_MODES = ("1", "L", "I", "I;16", "I;16B")
NEEDED = f"needed is one folder per class with {', '.join(ENDINGS)}"

Found = dict[str, list[tuple[zipfile.ZipInfo, str]]]  # part ("train", "test", or "" for all) → images, classes


def data(spec: ImageZip) -> Data:
    """Images of `spec.size` in [0, 1] from the file `spec.path`; ValueError, naming the file, for a bad one."""
    with files.opened(spec.path, spec.digest) as file, _archive(file, spec.path) as archive:
        return _data(archive, _found(archive, spec.path), spec, MAX_BYTES)


def from_zip(file: files.Handed, name: str, seed: int = 0, max_bytes: int = MAX_BYTES) -> Data:
    """The images of an open file or its bytes, with `name` as their spec's path and the content's digest.

    They keep their size if all have the same, up to 64×64, and become 32×32 otherwise; they have 1 channel if all are
    grey, and 3 otherwise. Raises ValueError as `data` does, and for more than `max_bytes` as 32-bit floats.
    """
    stream = files.stream(file, name)
    digest = files.sha256(stream)
    with _archive(stream, name) as archive:
        found = _found(archive, name)
        size, grey = _shape(archive, found, name)
        return _data(archive, found, ImageZip(name, size, grey, seed, digest), max_bytes)


def _archive(file: Any, where: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError) as problem:
        raise ValueError(f"{where} is damaged or no ZIP file; {NEEDED}") from problem


def _found(archive: zipfile.ZipFile, where: str) -> Found:
    """The images of each part with their classes, by name; hidden ones and those of macOS's own are passed over."""
    images: dict[tuple[str, ...], zipfile.ZipInfo] = {}
    for member in archive.infolist():
        parts = PurePosixPath(member.filename.replace("\\", "/")).parts
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        if not hidden and not member.is_dir() and member.filename.lower().endswith(ENDINGS):
            images[parts] = member
    if len(images) > MAX_IMAGES:
        raise ValueError(f"{where} has {len(images)} images; at most {MAX_IMAGES} can be read")
    depths = {len(parts) for parts in images}
    if max(depths, default=0) < 2:
        raise ValueError(f"{where} has no images in folders; {NEEDED}")
    if len(depths) > 1:
        raise ValueError(f"{where} has images at {len(depths)} different depths of folders; {NEEDED}")
    return _parted(dict(sorted(images.items())), where)


def _parted(images: dict[tuple[str, ...], zipfile.ZipInfo], where: str) -> Found:
    is_split = {parts[-3] for parts in images if len(parts) > 2} == SPLIT
    shared = {parts[: -3 if is_split else -2] for parts in images}
    if len(shared) > 1:
        raise ValueError(f"{where} has folders of classes in several folders; {NEEDED}")
    found: Found = {"train": [], "test": []} if is_split else {"": []}
    for parts, member in images.items():
        found[parts[-3] if is_split else ""].append((member, parts[-2]))
    check_n_classes(len(_classes(found)), where)
    return found


def _classes(found: Found) -> tuple[str, ...]:
    """The names of the folders of the training images, sorted."""
    return tuple(sorted({name for _, name in next(iter(found.values()))}))


def _shape(archive: zipfile.ZipFile, found: Found, where: str) -> tuple[tuple[int, int], bool]:
    """The images' own (height, width) if it is one for all and small, and whether all are grey."""
    from PIL import Image

    sizes, modes, n_pixels = set(), set(), 0
    for member, _ in (image for part in found.values() for image in part):
        try:
            with Image.open(_opened(archive, member, where)) as image:
                width, height = image.size
                sizes.add((height, width))
                modes.add(image.mode)
        except (OSError, SyntaxError, Image.DecompressionBombError) as problem:
            raise unreadable(f"{where}: {member.filename}", problem) from problem
        n_pixels += width * height
        if width * height > MAX_PIXELS or n_pixels > MAX_PIXELS_IN_ALL:
            raise ValueError(
                f"{where}: {member.filename} has {width}×{height} pixels; at most {MAX_PIXELS:,} in an image "
                f"and {MAX_PIXELS_IN_ALL:,} in all can be read"
            )
    size = sizes.pop() if len(sizes) == 1 else USUAL_SIZE
    return size if max(size) <= LARGEST_OWN_SIZE else USUAL_SIZE, all(mode in GREY_MODES for mode in modes)


def _opened(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> io.BytesIO:
    """One file, unpacked in memory."""
    here = f"{where}: {member.filename}"
    if member.flag_bits & 1:
        raise ValueError(f"{here} is encrypted")
    if member.compress_type not in METHODS:
        raise ValueError(f"{here} is packed in an unusual way; only deflated and stored files can be read")
    try:
        with archive.open(member) as file:
            content = file.read(MAX_FILE_BYTES + 1)  # whatever size it announces
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as problem:
        raise ValueError(f"{here} is damaged: {problem}") from problem
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{here} unpacks to more than {MAX_FILE_BYTES:,} bytes, the most that an image may have")
    return io.BytesIO(content)


def _data(archive: zipfile.ZipFile, found: Found, spec: ImageZip, max_bytes: int) -> Data:
    parts = list(found.values())
    classes = _classes(found)
    if strange := {name for part in parts for _, name in part} - set(classes):
        raise ValueError(
            f"{spec.path}: test has the class {min(strange)!r} that train has not; classes are {', '.join(classes)}"
        )
    _check_bytes(sum(map(len, parts)), spec, max_bytes)
    labels = [np.array([classes.index(name) for _, name in part], dtype=np.int64) for part in parts]
    x = [_pixels(archive, part, spec) for part in parts]
    if len(parts) == 1:
        return divided(spec, x[0], labels[0], classes, (0.0, 1.0))
    return Data(spec, x[0], labels[0], x[1], labels[1], classes, (0.0, 1.0))


def _check_bytes(n: int, spec: ImageZip, most: int) -> None:
    height, width = spec.size
    if (needed := 4 * n * height * width * (1 if spec.grey else 3)) > most:
        raise ValueError(
            f"{spec.path}: {n} images of {height}×{width} pixels take {needed:,} bytes; at most {most:,} are read"
        )


def _pixels(archive: zipfile.ZipFile, part: list[tuple[zipfile.ZipInfo, str]], spec: ImageZip) -> ndarray:
    rows = [
        pixels(_opened(archive, member, spec.path), f"{spec.path}: {member.filename}", spec.size, spec.grey)
        for member, _ in part
    ]
    return unit(np.stack(rows))
