"""Data sets of one's own: checked when they come in, kept in memory under a name made from their content.

A name such as `own-moons.csv-3f2a…` is in the link, but the data are not: another server, or this one after a restart,
asks for the file again.
"""

import re
from collections import OrderedDict
from functools import partial
from threading import Lock

from app.compute import Unusable
from app.compute.words import short
from kwta.datasets import Data, from_csv, from_npz, from_zip

PREFIX = "own-"
KEPT, KEPT_BYTES = 16, 512 * 2**20  # over all viewers
MAX_BYTES = 32 * 2**20  # of a file; also maxUploadSize in .streamlit/config.toml
UNPACKED_BYTES = 128 * 2**20  # of its arrays: what packs well must not fill the server's memory
READERS = {
    ".csv": from_csv,
    ".npz": partial(from_npz, max_bytes=UNPACKED_BYTES),
    ".zip": partial(from_zip, max_bytes=UNPACKED_BYTES),
}

_kept: OrderedDict[str, Data] = OrderedDict()
_lock = Lock()


def is_own(name: str) -> bool:
    """Whether a data set's name is one that `keep` gave."""
    return name.startswith(PREFIX)


def title(name: str) -> str:
    """The file's name as a person gave it, of a data set's name.

    >>> title("own-mine.csv-3f2a")
    'mine.csv'
    """
    file, _, digest = name.removeprefix(PREFIX).rpartition("-")
    return file or digest


def keep(file: str, content: bytes) -> str:
    """The name under which the data of an uploaded CSV, NPZ or ZIP file are now at hand.

    Raises Unusable, with the reason, for a file that is no data set, too large, or of another kind.
    """
    ending = next((ending for ending in READERS if file.lower().endswith(ending)), None)
    if ending is None:
        raise Unusable(f"{file}: own data come as {', '.join(READERS)}")
    if len(content) > MAX_BYTES:
        raise Unusable(f"{file} has {len(content) / 2**20:.0f} MB; at most {MAX_BYTES / 2**20:.0f} MB are taken")
    try:
        data = READERS[ending](content, file)
    except (ValueError, OSError) as error:
        raise Unusable(str(error)) from error
    stem = re.sub(r"[^\w.]+", "_", file[: -len(ending)])[:24]
    name = f"{PREFIX}{stem}{ending}-{getattr(data.spec, 'digest', '')[:10]}"
    with _lock:
        _kept[name] = data
        _kept.move_to_end(name)
        while len(_kept) > KEPT or (len(_kept) > 1 and sum(map(_n_bytes, _kept.values())) > KEPT_BYTES):
            _kept.popitem(last=False)
    return name


def _n_bytes(data: Data) -> int:
    return sum(array.nbytes for array in (data.x_train, data.labels_train, data.x_test, data.labels_test))


def kept(name: str) -> Data:
    """The data kept under a name; Unusable if this server has them no longer, or never had."""
    with _lock:
        if name not in _kept:
            raise Unusable(f"the file {short(title(name))} must be uploaded again: this server no longer has it")
        _kept.move_to_end(name)
        return _kept[name]
