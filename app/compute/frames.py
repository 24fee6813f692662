"""What one moment of training looks like: a picture of the network, its winners on sample inputs, and the records."""

from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
import torch
from torch import Tensor, nn

from kwta.datasets import Data
from kwta.datasets.split import ranks
from kwta.networks import activations, gammas_of, hidden, won
from kwta.training import Epoch, Step

# Side of the decision map of 2-D data, in samples.
MAP_SIDE = 100
# Units of the first layer that are drawn as pictures of their weights.
TILES = 64
# Sample inputs whose winners are shown.
EXAMPLES = 10
# The share of weights that is drawn to scale; the few beyond it have the full colour.
SATURATED = 0.98
# The faintest winner is still told from a loser (0) on a projector.
FAINTEST = 80


@dataclass(frozen=True)
class Frame:
    """The network after some step: `records` since the frame before, and bytes (0..255) to draw.

    picture: for 2-D data [2, side, side], class and confidence; else [units, C, H, W], weights around 128
    (white), the largest two per cent in full colour.
    lit: [examples, units of all layers], 0 for a loser, brighter for larger |φ(y)|. sure: [examples, classes], the
    predicted probabilities.
    """

    records: tuple[Step | Epoch, ...]
    gammas: tuple
    picture: np.ndarray
    lit: np.ndarray
    sure: np.ndarray


def samples(data: Data, n: int = EXAMPLES) -> np.ndarray:
    """Indices of n test examples, the classes in turn."""
    turn = ranks(data.labels_test, np.arange(len(data.labels_test)))
    return np.lexsort((data.labels_test, turn))[:n]


def grid(data: Data, side: int = MAP_SIDE) -> np.ndarray:
    """The centres of side × side squares that fill the data box, row by row from the top: [side², 2]."""
    low, high = data.box
    centres = low + (high - low) * (np.arange(side) + 0.5) / side
    across, up = np.meshgrid(centres, centres[::-1])
    return np.stack([across.ravel(), up.ravel()], axis=1).astype(np.float32)


def as_images(x: Tensor) -> Tensor:
    """Anything as pictures [n, C, H, W]: a vector is laid out row by row in a square, the rest of which is zero."""
    if x.ndim == 2:
        side = ceil(sqrt(x.shape[1]))
        return torch.nn.functional.pad(x, (0, side * side - x.shape[1])).reshape(len(x), 1, side, side)
    if x.ndim == 3:
        return x[:, None]
    return x if x.shape[1] in (1, 3) else x[:, :1]


def layer_units(module: nn.Module, y: Tensor) -> Tensor:
    """How brightly each unit shines for each example, 0..255; a feature map is one unit, lit by its largest winner."""
    flat, wins = y.flatten(1), won(module, y).flatten(1)
    size = torch.where(wins, flat.abs(), 0)
    shine = torch.where(wins, FAINTEST + (255 - FAINTEST) * size / size.amax(1, keepdim=True).clamp_min(1e-12), 0)
    shine = shine.reshape(y.shape)
    return shine if shine.ndim == 2 else shine.flatten(2).amax(2)


class Framer:
    """Takes frames of a network on a data set."""

    def __init__(self, net: nn.Module, data: Data) -> None:
        self.net, self.planar = net, data.shape == (2,)
        self.chosen = samples(data)
        self.examples = torch.tensor(data.x_test[self.chosen])
        self.shape = data.shape
        self.grid = torch.tensor(grid(data)) if self.planar else None
        self.first = next(m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv2d))

    @torch.no_grad()
    def frame(self, records: list[Step | Epoch]) -> Frame:
        """The network now."""
        self.net.eval()
        device = self.first.weight.device
        examples = self.examples.to(device)
        layers = zip(self._modules(), activations(self.net, examples), strict=True)
        lit = [layer_units(module, y) for module, y in layers] or [torch.zeros(len(examples), 0)]
        return Frame(
            tuple(records),
            gammas_of(self.net),
            self._map(device) if self.planar else self._tiles(),
            _bytes(torch.cat(lit, dim=1)),
            _bytes(255 * self.net(examples).softmax(dim=1)),
        )

    def _modules(self) -> list[nn.Module]:
        return [module for _, module in hidden(self.net)]

    def _map(self, device: torch.device) -> np.ndarray:
        assert self.grid is not None
        sure, winner = self.net(self.grid.to(device)).softmax(dim=1).max(dim=1)
        return _bytes(torch.stack([winner.float(), 255 * sure])).reshape(2, MAP_SIDE, MAP_SIDE)

    def _tiles(self) -> np.ndarray:
        W = self.first.weight.detach()[:TILES]
        W = W.reshape(len(W), *self.shape) if W.ndim == 2 else W  # a convolution's are pictures already
        full = W.abs().flatten().kthvalue(max(1, int(SATURATED * W.numel()))).values.clamp_min(1e-12)
        return _bytes(128 + 127 * as_images(W) / full)


def _bytes(values: Tensor) -> np.ndarray:
    return values.round().clamp(0, 255).to(torch.uint8).cpu().numpy()
