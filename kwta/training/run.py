"""The moving parts of one training run: network, optimiser, random numbers, clock, and how far it is."""

from collections.abc import Iterator
from math import isfinite
from time import perf_counter

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor, nn

from kwta.datasets import Data
from kwta.networks import gammas_of, set_gamma
from kwta.training import state as states
from kwta.training.augmentation import augmented
from kwta.training.measure import SAMPLE, evaluate
from kwta.training.objective import Objective
from kwta.training.records import Epoch, Reason, Step, Stopped
from kwta.training.spec import Training
from kwta.training.state import State


class Clock:
    """Seconds spent working; it stands still while the generator waits to be asked."""

    def __init__(self, before: float = 0.0) -> None:
        self.before, self.since = before, perf_counter()

    @property
    def seconds(self) -> float:
        return self.before + perf_counter() - self.since

    def hold(self) -> None:
        self.before = self.seconds

    def go_on(self) -> None:
        self.since = perf_counter()


def steps_per_epoch(n: int, batch: int) -> int:
    """How many batches n examples give; a last batch of a single example, useless to batch norm, is left out."""
    whole, rest = divmod(n, batch)
    return whole + (rest > 1 or (rest == 1 and whole == 0))


def _optimiser(net: nn.Module, spec: Training) -> torch.optim.Optimizer:
    rate, decay = spec.learning_rate, spec.weight_decay
    if spec.optimiser == "adam":
        return torch.optim.Adam(net.parameters(), lr=rate, weight_decay=decay)
    return torch.optim.SGD(net.parameters(), lr=rate, weight_decay=decay, momentum=spec.momentum)


class Run:
    """One training run: what it works on, and how far it is."""

    def __init__(self, net: nn.Module, data: Data, spec: Training, objective: Objective, device: torch.device) -> None:
        self.net, self.spec, self.objective = net, spec, objective
        self.x = _shared(device, data.x_train)
        self.sample, self.labels = _on(device, data.x_train[:SAMPLE], data.labels_train)
        self.x_test, self.labels_test = _on(device, data.x_test, data.labels_test)
        self.dark = data.box[0]
        self.optimiser = _optimiser(net, spec)
        self.order = torch.Generator().manual_seed(spec.seed)
        self.randomness = torch.Generator(device).manual_seed(spec.seed)
        self.clock, self.step = Clock(), 0
        self.epochs: list[Epoch] = []
        self.best, self.idle = float("inf"), 0

    @property
    def epoch(self) -> int:
        """The last epoch that is over; −1 before the network was looked at."""
        return len(self.epochs) - 1

    @property
    def is_stuck(self) -> bool:
        """Whether the training loss has not fallen for as many epochs as the spec has patience."""
        return self.spec.patience is not None and self.idle >= self.spec.patience

    def enter(self, epoch: int) -> None:
        """Set what is scheduled by epoch."""
        if (gamma := self.spec.gamma_at(epoch)) is not None:
            set_gamma(self.net, gamma)
        for group in self.optimiser.param_groups:
            group["lr"] = self.spec.rate_at(epoch)

    def batches(self) -> Iterator[Tensor]:
        """The examples in random order, `batch` at a time."""
        order = torch.randperm(len(self.x), generator=self.order)
        for chosen in order.split(self.spec.batch)[: steps_per_epoch(len(self.x), self.spec.batch)]:
            yield chosen.to(self.x.device)

    def advance(self, epoch: int, chosen: Tensor) -> Iterator[Step]:
        """The steps of the optimiser on one batch: one for each loss of the objective."""
        x, labels = self.x[chosen], self.labels[chosen]
        if self.spec.augmentation is not None:
            x = augmented(self.spec.augmentation, x, self.dark, self.order)
        losses = self.objective(self.net, x, labels, self.randomness)
        while True:
            before = [buffer.clone() for buffer in self.net.buffers()]
            self.net.train()  # every time: a reader may have put it into evaluation mode to look at it
            found = next(losses, None)
            if found is None:
                return
            yield self._stepped(epoch, *found, labels, before)

    def _stepped(self, epoch: int, loss: Tensor, logits: Tensor, labels: Tensor, before: list[Tensor]) -> Step:
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

    def close(self, epoch: int, losses: list[float]) -> Epoch:
        """Note an epoch with the losses of its steps; none for epoch 0."""
        train = evaluate(self.net, self.sample, self.labels[:SAMPLE])
        test = evaluate(self.net, self.x_test, self.labels_test)
        gammas, rate = gammas_of(self.net), self.spec.rate_at(max(epoch, 1))
        measured = (train.loss, train.accuracy, test.loss, test.accuracy, train.dead)
        self.epochs.append(Epoch(epoch, self.step, *measured, gammas, rate, self.clock.seconds))
        if losses:
            mean = sum(losses) / len(losses)
            self.best, self.idle = (mean, 0) if mean < self.best else (self.best, self.idle + 1)
        return self.epochs[-1]

    def stopped(self, reason: Reason, message: str, epoch: int) -> Stopped:
        return Stopped(reason, message, epoch, self.step, self.clock.seconds)

    def state(self) -> State:
        """All of it, copied, at the end of an epoch."""
        return State(
            training=states.described(self.spec),
            weights={name: value.detach().clone() for name, value in self.net.state_dict().items()},
            moments=states.moments(self.optimiser),
            order=self.order.get_state(),
            randomness=self.randomness.get_state(),
            epochs=tuple(self.epochs),
            step=self.step,
            seconds=self.clock.seconds,
            best=self.best,
            idle=self.idle,
        )

    def go_on(self, state: State) -> None:
        """Become the run that was kept.

        Raises ValueError if it belongs to another training or network, or comes from another kind of device.
        """
        state.check(self.spec)
        try:
            self.order.set_state(state.order)
            self.randomness.set_state(state.randomness)
        except RuntimeError as error:
            raise ValueError(f"the run that was kept comes from another kind of device: {error}") from error
        try:
            self.net.load_state_dict(state.weights)
        except RuntimeError as error:
            raise ValueError(f"the run that was kept has another network: {error}") from error
        states.restore(self.optimiser, state.moments)
        self.epochs, self.step = list(state.epochs), state.step
        self.best, self.idle, self.clock = state.best, state.idle, Clock(state.seconds)
        self.enter(max(self.epoch, 1))


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
