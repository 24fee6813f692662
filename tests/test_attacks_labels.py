"""Labels of any integer type are taken everywhere; what is no label is refused, and says why."""

import pytest
import torch
from some_networks import unchecked
from torch import Tensor, nn

from kwta.attacks.adaptive import Adaptive
from kwta.attacks.evaluate import evaluated
from kwta.attacks.gradient import Pgd
from kwta.attacks.judge import judged
from kwta.attacks.labels import checked
from kwta.attacks.noise import Noise
from kwta.attacks.propose import propose
from kwta.attacks.square import Square
from kwta.networks import MLP, build
from kwta.threats import Threat

NET = build(MLP((4, 8, 3), gamma=0.5), seed=0).eval()
THREAT = Threat(0.2)
LABELS = torch.tensor([0, 1, 2, 1, 0])


def inputs() -> Tensor:
    return torch.rand(5, 4, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64])
def test_every_integer_type_gives_the_same(dtype):
    x = inputs()
    for spec in (Pgd(step=0.05, steps=4), Adaptive(0.05, 0.05, ((3, 4),)), Square(20), Noise(3)):
        generator = torch.Generator().manual_seed(1)
        found = propose(spec, NET, x, LABELS.to(dtype), THREAT, generator).x
        assert torch.equal(found, propose(spec, NET, x, LABELS, THREAT, torch.Generator().manual_seed(1)).x)
        assert torch.equal(
            judged(NET, x, LABELS.to(dtype), found, THREAT).fooled, judged(NET, x, LABELS, found, THREAT).fooled
        )
    robust = [evaluated(NET, x, labels, THREAT, (Noise(3),)).robust for labels in (LABELS, LABELS.to(dtype))]
    assert (robust[0] == robust[1]).all()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS[:4], r"shape \[5\] .* got labels of shape \[4\]"),
        (LABELS[:, None], r"got labels of shape \[5, 1\]"),
        (torch.eye(5).long(), r"got labels of shape \[5, 5\]"),
        (LABELS + 1, "from 0 to 2, got 3"),
        (LABELS - 1, "from 0 to 2, got -1"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, message):
    x = inputs()
    for asked in (
        lambda: propose(Pgd(step=0.05, steps=4), NET, x, labels, THREAT, torch.Generator()),
        lambda: judged(NET, x, labels, x, THREAT),
        lambda: evaluated(NET, x, labels, THREAT, (Noise(3),)),
    ):
        with unchecked(), pytest.raises(ValueError, match=message):
            asked()


def test_numbers_that_are_not_whole_are_refused():
    for labels in (LABELS.float(), LABELS > 0):
        with unchecked(), pytest.raises(ValueError, match="labels must be whole numbers"):
            checked(labels, inputs(), NET)


def test_of_a_network_that_does_not_tell_its_classes_labels_need_only_be_numbers_of_classes():
    assert checked(torch.tensor([7]), torch.rand(1, 4), nn.Sequential(nn.Linear(4, 3))).tolist() == [7]
    with pytest.raises(ValueError, match="0 or more, got -2"):
        checked(torch.tensor([-2]), torch.rand(1, 4), nn.Sequential(nn.Linear(4, 3)))
