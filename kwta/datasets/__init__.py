"""Data sets: 2-D points, digits, public image sets, and a person's own files.

A spec (`Points`, `Digits`, `Images`, `CsvPoints`, `NpzFile`, `ImageFolder`) says which; `load` gives its arrays.
"""

from kwta.datasets.csv_points import from_csv
from kwta.datasets.data import Data
from kwta.datasets.image_zip import from_zip
from kwta.datasets.loading import load
from kwta.datasets.naming import NAMES, from_record, named
from kwta.datasets.npz_file import from_npz
from kwta.datasets.sources import DownloadError, Source
from kwta.datasets.specs import CsvPoints, Digits, ImageFolder, Images, ImageZip, NpzFile, Points, Spec

__all__ = [
    "NAMES",
    "CsvPoints",
    "Data",
    "Digits",
    "DownloadError",
    "ImageFolder",
    "ImageZip",
    "Images",
    "NpzFile",
    "Points",
    "Source",
    "Spec",
    "from_csv",
    "from_npz",
    "from_record",
    "from_zip",
    "load",
    "named",
]
