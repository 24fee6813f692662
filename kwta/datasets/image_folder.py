"""A folder of images with one subfolder per class.

Either FOLDER/class/image, split by the seed, or FOLDER/train/class/image and FOLDER/test/class/image. Files count as
images by their ending; others are passed over, and so is what starts with a dot. Images are resized without keeping
their proportions, turned as their camera noted, and laid on white where transparent.
"""

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from kwta.datasets.data import Data, check_n_classes, divided
from kwta.datasets.images import unit
from kwta.datasets.specs import ImageFolder

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
MAX_VALUES = 1 << 30  # of all images together: 4 GiB as 32-bit floats

Found = list[tuple[Path, str]]  # image, class


def data(spec: ImageFolder) -> Data:
    """Images of `spec.size` in [0, 1], 1 channel if grey and 3 if not; the classes are the subfolders' names, sorted.

    Raises ValueError, naming the file, if the folder is not laid out so or an image cannot be read.
    """
    folder = Path(spec.path).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{spec.path} is no folder; needed is one with a subfolder of images per class")
    names = {path.name for path in _subfolders(folder)}
    if {"train", "test"} <= names:
        return _split_data(spec, _found(folder / "train"), _found(folder / "test"))
    found = _found(folder)
    classes = _classes(found, spec.path)
    return divided(spec, _pixels(spec, found), _labels(found, classes), classes, (0.0, 1.0))


def _split_data(spec: ImageFolder, train: Found, test: Found) -> Data:
    classes = _classes(train, spec.path)
    if strange := {name for _, name in test} - set(classes):
        raise ValueError(
            f"{spec.path}: test has the class {min(strange)!r} that train has not; classes are {', '.join(classes)}"
        )
    x_train, x_test = _pixels(spec, train), _pixels(spec, test)
    return Data(spec, x_train, _labels(train, classes), x_test, _labels(test, classes), classes, (0.0, 1.0))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _found(folder: Path) -> Found:
    """Every image below a class's subfolder, in the order of their names."""
    found = [
        (path, below.name)
        for below in _subfolders(folder)
        for path in sorted(below.iterdir())
        if path.is_file() and path.suffix.lower() in ENDINGS and not path.name.startswith(".")
    ]
    if not found:
        raise ValueError(
            f"{folder} has no images in subfolders; needed is one subfolder per class with {', '.join(ENDINGS)}"
        )
    return found


def _classes(found: Found, where: str) -> tuple[str, ...]:
    """The subfolders' names, counted before any image is read."""
    names = {name for _, name in found}
    check_n_classes(len(names), where)
    return tuple(sorted(names))


def _labels(found: Found, classes: tuple[str, ...]) -> ndarray:
    place = {name: label for label, name in enumerate(classes)}
    return np.array([place[name] for _, name in found], dtype=np.int64)


def _pixels(spec: ImageFolder, found: Found) -> Float32[ndarray, "n c h w"]:
    channels = 1 if spec.grey else 3
    height, width = spec.size
    if (n_values := len(found) * channels * height * width) > MAX_VALUES:
        raise ValueError(
            f"{spec.path}: {len(found)} images of {height}×{width} pixels, {channels} channels, are {n_values:,} "
            f"values; at most {MAX_VALUES:,} fit, so choose a smaller size"
        )
    values = np.empty((len(found), channels, height, width), dtype=np.uint8)
    for row, (path, _) in zip(values, found, strict=True):
        row[...] = _read(path, spec)
    return unit(values)


def _read(path: Path, spec: ImageFolder) -> UInt8[ndarray, "c h w"]:
    return pixels(path, str(path), spec.size, spec.grey)


def pixels(file: Path | io.BytesIO, where: str, size: tuple[int, int], grey: bool) -> UInt8[ndarray, "c h w"]:
    """One image of `size` = (height, width); ValueError, naming `where` it is, if it cannot be read."""
    from PIL import Image, ImageOps

    height, width = size
    try:
        with Image.open(file) as image:
            upright = ImageOps.exif_transpose(_eight_bits(image))
            flat = _on_white(upright).convert("L" if grey else "RGB")
            values = np.asarray(flat.resize((width, height), Image.Resampling.BILINEAR))
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError) as problem:
        raise unreadable(where, problem) from problem
    return values[None] if grey else values.transpose(2, 0, 1)


def unreadable(where: str, problem: Exception) -> ValueError:
    """That an image cannot be read; Pillow's reason without the object that it names for want of a file's name."""
    return ValueError(f"{where} cannot be read as an image: {str(problem).partition(' <_io.')[0]}")


def _eight_bits(image: "Image") -> "Image":
    """Grey values of 16 bits as 8: Pillow's own conversion cuts them off at 255 in some modes."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floats, of unknown range; save it with 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).clip(0, 0xFFFF) // 0x101).astype(np.uint8))


def _on_white(image: "Image") -> "Image":
    from PIL import Image

    if not image.has_transparency_data:
        return image
    clear = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
