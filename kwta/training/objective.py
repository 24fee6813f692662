"""What training minimises: the cross-entropy on the batch, or something adversarial in its place.

An objective is a generator: each loss that it yields is minimised by one step of the optimiser, and when it is asked to
go on, gradients are there. So one loop serves objectives of one step per batch and of several, and one that wants
gradients with respect to its inputs takes them from the same backward pass.
"""

from collections.abc import Callable, Iterator

from torch import Generator, Tensor, nn
from torch.nn.functional import cross_entropy

from kwta.training.measure import in_evaluation_mode

# (net, x, labels, random numbers) -> inputs to train on instead of x.
Attack = Callable[[nn.Module, Tensor, Tensor, Generator], Tensor]

# A loss to minimise, and the logits whose accuracy is reported.
Loss = tuple[Tensor, Tensor]

# (net in training mode, x, labels, random numbers) -> the losses of one batch, in order.
Objective = Callable[[nn.Module, Tensor, Tensor, Generator], Iterator[Loss]]


def standard(net: nn.Module, x: Tensor, labels: Tensor, _: Generator) -> Iterator[Loss]:
    """The mean cross-entropy of net(x), once per batch."""
    logits = net(x)
    yield cross_entropy(logits, labels), logits


def attacked(attack: Attack) -> Objective:
    """The mean cross-entropy on what the attack makes of x (Madry et al., ICLR 2018, equation 2.1).

    The attack meets the network in evaluation mode, so batch norm neither learns from its steps nor mixes its inputs;
    the step that follows is made in training mode, as always.
    """

    def objective(net: nn.Module, x: Tensor, labels: Tensor, randomness: Generator) -> Iterator[Loss]:
        with in_evaluation_mode(net):
            found = attack(net, x, labels, randomness)
        return standard(net, found.detach(), labels, randomness)

    return objective
