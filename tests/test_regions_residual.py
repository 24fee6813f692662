"""Residual networks on lines and planes: folded exactly, also with activations inside a block and blocks in blocks."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from kwta import jumps
from kwta.activation import KWTA, pattern
from kwta.networks.residual import Residual
from kwta.regions import grid, line, plane
from kwta.regions.locate import locate
from kwta.regions.stages import stages
from kwta.slices import random_plane, segment

D = 5
PLANE = random_plane(np.full(D, 0.3), seed=1, radius=2.0)
LINE = segment(np.full(D, -1.0), np.linspace(-1, 2, D))


def linear(a: int, b: int, seed: int) -> nn.Linear:
    """A layer with He weights."""
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(a, b, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.normal_(0, (2 / a) ** 0.5, generator=generator)
        layer.bias.normal_(0, 0.3, generator=generator)
    return layer


def body(a: int, b: int, phi: nn.Module, seed: int) -> nn.Sequential:
    return nn.Sequential(linear(a, 12, seed), phi, linear(12, b, seed + 1))


def nets() -> dict[str, nn.Sequential]:
    """All ways in which a shortcut may lie."""
    inner = Residual(body(9, 9, KWTA(0.25), 3), nn.Identity())
    return {
        "an affine body": nn.Sequential(
            linear(D, 9, 0), KWTA(0.3), Residual(nn.Sequential(linear(9, 9, 1)), nn.Identity()), nn.ReLU(),
            linear(9, 2, 2)
        ),
        "k-WTA in the body": nn.Sequential(
            linear(D, 9, 0), nn.ReLU(), Residual(body(9, 9, KWTA(0.25), 1), nn.Identity()), KWTA(0.4), linear(9, 2, 3)
        ),
        "the input passed on": nn.Sequential(
            Residual(body(D, 7, nn.ReLU(), 1), linear(D, 7, 5)), KWTA(0.3), linear(7, 1, 6)
        ),
        "blocks in a row, and one at the end": nn.Sequential(
            Residual(body(D, D, nn.ReLU(), 1), nn.Identity()),
            Residual(body(D, D, KWTA(0.25), 4), nn.Identity()),
        ),
        "a block in a block": nn.Sequential(
            linear(D, 9, 0),
            KWTA(0.5),
            Residual(nn.Sequential(linear(9, 9, 2), nn.ReLU(), inner, KWTA(0.4), linear(9, 4, 7)), linear(9, 4, 8)),
        ),
        "activations on both ways": nn.Sequential(
            Residual(body(D, 6, nn.ReLU(), 1), body(D, 6, KWTA(0.25), 3)), KWTA(0.5), linear(6, 2, 9)
        ),
        "images": nn.Sequential(
            nn.Unflatten(1, (1, 1, D)),
            nn.Conv2d(1, 2, (1, 3), padding=(0, 1), dtype=torch.float64),
            Residual(
                nn.Sequential(
                    nn.Conv2d(2, 3, (1, 3), stride=(1, 2), padding=(0, 1), dtype=torch.float64),
                    nn.BatchNorm2d(3, dtype=torch.float64),
                    KWTA(0.3),
                    nn.Conv2d(3, 3, 1, dtype=torch.float64),
                ),
                nn.Conv2d(2, 3, 1, stride=(1, 2), bias=False, dtype=torch.float64),
            ),
            nn.ReLU(),
            nn.AvgPool2d((1, 3)),
            nn.Flatten(),
            linear(3, 2, 9),
        ),
    }  # fmt: skip


def drawn(net: nn.Sequential, seed: int) -> nn.Sequential:
    """All weights of a network from one generator: those of convolutions would come from that of the process."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for values in net.parameters():
            values.normal_(0, 0.7, generator=generator)
    return net


NETS = nets() | {"images": drawn(nets()["images"], seed=0)}


@pytest.fixture(params=NETS)
def net(request) -> nn.Sequential:
    return NETS[request.param].double().eval()


