"""Images of any size and kind brought to the size that a network takes, without inventing detail."""

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from kwta.datasets import Data
from kwta.datasets.data import origin

SIDE, CHANNELS = 32, 3


def fitted(data: Data, side: int = SIDE, channels: int = CHANNELS) -> Data:
    """The data as `channels`×`side`×`side` images: grey is repeated in each channel, small images are enlarged by the
    largest whole factor that fits, each pixel becoming a square, and centred on the lower end of the data box.

    Images of that size already come back as they are: CIFAR-10 and SVHN. Raises ValueError for inputs that are no
    images, are larger, or have colours where `channels` has none.
    """
    if data.shape == (channels, side, side):
        return data
    _check(data, side, channels)
    parts = [_placed(x, side, channels, data.box[0]) for x in (data.x_train, data.x_test)]
    return Data(data.spec, parts[0], data.labels_train, parts[1], data.labels_test, data.classes, data.box)


def _check(data: Data, side: int, channels: int) -> None:
    where = origin(data.spec)
    if len(data.shape) != 3:
        raise ValueError(f"{where} holds inputs of shape {data.shape}; images are needed")
    if max(data.shape[1:]) > side:
        height, width = data.shape[1:]
        raise ValueError(f"the images of {where} are {height}×{width}, larger than {side}×{side}; make them smaller")
    if data.shape[0] not in (1, channels):
        raise ValueError(f"the images of {where} have {data.shape[0]} channels; 1 or {channels} are needed")


def _placed(
    x: Float32[ndarray, "n c h w"], side: int, channels: int, ground: float
) -> Float32[ndarray, "n channels side side"]:
    times = side // max(x.shape[2:])
    large = x.repeat(times, axis=2).repeat(times, axis=3)
    out = np.full((len(x), channels, side, side), ground, dtype=np.float32)
    top, left = ((side - length) // 2 for length in large.shape[2:])
    out[:, :, top : top + large.shape[2], left : left + large.shape[3]] = large
    return out
