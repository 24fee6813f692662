"""The training loop, a generator: whoever asks for the next record sets the pace, and may stop asking."""

from collections.abc import Callable, Iterator
from math import isfinite
from time import perf_counter

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from kwta import devices
from kwta.datasets import Data
from kwta.networks import gammas_of, set_gamma
from kwta.training.measure import SAMPLE, evaluate, evaluating
from kwta.training.records import Epoch, Record, Step, Stopped
from kwta.training.spec import Training

# (net, x, labels, random numbers) -> inputs to train on instead of x: adversarial training.
Attack = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


class _Clock:
    """Seconds spent working; it stands still while the generator waits to be asked."""

    def __init__(self) -> None:
        self.before, self.since = 0.0, perf_counter()

    @property
    def seconds(self) -> float:
        return self.before + perf_counter() - self.since

    def hold(self) -> None:
        self.before = self.seconds

    def go_on(self) -> None:
        self.since = perf_counter()


def _optimiser(net: nn.Module, spec: Training) -> torch.optim.Optimizer:
    rate, decay = spec.learning_rate, spec.weight_decay
    if spec.optimiser == "adam":
        return torch.optim.Adam(net.parameters(), lr=rate, weight_decay=decay)
    return torch.optim.SGD(net.parameters(), lr=rate, weight_decay=decay, momentum=spec.momentum)


def steps_per_epoch(n: int, batch: int) -> int:
    """How many batches n examples give; a last batch of a single example, useless to batch norm, is left out."""
    whole, rest = divmod(n, batch)
    return whole + (rest > 1 or (rest == 1 and whole == 0))


def _batches(n: int, spec: Training, generator: torch.Generator) -> Iterator[Tensor]:
    """The examples in random order, `batch` at a time."""
    order = torch.randperm(n, generator=generator)
    return iter(order.split(spec.batch)[: steps_per_epoch(n, spec.batch)])


def _check_fit(net: nn.Module, data: Data, device: torch.device) -> None:
    """Raises ValueError where the network does not take the data's inputs or has another number of classes."""
    example = torch.tensor(data.x_train[:1], device=device)
    try:
        with torch.no_grad(), evaluating(net):
            shape = tuple(net(example).shape)
    except RuntimeError as error:
        raise ValueError(f"the network does not take inputs of shape {data.shape}: {error}") from error
    if shape != (1, data.n_classes):
        raise ValueError(f"the data have {data.n_classes} classes, but one input gives an output of shape {shape}")


class _Run:
    """The moving parts of one training run."""

    def __init__(self, net: nn.Module, data: Data, spec: Training, attack: Attack | None, device: torch.device) -> None:
        self.net, self.spec, self.attack = net, spec, attack
        self.x = _shared(device, data.x_train)
        self.sample, self.labels = _on(device, data.x_train[:SAMPLE], data.labels_train)
        self.x_test, self.labels_test = _on(device, data.x_test, data.labels_test)
        self.optimiser = _optimiser(net, spec)
        self.order = torch.Generator().manual_seed(spec.seed)
        self.randomness = torch.Generator(device).manual_seed(spec.seed)
        self.clock, self.step = _Clock(), 0

    def enter(self, epoch: int) -> None:
        """Set what is scheduled by epoch."""
        if (gamma := self.spec.gamma_at(epoch)) is not None:
            set_gamma(self.net, gamma)
        for group in self.optimiser.param_groups:
            group["lr"] = self.spec.rate_at(epoch)

    def advance(self, epoch: int, chosen: Tensor) -> Step:
        """One step of the optimiser."""
        x, labels = self.x[chosen], self.labels[chosen]
        before = [buffer.clone() for buffer in self.net.buffers()]
        self.net.train()  # here and not once before: a reader may have put it into evaluation mode to look at it
        if self.attack is not None:
            x = self.attack(self.net, x, labels, self.randomness)
        logits = self.net(x)
        loss = cross_entropy(logits, labels)
        self.optimiser.zero_grad()
        loss.backward()
        limit = self.spec.clip if self.spec.clip is not None else torch.inf
        norm = float(nn.utils.clip_grad_norm_(self.net.parameters(), limit))
        if isfinite(norm) and isfinite(float(loss.detach())):
            self.optimiser.step()
        else:  # a step along NaN would destroy the weights that show what happened; batch norm has stepped already
            self._restore(before)
        self.step += 1
        accuracy = float((logits.detach().argmax(dim=1) == labels).float().mean())
        return Step(epoch, self.step, float(loss.detach()), accuracy, norm, gammas_of(self.net), self.clock.seconds)

    def _restore(self, buffers: list[Tensor]) -> None:
        with torch.no_grad():
            for buffer, value in zip(self.net.buffers(), buffers, strict=True):
                buffer.copy_(value)

    def measured(self, epoch: int) -> Epoch:
        train = evaluate(self.net, self.sample, self.labels[:SAMPLE])
        test = evaluate(self.net, self.x_test, self.labels_test)
        return Epoch(
            epoch,
            self.step,
            train.loss,
            train.accuracy,
            test.loss,
            test.accuracy,
            train.dead,
            gammas_of(self.net),
            self.spec.rate_at(max(epoch, 1)),
            self.clock.seconds,
        )

    def stopped(self, reason, message: str, epoch: int) -> Stopped:
        return Stopped(reason, message, epoch, self.step, self.clock.seconds)


