"""The optical digits that ship with scikit-learn.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998 (its
test part).
"""

import numpy as np

from kwta.datasets.data import Data, divided
from kwta.datasets.specs import Digits

FULL = 16  # each pixel counts the dark ones among 4×4 of the scan


def data(spec: Digits) -> Data:
    """1,797 images of shape (1, 8, 8), their counts 0..16 divided by 16, split 80/20 within each digit."""
    from sklearn.datasets import load_digits  # two seconds to import, and needed by this set only

    pixels, labels = load_digits(return_X_y=True)
    x = np.asarray(pixels).reshape(-1, 1, 8, 8) / FULL
    return divided(spec, x, np.asarray(labels, dtype=np.int64), tuple("0123456789"), (0.0, 1.0))
