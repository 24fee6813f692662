"""The origin's experiment, run again: what a run of it is, and images of any kind in the size that it takes.

plan = Reproduction("resnet18", gamma=0.1)
"""

from kwta.reproduction.fitting import fitted
from kwta.reproduction.recipe import Reproduction

__all__ = ["Reproduction", "fitted"]
