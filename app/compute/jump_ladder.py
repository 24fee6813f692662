"""The borders and jumps of every rung of γ: made once in the background, nearest first, shared by all viewers."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from app.compute import Unusable, jump_block
from app.compute.background import Background
from app.compute.jump_block import Measure, Traced
from app.compute.region_ladder import Rung, limit
from kwta import jumps
from kwta.regions import plane
from kwta.regions.stages import Stages
from kwta.slices import Slice

# Regions of one picture: each has about three borders, and a browser draws so many in a blink.
LIMIT = 16_000

# The network of one rung on the plane; None where it is not there yet, and more of it is made with every call.
Networks = Callable[[int], Stages | None]


class Ladder:
    """The borders of all rungs, as packed bytes and in figures.

    networks: the network of each rung. It may need many calls, as where one is trained for it.
    """

    def __init__(
        self,
        rungs: tuple[Rung, ...],
        sizes: tuple[int, ...],
        networks: Networks,
        planes: tuple[Slice, Slice],
        square: tuple[np.ndarray, float],
        measure: Measure,
    ) -> None:
        self.rungs, self.sizes, self.measure, self.square = rungs, sizes, measure, square
        self.home, self.view = planes
        self.blocks: dict[int, bytes] = {}
        self.figures: dict[int, dict[str, Any]] = {}
        self.failed: dict[int, str] = {}
        self._networks = networks
        self._wanted = 1
        self._background = Background("kwta-jumps", self._step)

    @property
    def is_whole(self) -> bool:
        """Whether nothing more will come."""
        return len(self.blocks) + len(self.failed) == len(self.rungs)

    def most(self, rung: int) -> int:
        """How many regions of this rung are looked for; those of ReLU cost little."""
        return min(LIMIT, limit(self.sizes)) if rung else LIMIT

    def traced(self, rung: int) -> Traced | None:
        """The borders of one rung; None where its network is not there yet. Unusable where they cannot be had."""
        try:
            steps = self._networks(rung)
            if steps is None:
                return None
            found = jumps.borders(plane.of_stages(steps, self.view, self.most(rung)))
            return jump_block.traced(found, steps, self.measure)
        except ValueError as error:
            raise Unusable(f"the borders cannot be found: {error}.") from error

    def block(self, rung: int) -> bytes | None:
        """The picture of one rung, made now if it is not there yet; None where its network is not there."""
        if rung not in self.blocks and rung not in self.failed:
            self._make(rung)
        return self.blocks.get(rung)

    def _make(self, rung: int) -> None:
        try:
            found = self.traced(rung)
        except Unusable as error:
            with self._background.changed:
                self.failed[rung] = str(error)
                self._background.changed.notify_all()
            return
        if found is None:
            return
        row = jump_block.figures(found)
        packed = jump_block.packed(found, row, rung, self.square)
        with self._background.changed:
            self.figures[rung] = asdict(row)
            self.blocks[rung] = packed
            self._background.changed.notify_all()

    def want(self, rung: int) -> None:
        """Go on with the rungs nearest to this one."""
        self._wanted = rung
        if not self.is_whole:
            self._background.want()

    def wait(self, have: set[int], seconds: float) -> None:
        """Wait for a rung that is not among `have`, or until the time is over or nothing more comes."""
        self._background.wait(lambda: bool(self.blocks.keys() - have), seconds)

    def nearest(self, rung: int, among: set[int]) -> list[int]:
        """Rungs in the order in which they are wanted: this one, then outwards, ReLU last."""
        return sorted(among, key=lambda i: (i != rung, i == 0, abs(i - rung)))

    def _step(self) -> bool:
        missing = set(range(len(self.rungs))) - self.blocks.keys() - self.failed.keys()
        if missing:
            self._make(self.nearest(self._wanted, missing)[0])
        return bool(missing)
