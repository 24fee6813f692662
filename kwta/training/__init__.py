"""Training: `train(net, data, spec)` yields a record per step and per epoch, so that a reader can watch, pause or stop.

What happens is fixed by the network's weights, the data and the frozen `Training`; nothing global is touched.
"""

from kwta.training.loop import Attack, steps_per_epoch, train
from kwta.training.measure import Evaluation, evaluate
from kwta.training.records import Epoch, Record, Step, Stopped
from kwta.training.spec import ANNEALED, Annealing, Training

__all__ = [
    "ANNEALED",
    "Annealing",
    "Attack",
    "Epoch",
    "Evaluation",
    "Record",
    "Step",
    "Stopped",
    "Training",
    "evaluate",
    "steps_per_epoch",
    "train",
]
