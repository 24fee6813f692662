"""The k-WTA operator φ_k and its companions.

φ_k keeps the k = ⌊γN⌋ largest entries of a vector and sets the others to zero. Source: Xiao, Zhong, Zheng,
ICLR 2020, section 2.
"""

from kwta.activation.baselines import local_winners, max_pool, relu
from kwta.activation.count import winners
from kwta.activation.module import KWTA
from kwta.activation.operator import kwta, pattern, threshold

__all__ = ["KWTA", "kwta", "local_winners", "max_pool", "pattern", "relu", "threshold", "winners"]
