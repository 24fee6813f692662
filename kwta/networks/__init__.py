"""Networks with k-WTA: from specs, from other torch networks, from arrays, from disk.

spec = MLP((64, 256, 10), gamma=0.2)
net = build(spec, seed=0)
"""

from kwta.networks.arrays import from_arrays, from_npz
from kwta.networks.build import build
from kwta.networks.checkpoint import from_bytes, info, load, save, to_bytes
from kwta.networks.convert import with_kwta
from kwta.networks.hidden import activations, calls, gammas_of, hidden, set_gamma, winners_of
from kwta.networks.json_form import from_json, to_json
from kwta.networks.network import Network
from kwta.networks.remaining import remaining_relus
from kwta.networks.residual import Residual
from kwta.networks.specs import CNN, MLP, AlexNet, Gamma, ResNet18, Spec
from kwta.networks.won import won

__all__ = [
    "CNN",
    "MLP",
    "AlexNet",
    "Gamma",
    "Network",
    "ResNet18",
    "Residual",
    "Spec",
    "activations",
    "build",
    "calls",
    "from_arrays",
    "from_bytes",
    "from_json",
    "from_npz",
    "gammas_of",
    "hidden",
    "info",
    "load",
    "remaining_relus",
    "save",
    "set_gamma",
    "to_bytes",
    "to_json",
    "winners_of",
    "with_kwta",
    "won",
]
