"""From a spec to its data."""

from kwta.datasets import csv_points, digits, image_folder, image_zip, images, npz_file, points
from kwta.datasets.data import Data
from kwta.datasets.sources import Source
from kwta.datasets.specs import CsvPoints, Digits, ImageFolder, Images, ImageZip, NpzFile, Points, Spec


def load(spec: Spec, source: Source | None = None, progress: bool = False) -> Data:
    """The data set that `spec` describes; the same spec gives the same bytes.

    Public image sets are read from the folder in the environment variable KWTA_DATA if it has them, otherwise
    downloaded on first use (with a bar on stderr if `progress`) into KWTA_CACHE or the user's cache folder; `source`
    replaces their addresses. Nothing is kept in memory: the caller caches.

    Raises ValueError for files that are missing, damaged or hold no usable data set, and DownloadError, an OSError,
    for downloads that fail; both say what to do.

    >>> load(Points("moons", size=100)).x_train.shape
    (80, 2)
    """
    match spec:
        case Points():
            return points.data(spec)
        case Digits():
            return digits.data(spec)
        case Images():
            return images.data(spec, source, progress)
        case CsvPoints():
            return csv_points.data(spec)
        case NpzFile():
            return npz_file.data(spec)
        case ImageFolder():
            return image_folder.data(spec)
        case ImageZip():
            return image_zip.data(spec)
