"""The jumps of f at the borders of its linear regions, on a plane and along a line.

At a border of a k-WTA layer a winner and a loser meet at one value v and swap places; the layer's output jumps by
v (e_j − e_i), and so does everything behind it. Sources: Xiao, Zhong, Zheng, ICLR 2020, section 3.
"""

from kwta.jumps.line import Steps, along
from kwta.jumps.plane import Borders, borders
from kwta.jumps.sizes import QUANTILES, Norm, Summary, sizes, summary, weighted_quantiles
from kwta.jumps.spread import deviations, spread
from kwta.jumps.values import values

__all__ = [
    "QUANTILES",
    "Borders",
    "Norm",
    "Steps",
    "Summary",
    "along",
    "borders",
    "deviations",
    "sizes",
    "spread",
    "summary",
    "values",
    "weighted_quantiles",
]
