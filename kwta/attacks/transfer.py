"""Transfer: attack another network, and show the target what fooled that one."""

from dataclasses import dataclass
from typing import Literal

from kwta.attacks.propose import Attack


@dataclass(frozen=True)
class Transfer:
    """What `attack` finds on a twin, usually the same network with ReLU; the target itself is asked nothing.

    The twin is no part of the spec: `evaluate` is given it. On the twin the attack should climb on where it has
    succeeded (Pgd's `until_success` off), for what barely fools one network rarely fools another.
    """

    attack: Attack
    kind: Literal["transfer"] = "transfer"

    @property
    def name(self) -> str:
        """Without its settings."""
        return "transfer"
