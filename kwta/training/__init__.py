"""Training: `train(net, data, spec)` yields a record per step and per epoch, so that a reader can watch, pause or stop.

What happens is fixed by the network's weights, the data and the frozen `Training`; nothing global is touched.
"""

from kwta.training.adversarial import Adversarial
from kwta.training.augmentation import Augmentation, augmented
from kwta.training.loop import train
from kwta.training.measure import Evaluation, evaluate
from kwta.training.objective import Attack, Objective, attacked, standard
from kwta.training.records import Epoch, Record, Step, Stopped
from kwta.training.run import steps_per_epoch
from kwta.training.spec import ANNEALED, Annealing, Training
from kwta.training.state import State

__all__ = [
    "ANNEALED",
    "Adversarial",
    "Annealing",
    "Attack",
    "Augmentation",
    "Epoch",
    "Evaluation",
    "Objective",
    "Record",
    "State",
    "Step",
    "Stopped",
    "Training",
    "attacked",
    "augmented",
    "evaluate",
    "standard",
    "steps_per_epoch",
    "train",
]
