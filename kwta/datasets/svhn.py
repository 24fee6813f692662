"""Street View House Numbers, cropped: MATLAB files with X [32, 32, 3, n] and y [n, 1], where y = 10 is the digit 0.

Source: Netzer et al., "Reading Digits in Natural Images with Unsupervised Feature Learning", NIPS workshop, 2011;
"Format 2".
"""

import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray


def read(path: Path) -> tuple[UInt8[ndarray, "n 3 32 32"], Int64[ndarray, " n"]]:
    """(images, digits 0..9) of one file.

    Raises ValueError if the file is damaged, lacks X or y, or they have another shape or range.
    """
    from scipy.io import loadmat  # a quarter of a second to import, and needed by this set only
    from scipy.io.matlab import MatReadError

    try:
        held = loadmat(path, variable_names=["X", "y"])
    except (
        MatReadError,
        NotImplementedError,
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        OSError,
        zlib.error,
    ) as problem:
        raise ValueError(f"{path} is no intact MATLAB file: {problem}") from problem
    if missing := [name for name in ("X", "y") if name not in held]:
        raise ValueError(f"{path} has no variable {' and no '.join(missing)}; SVHN's files hold X and y")
    return _images(path, held["X"]), _digits(path, held["y"], held["X"].shape[-1])


def _images(path: Path, x: ndarray) -> UInt8[ndarray, "n 3 32 32"]:
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[:3] != (32, 32, 3):
        raise ValueError(f"{path}: X is {x.dtype} {x.shape}; SVHN's is uint8 (32, 32, 3, n)")
    return x.transpose(3, 2, 0, 1)


def _digits(path: Path, y: ndarray, n: int) -> Int64[ndarray, " n"]:
    if y.dtype.kind not in "iuf" or y.shape != (n, 1):
        raise ValueError(f"{path}: y is {y.dtype} {y.shape}; SVHN's holds numbers ({n}, 1), one for each image")
    unknown = ~np.isin(y, np.arange(1, 11))
    if unknown.any():
        raise ValueError(f"{path}: y holds {y[unknown][0]}; SVHN's labels are 1..10, where 10 stands for the digit 0")
    return y[:, 0].astype(np.int64) % 10
