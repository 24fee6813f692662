"""--data and what belongs to it, as a spec of a data set, and its data."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kwta.cli.console import Console
from kwta.cli.failures import UsageError, failure, misuse
from kwta.cli.parser import number, seed, sides, whole
from kwta.datasets import NAMES, CsvPoints, Data, ImageZip, NpzFile, Spec, files, load, named


@dataclass(frozen=True)
class Option:
    """An option that sets a field of some kinds of specs; as a switch if it has a value of its own."""

    flag: str
    field: str
    kinds: tuple[str, ...]
    type: Callable[[str], Any] | None
    metavar: str | None
    help: str
    value: object = None

    @property
    def name(self) -> str:
        """Of the argument, as argparse keeps it."""
        return self.flag.strip("-").replace("-", "_")


MADE, IMAGES, FOLDER, TABLE = ("points",), ("images",), ("folder", "zip"), ("csv",)
SPLIT = ("points", "digits", "images", "csv", "npz", "folder", "zip")
FILES = "or a .csv file of 2-D points, an .npz file, or a folder or .zip file with a folder of images for each class"

SETS: dict[tuple[str, ...], str] = {
    MADE: "the made 2-D sets",
    IMAGES: "the public image sets",
    FOLDER: "image folders",
    TABLE: "CSV files",
}

OPTIONS = (
    Option("--train-size", "train", IMAGES, whole, "N", "train on N images of a public set (default: all)"),
    Option("--test-size", "test", IMAGES, whole, "N", "test on N images of a public set (default: all)"),
    Option("--points", "size", MADE, whole, "N", "points of a made 2-D set (default: 1000)"),
    Option("--noise", "noise", MADE, number, "SD", "noise of a made 2-D set that fills [-1, 1]² (default: 0.1)"),
    Option("--classes", "classes", MADE, whole, "N", "classes of spirals and gaussians (default: 2)"),
    Option("--image-size", "size", FOLDER, sides, "HxW", "bring an image folder to this size (default: 32x32)"),
    Option("--grey", "grey", FOLDER, None, None, "read an image folder in grey", True),
    Option("--unscaled", "scaled", TABLE, None, None, "keep a CSV file's own units (default: [-1, 1]²)", False),
    Option("--data-seed", "seed", SPLIT, seed, "S", "of made points and of splits and selections (default: 0)"),
)


def arguments(parser: ArgumentParser, required: bool, otherwise: str = "") -> None:
    """--data, which `required` says whether it must be given, and the options that go with it."""
    group = parser.add_argument_group("data")
    names = f"{', '.join(NAMES)}, {FILES}{otherwise}"
    group.add_argument("--data", metavar="D", required=required, help=names)
    for option in OPTIONS:
        if option.value is None:
            group.add_argument(option.flag, type=option.type, metavar=option.metavar, help=option.help)
        else:
            group.add_argument(option.flag, action="store_const", const=option.value, help=option.help)


def given(arguments: Namespace) -> list[Option]:
    """The options beside --data that were typed."""
    return [option for option in OPTIONS if getattr(arguments, option.name) is not None]


def spec(arguments: Namespace) -> Spec:
    """The data set that was asked for; of a person's own file it keeps the checksum, and so names its very content.

    Raises UsageError for an unknown name, a file that cannot be read, and options that do not belong to the set.
    """
    with misuse():
        chosen = named(arguments.data)
        for option in given(arguments):
            if chosen.kind not in option.kinds:
                raise UsageError(f"{option.flag} is for {SETS[option.kinds]}; --data is {arguments.data}")
        values = {option.field: getattr(arguments, option.name) for option in given(arguments)}
        chosen = replace(chosen, **values)
        return with_digest(chosen) if isinstance(chosen, CsvPoints | ImageZip | NpzFile) else chosen


def with_digest(spec: CsvPoints | ImageZip | NpzFile) -> CsvPoints | ImageZip | NpzFile:
    """The spec with the SHA-256 of its file. Raises ValueError if that cannot be read."""
    with files.opened(spec.path, None) as file:
        return replace(spec, digest=files.sha256(file))


def loaded(spec: Spec, console: Console) -> Data:
    """The data of a spec. Raises FailedError if they are unusable, DownloadError if they cannot be had."""
    with failure():
        return load(spec, progress=console.draws_bars)
