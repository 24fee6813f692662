"""Images moved and mirrored at random, as training on CIFAR-10 does it.

Source: He et al., CVPR 2016, section 4.2: four pixels of padding on each side, a random crop of the original size, and
a flip of left and right for half of the images.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class Augmentation:
    """padding: pixels on each side before a random crop of the original size, 0 for none. flip: mirror one in two."""

    padding: int = 4
    flip: bool = True
    kind: Literal["augmentation"] = "augmentation"

    def __post_init__(self) -> None:
        if type(self.padding) is not int or self.padding < 0:
            raise ValueError(f"padding must be a whole number of pixels, 0 or more, got {self.padding!r}")
        if not isinstance(self.flip, bool):
            raise ValueError(f"flip must be True or False, got {self.flip!r}")


def augmented(
    spec: Augmentation, x: Float[Tensor, "batch c h w"], fill: float, generator: Generator
) -> Float[Tensor, "batch c h w"]:
    """Each image shifted by up to `padding` pixels in both directions and perhaps mirrored; `fill` moves in.

    generator: on the CPU, so that the same images come out on every device.
    """
    n, channels, height, width = x.shape
    shift = torch.randint(2 * spec.padding + 1, (2, n, 1), generator=generator).to(x.device)
    mirrored = torch.rand(n, generator=generator).to(x.device) < (0.5 if spec.flip else 0.0)
    rows = shift[0] + torch.arange(height, device=x.device)
    columns = torch.arange(width, device=x.device).expand(n, width)
    columns = shift[1] + torch.where(mirrored[:, None], columns.flip(1), columns)
    padded = pad(x, [spec.padding] * 4, value=fill)
    return padded[
        torch.arange(n, device=x.device)[:, None, None, None],
        torch.arange(channels, device=x.device)[:, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