def _on(device: torch.device, *arrays) -> list[Tensor]:
    return [torch.tensor(array, device=device) for array in arrays]


def _shared(device: torch.device, array: ndarray) -> Tensor:
    """The array on the device; on the CPU it shares its memory, for it may be large and examples are copied from it."""
    return torch.from_numpy(np.asarray(_Shared(array))) if device.type == "cpu" else torch.tensor(array, device=device)


class _Shared:
    """An array's memory without the mark that it is read-only, which torch does not know and warns about."""

    def __init__(self, array: ndarray) -> None:
        self.array = array  # keeps the memory alive
        interface = array.__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], False)}


def _diverged(step: Step, rate: float) -> str:
    what = "loss" if not isfinite(step.loss) else "gradient"
    return (
        f"Training diverged: the {what} was no finite number at step {step.step} (epoch {step.epoch}, learning rate "
        f"{rate:g}). The weights are those before that step. A lower learning rate or gradient clipping helps."
    )


def _records(run: _Run) -> Iterator[Record]:
    """All records of a run; the clock runs throughout."""
    spec = run.spec
    run.enter(1)
    yield run.measured(0)
    best, idle = float("inf"), 0
    for epoch in range(1, spec.epochs + 1):
        run.enter(epoch)
        losses = []
        for chosen in _batches(len(run.x), spec, run.order):
            step = run.advance(epoch, chosen.to(run.x.device))
            yield step
            if not (isfinite(step.loss) and isfinite(step.gradient_norm)):
                yield run.stopped("diverged", _diverged(step, spec.rate_at(epoch)), epoch)
                return
            losses.append(step.loss)
        yield run.measured(epoch)
        mean = sum(losses) / len(losses)
        best, idle = (mean, 0) if mean < best else (best, idle + 1)
        if spec.patience is not None and idle >= spec.patience:
            message = f"Stopped early: the training loss has not fallen below {best:.4g} for {idle} epochs."
            yield run.stopped("no progress", message, epoch)
            return
    yield run.stopped("finished", f"Finished: {spec.epochs} epochs, {run.step} steps.", spec.epochs)


def train(
    net: nn.Module, data: Data, spec: Training, attack: Attack | None = None, device: str = "auto"
) -> Iterator[Record]:
    """Minimise the cross-entropy of net on data as `spec` says, in place; yield a record per step and per epoch.

    The first record is `Epoch` 0, the network before training; the last is `Stopped`. The network is changed only while
    a record is asked for, so that a reader may pause, look at the weights, or leave. It stays on the device chosen.
    `attack` makes the training adversarial: its inputs replace each batch.

    On the CPU the same network, data and spec give the same weights, bit by bit, however many others train at the same
    time, as long as torch's number of threads is the same. On a GPU that holds as far as its kernels are deterministic.

    Raises ValueError, before the first record, if network and data do not fit or no unit of a layer would win.
    """
    where = devices.pick(device)
    net.to(where)
    _check_fit(net, data, where)
    if spec.gamma is not None:
        for gamma in {spec.gamma_at(1), spec.gamma_at(spec.epochs)} - {None}:
            set_gamma(net, gamma)  # refuses a γ that leaves no winner
    return _paced(_Run(net, data, spec, attack, where))


def _paced(run: _Run) -> Iterator[Record]:
    """The records of a run, with the clock held between them."""
    run.clock = _Clock()
    for record in _records(run):
        run.clock.hold()
        yield record
        run.clock.go_on()