def outputs(net: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


def activated(net: nn.Module, x: np.ndarray) -> list[np.ndarray]:
    """The winners of every activation in a plain forward pass, in the order in which the network calls them."""
    found: list[np.ndarray] = []

    def note(module: nn.Module, given: tuple[torch.Tensor]) -> None:
        y = given[0].flatten(1)
        mask = pattern(y, module.winners(y.shape[1])) if isinstance(module, KWTA) else y > 0
        found.append(mask.numpy())

    hooks = [m.register_forward_pre_hook(note) for m in net.modules() if isinstance(m, KWTA | nn.ReLU)]
    outputs(net, x)
    for hook in hooks:
        hook.remove()
    return found


def test_the_cells_of_a_plane_are_those_of_the_forward_pass(net):
    found = plane.cells(net, PLANE)
    assert found.complete
    assert len(found) > 10
    assert found.covered == pytest.approx(PLANE.measure, rel=1e-9)
    assert len(np.unique(found.bits, axis=0)) == len(found)
    low, high = PLANE.bounds
    t = np.random.default_rng(0).uniform(low, high, (2000, 2))
    held = locate(found, t)
    values = (found.weight[held] @ t[..., None])[..., 0] + found.bias[held]
    expected = outputs(net, PLANE.points(t))
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    for layer, mask in enumerate(activated(net, PLANE.points(t))):
        np.testing.assert_array_equal(found.pattern(layer)[held], mask)


def test_the_pieces_of_a_line_are_those_of_the_forward_pass(net):
    found = line.pieces(net, LINE)
    assert len(found) > 3
    middles = np.array([(a + b) / 2 for a, b in pairwise(found.edges)])
    expected = outputs(net, LINE.points(middles[:, None]))
    np.testing.assert_allclose(found.values(middles), expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    for mask, expected_mask in zip(found.masks(), activated(net, LINE.points(middles[:, None])), strict=True):
        np.testing.assert_array_equal(mask, expected_mask)


def test_a_grid_meets_no_other_patterns_than_the_cells(net):
    found, sampled = plane.cells(net, PLANE), grid.counts(net, PLANE, 60, "cpu")
    assert 5 < sampled.n_patterns <= len(found)
    centres = sampled.grid.t[sampled.grid.inside]
    ids = sampled.ids[sampled.grid.inside]
    assert len(np.unique(locate(found, centres))) == len(np.unique(ids))


def test_layers_tell_units_from_what_is_passed_on():
    folded = stages(NETS["the input passed on"], PLANE)
    assert folded.sizes == (12, 7)
    assert [layer.passed for layer in folded.hidden] == [7, 0]
    assert folded.hidden[0].weight.shape == (19, 2)
    assert folded.hidden[1].weight.shape == (7, 19)


def test_shapes_that_do_not_fit_are_refused_with_the_name_of_the_block():
    net = nn.Sequential(linear(D, 9, 0), Residual(nn.Sequential(linear(9, 1, 1)), nn.Identity()))
    with pytest.raises(ValueError, match=r"1: a residual sum needs one shape, got \(1,\) and \(9,\)"):
        plane.cells(net, PLANE)


def test_what_is_not_affine_is_refused_inside_a_block_too():
    net = nn.Sequential(Residual(nn.Sequential(linear(D, D, 0), nn.Softmax(1)), nn.Identity()))
    with pytest.raises(ValueError, match=r"0\.body\.1 is a Softmax"):
        plane.cells(net, PLANE)


def test_a_block_that_computes_something_else_is_refused():
    class Product(Residual):
        def forward(self, x):
            return self.body(x) * self.shortcut(x)

    with pytest.raises(ValueError, match="0 is a Product, which is not supported"):
        plane.cells(nn.Sequential(Product(nn.Sequential(linear(D, D, 0)), nn.Identity())), PLANE)


def pre_activations(net: nn.Module, x: np.ndarray) -> list[tuple[nn.Module, np.ndarray]]:
    """Every activation with what it sees in a plain forward pass, in the order in which the network calls them."""
    found: list[tuple[nn.Module, np.ndarray]] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, given: found.append((module, given[0].flatten(1).numpy())))
        for module in net.modules()
        if isinstance(module, KWTA | nn.ReLU)
    ]
    outputs(net, x)
    for hook in hooks:
        hook.remove()
    return found


def test_the_values_at_the_borders_are_those_of_a_forward_pass(net):
    steps = stages(net, PLANE)
    found = jumps.borders(plane.of_stages(steps, PLANE))
    middles = found.ends.mean(axis=1)
    inner = np.stack([found.of.polygon(int(cell)).mean(axis=0) for cell in found.cells[:, 0]])
    nearby = middles + 1e-7 * (inner - middles)
    value = jumps.values(found, steps).mean(axis=1)
    for layer, (module, y) in enumerate(pre_activations(net, PLANE.points(nearby))):
        here = np.flatnonzero(found.layer == layer)
        k = module.winners(y.shape[1]) if isinstance(module, KWTA) else 0
        expected = np.sort(y[here], axis=1)[:, -k] if k else np.zeros(len(here))
        np.testing.assert_allclose(value[here], expected, atol=1e-5)
