"""The exact linear regions of a network on a convex polygon of a plane.

With a fixed pattern every pre-activation is affine in t, so the points with one full pattern form a convex cell. Layer
by layer, the cells of one layer inside a cell of the layer before are found exactly (see `plane_kernel`), in float64.

What bounds the speed: a small picture (some hundred cells of ReLU, a hundred of k-WTA) the fixed cost of some twenty
calls of NumPy and torch that fold and allocate, 0.15 ms. ReLU: a cell costs one product of the next layer's width with
the units that differ, and every parent one with all units that are on, so time goes as cells × width², at the pace at
which weights come from the processor's second cache. k-WTA: what each parent costs, however few cells it has (bounds of
all units, a product with the k winners), and the cuts of polygons, whose five sides are too few for vectors. Two
threads: each finds the first layer's cells up to its part by itself, and their arrays are copied into one at the end, 1
of 9 ms for 20,000 cells.
Memory beside the vertices: 40 bytes and the packed pattern for a cell, 24 for an output, 16 for an edge; while a walk
ends or grows up to 32 MiB more, of which the cells are copied.
"""

from jaxtyping import Float
from numpy import ndarray
from torch import nn

from kwta.regions.cells import Cells
from kwta.regions.columns import all_finite
from kwta.regions.stages import Layer, Stages, stages
from kwta.regions.walks import walked
from kwta.slices import Slice

MAX_REGIONS = 2_000_000


def cells(
    net: nn.Module,
    plane: Slice,
    max_regions: int = MAX_REGIONS,
    input_shape: tuple[int, ...] | None = None,
    threads: int = 1,
) -> Cells:
    """All cells {t : A(s(t)) = A} with interior of the plane's domain, their affine maps and their edges.

    Any nn.Sequential of affine modules, k-WTA and ReLU layers, also mixed; see `stages`, which says what is refused.
    After `max_regions` cells the walk ends with what it has, `complete` is False and `covered` tells the area.
    threads: at most; short walks take one. Order and patterns do not depend on it.

    >>> len(cells(build(MLP((2, 8, 8, 1), gamma=0.25), seed=0), slices.square(-1, 1, -1, 1)).areas)
    10

    Raises ValueError where the slice is no plane, the network is refused, max_regions < 1 or threads < 1.
    """
    if plane.dim != 2:
        raise ValueError(f"cells need a plane, a slice with 2 directions, got {plane.dim}; for lines see regions.line")
    return of_stages(stages(net, plane, input_shape), plane, max_regions, threads)


def of_stages(steps: Stages, plane: Slice, max_regions: int = MAX_REGIONS, threads: int = 1) -> Cells:
    """`cells` of a network that has been folded with the plane already."""
    if max_regions < 1:
        raise ValueError(f"max_regions must be at least 1, got {max_regions}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    centre = plane.domain.mean(axis=0)  # coordinates around it: a domain far from zero keeps its digits
    found = walked(_centred(steps, centre), plane.domain - centre, max_regions, threads)
    if not (all_finite(found.weight) and all_finite(found.bias)):
        raise ValueError("the network's values on this plane exceed the range of float64")
    if centre.any():
        found.vertices[...] += centre
        found.bias[...] -= found.weight @ centre
    return Cells(
        plane=plane,
        sizes=steps.sizes,
        winners=steps.winners,
        vertices=found.vertices,
        offsets=found.offsets,
        weight=found.weight,
        bias=found.bias,
        bits=found.bits,
        tags=found.tags,
        areas=found.areas,
        complete=found.complete,
        n_unsplit=found.n_unsplit,
    )


def _centred(steps: Stages, centre: Float[ndarray, "2"]) -> Stages:
    """The same network in the coordinates t − centre."""
    if not centre.any():
        return steps
    if not steps.hidden:
        return Stages((), steps.weight, steps.bias + steps.weight @ centre)
    first = steps.hidden[0]
    moved = Layer(first.weight, first.bias + first.weight @ centre, first.k, first.name, first.passed)
    return Stages((moved, *steps.hidden[1:]), steps.weight, steps.bias)
