"""A residual block is the sum of its two ways."""

import pytest
import torch
from torch import nn

from kwta.activation import KWTA
from kwta.networks.residual import Residual


def test_a_block_adds_what_its_two_ways_give():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(4, 2, 5, 5, generator=generator)
    body = nn.Sequential(nn.Conv2d(2, 3, 3, stride=2, padding=1), KWTA(0.2), nn.Conv2d(3, 3, 1))
    shortcut = nn.Conv2d(2, 3, 1, stride=2)
    torch.testing.assert_close(Residual(body, shortcut)(x), body(x) + shortcut(x))


def test_with_a_body_of_zeros_a_block_is_its_shortcut():
    linear = nn.Linear(3, 3)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    x = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(Residual(nn.Sequential(linear), nn.Identity())(x), x)


def test_two_shapes_are_refused_even_where_they_would_stretch():
    block = Residual(nn.Sequential(nn.Linear(3, 1)), nn.Identity())
    with pytest.raises(ValueError, match=r"got \(1,\) from the body and \(3,\) from the shortcut"):
        block(torch.zeros(2, 3))
