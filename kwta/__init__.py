"""kwta: networks with the k-Winners-Take-All activation, their regions, jumps and attacks.

Source of the activation: Xiao, Zhong, Zheng, "Enhancing Adversarial Defense by k-Winners-Take-All", ICLR 2020,
arXiv 1905.10510.
"""

__version__ = "0.1.0"
