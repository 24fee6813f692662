"""The reference networks that region tools are compared on, or random ones of the same shape where their files lack."""

import os
from pathlib import Path

from kwta.networks import MLP, Network, build, from_npz
from kwta.networks.specs import Gamma

FOLDER = Path(os.environ.get("KWTA_CASES", Path(__file__).resolve().parents[2] / "shared" / "cases"))

SHAPES = {
    "a_def": MLP((2, 32, 32, 1)),
    "a_he": MLP((2, 32, 32, 1), init="he"),
    "b_def": MLP((2, 64, 64, 1)),
    "c_he": MLP((2, 64, 64, 64, 1), init="he"),
    "d_def": MLP((2, 128, 128, 128, 1)),
    "f_def_slice2d": MLP((2, 100, 100, 10)),
}


def network(name: str, gamma: Gamma) -> Network:
    """The reference network of this name with γ in all hidden layers, None for ReLU, in float64."""
    file = FOLDER / f"{name}.npz"
    if file.is_file():
        return from_npz(file, gamma)
    shape = SHAPES[name]
    return build(MLP(shape.widths, gamma, shape.init), seed=0).double()
