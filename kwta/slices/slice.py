"""The slice s(t) = o + D t: a segment or a convex piece of a plane in the input space, as one frozen value."""

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from kwta.slices import convex

PARALLEL = 1e-9  # sine of the angle below which two directions count as one


@dataclass(frozen=True, eq=False)
class Slice:
    """s(t) = origin + t · directions for t in the domain.

    origin [d]; directions [m, d], linearly independent, m = 1 or 2; domain [v, m]: the two ends of an interval (m = 1)
    or the vertices of a convex polygon, counter-clockwise (m = 2). Kept as read-only float64 arrays; equal and hashed
    by content. Inputs are flat vectors: reshape `points` to the network's input shape.

    >>> Slice(origin=[0, 0], directions=[[3, 4]], domain=[[0], [2]]).points(np.array([[1.0]])).tolist()
    [[3.0, 4.0]]
    """

    origin: Float[ndarray, "d"]
    directions: Float[ndarray, "m d"]
    domain: Float[ndarray, "v m"]
    kind: Literal["slice"] = "slice"

    __no_type_check__ = True  # for the constructor only: it takes any array of numbers, and says itself what is wrong

    def __post_init__(self) -> None:
        for name, axes in (("origin", 1), ("directions", 2), ("domain", 2)):
            object.__setattr__(self, name, _frozen(getattr(self, name), name, axes))
        if self.kind != "slice":
            raise ValueError(f"the kind of a slice is 'slice', got {self.kind!r}")
        if self.dim not in (1, 2) or self.directions.shape[1] != len(self.origin):
            raise ValueError(
                f"directions must have shape [1 or 2, {len(self.origin)}] like the origin, got {self.directions.shape}"
            )
        if self.domain.shape[1] != self.dim:
            raise ValueError(f"the domain of a {self.dim}-D slice has shape [v, {self.dim}], got {self.domain.shape}")
        check_independent(self.directions)
        convex.checked(self.domain)

    @property
    def dim(self) -> int:
        """m: 1 for a line, 2 for a plane."""
        return len(self.directions)

    @property
    def metric(self) -> Float[ndarray, "m m"]:
        """D Dᵀ: squared lengths in the input space are tᵀ (D Dᵀ) t; the identity where t is isometric."""
        return self.directions @ self.directions.T

    @property
    def measure(self) -> float:
        """Length (m = 1) or area (m = 2) of the domain in t."""
        return convex.measure(self.domain)

    @property
    def input_measure(self) -> float:
        """Length or area of the slice in the input space: measure · √det(D Dᵀ)."""
        triangle = np.linalg.qr(self.directions.T, mode="r")  # √det(D Dᵀ) = |det R| without squaring D
        return self.measure * float(np.abs(np.diag(triangle)).prod())

    @property
    def bounds(self) -> tuple[Float[ndarray, "m"], Float[ndarray, "m"]]:
        """The lowest and the highest t of the domain, per coordinate."""
        return self.domain.min(axis=0), self.domain.max(axis=0)

    @property
    def corners(self) -> Float[ndarray, "v d"]:
        """The domain's vertices in the input space."""
        return self.points(self.domain)

    def points(self, t: Float[ndarray, "*batch m"]) -> Float[ndarray, "*batch d"]:
        """s(t) = o + t D, inputs as float64 rows; t may lie outside the domain."""
        if t.shape[-1] != self.dim:
            raise ValueError(f"t must have {self.dim} coordinates on its last axis, got shape {t.shape}")
        return self.origin + t @ self.directions

    def coordinates(self, x: Float[ndarray, "*batch d"]) -> Float[ndarray, "*batch m"]:
        """The t whose s(t) is nearest to x (least squares); for x on the slice the inverse of `points`."""
        self._check_inputs(x)
        lengths = np.linalg.norm(self.directions, axis=1)  # scaled first, so that very different lengths do no harm
        return (x - self.origin) @ np.linalg.pinv(self.directions / lengths[:, None]) / lengths

    def distance(self, x: Float[ndarray, "*batch d"]) -> Float[ndarray, "*batch"]:
        """‖x − s(t)‖₂ at the nearest t: how far x lies off the whole line or plane (the residual of `coordinates`)."""
        return np.asarray(np.linalg.norm(x - self.points(self.coordinates(x)), axis=-1))

    def contains(self, t: Float[ndarray, "*batch m"]) -> Bool[ndarray, "*batch"]:
        """Whether t lies in the closed domain (to about 1e-12 of its size)."""
        return convex.contains(self.domain, t)

    def to_json(self) -> str:
        """A JSON object with kind, origin, directions and domain; every float keeps all its digits."""
        arrays = {name: getattr(self, name).tolist() for name in ("origin", "directions", "domain")}
        return json.dumps({"kind": self.kind, **arrays})

    @classmethod
    def from_json(cls, text: str) -> "Slice":
        """The slice written by `to_json`; ValueError on anything else."""
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"a slice is written as JSON: {error}") from error
        expected = {"kind", "origin", "directions", "domain"}
        if not isinstance(record, dict) or set(record) != expected or record["kind"] != "slice":
            raise ValueError(
                f"a slice is an object with kind 'slice' and the keys {sorted(expected)}, got {text[:80]!r}"
            )
        return cls(**record)

    def _key(self) -> tuple:
        return self.kind, self.origin.tobytes(), self.directions.tobytes(), self.domain.tobytes()  # lengths tell shapes

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Slice) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple:  # through the constructor: unpickled arrays would be writeable
        return Slice, (self.origin, self.directions, self.domain)

    def _check_inputs(self, x: Float[ndarray, "*batch d"]) -> None:
        if x.shape[-1] != len(self.origin):
            raise ValueError(f"inputs of this slice have {len(self.origin)} entries, got shape {x.shape}")


def _frozen(values, name: str, axes: int) -> Float[ndarray, "..."]:
    try:
        array = (
            np.array(values, np.float64, order="C") + 0.0
        )  # + 0.0 turns −0.0 into 0.0: equal slices have equal bytes
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name} must be an array of numbers, got {values!r:.80}") from error
    if array.ndim != axes or array.size == 0:
        raise ValueError(
            f"{name} must have {axes} non-empty {'axis' if axes == 1 else 'axes'}, got shape {array.shape}"
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    array.setflags(write=False)
    return array


def check_independent(directions: Float[ndarray, "m d"]) -> None:
    """ValueError where a direction is zero or the directions are parallel."""
    lengths = np.linalg.norm(directions, axis=1)
    if not lengths.all():
        raise ValueError(f"directions must not be zero, got lengths {lengths.tolist()}")
    smallest = np.linalg.svd(directions / lengths[:, None], compute_uv=False)[-1]
    if smallest < PARALLEL or len(directions) > directions.shape[1]:
        raise ValueError(f"directions must be linearly independent, got {directions.tolist()!s:.200}")
