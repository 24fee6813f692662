"""Arithmetic in vector registers that the compiler does not find by itself: Numba functions, vectors written out.

A map has three rows a, b, c over the units of a layer: y = a t₀ + b t₁ + c. A block of it stays in registers while all
units that enter it are added, or while it is evaluated at all vertices of a polygon: each weight is read once for all
three rows, and the map is read and written once. Left to itself the compiler reads and writes it for every few units,
because it cannot know that the arrays do not overlap.
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kwta.regions.pointer_kernel import shifted

LANES = 8  # numbers in a vector; the compiler splits vectors that the processor lacks
FAST = ("nnan", "ninf", "nsz", "contract")
WHOLE = ir.IntType(64)
LANE = ir.VectorType(ir.DoubleType(), LANES)


def _number(n):
    return ir.Constant(WHOLE, n)


def _read(builder, start, place):
    """LANES numbers from an address on, which need not be aligned."""
    vector = builder.load(builder.bitcast(builder.gep(start, [place]), LANE.as_pointer()))
    vector.align = 8
    return vector


def _write(builder, vector, start, place):
    stored = builder.store(vector, builder.bitcast(builder.gep(start, [place]), LANE.as_pointer()))
    stored.align = 8


def _spread(builder, start, place):
    """The number at an address in all lanes."""
    nothing, zero = ir.Constant(LANE, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    single = builder.insert_element(nothing, builder.load(builder.gep(start, [place])), zero)
    return builder.shuffle_vector(single, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _fused(builder, a, b, c, add="fadd"):
    """c ± a b."""
    return getattr(builder, add)(c, builder.fmul(a, b, flags=FAST), flags=FAST)


def _adding(vectors):
    """A function that adds units to `vectors` · LANES columns of a map."""

    def code(context, builder, _signature, arguments):
        target, source, y, wide, units, plus, minus, weights, stride = arguments
        places = [_number(LANES * v) for v in range(vectors)]
        rows = (_number(0), wide, builder.add(wide, wide))
        sums = [[cgutils.alloca_once(builder, LANE) for _ in places] for _ in rows]
        for row, totals in zip(rows, sums, strict=True):
            for place, total in zip(places, totals, strict=True):
                builder.store(_read(builder, source, builder.add(row, place)), total)
        for first, last, add in ((_number(0), plus, "fadd"), (plus, builder.add(plus, minus), "fsub")):
            with cgutils.for_range_slice(builder, first, last, _number(1), WHOLE) as (index, _):
                unit = builder.load(builder.gep(units, [index]))
                start = builder.gep(weights, [builder.mul(unit, stride)])
                columns = [_read(builder, start, place) for place in places]
                for row, totals in zip(rows, sums, strict=True):
                    factor = _spread(builder, y, builder.add(row, unit))
                    for total, column in zip(totals, columns, strict=True):
                        builder.store(_fused(builder, factor, column, builder.load(total), add), total)
        for row, totals in zip(rows, sums, strict=True):
            for place, total in zip(places, totals, strict=True):
                _write(builder, builder.load(total), target, builder.add(row, place))
        return context.get_dummy_value()

    @intrinsic
    def add(_context, target, source, y, wide, units, plus, minus, weights, stride):  # noqa: ARG001
        whole = types.int64
        return types.none(target, source, y, whole, units, whole, whole, weights, whole), code

    return add


def _bounding(vectors):
    """A function that finds the lowest and highest y of `vectors` · LANES units at the vertices of a polygon."""

    def code(context, builder, _signature, arguments):
        y, wide, vertices, m, low, high = arguments
        places = [_number(LANES * v) for v in range(vectors)]
        rows = (_number(0), wide, builder.add(wide, wide))
        maps = [[_read(builder, y, builder.add(row, place)) for row in rows] for place in places]
        ends = [[cgutils.alloca_once(builder, LANE) for _ in range(2)] for _ in places]
        for pair in ends:
            for end, extreme in zip(pair, (1e300, -1e300), strict=True):
                builder.store(ir.Constant(LANE, [extreme] * LANES), end)
        with cgutils.for_range_slice(builder, _number(0), builder.add(m, m), _number(2), WHOLE) as (at, _):
            x, z = _spread(builder, vertices, at), _spread(builder, vertices, builder.add(at, _number(1)))
            for (a, b, c), pair in zip(maps, ends, strict=True):
                value = _fused(builder, a, x, _fused(builder, b, z, c))
                for end, order in zip(pair, "<>", strict=True):
                    before = builder.load(end)
                    builder.store(
                        builder.select(builder.fcmp_ordered(order, value, before, flags=FAST), value, before), end
                    )
        for place, (lowest, highest) in zip(places, ends, strict=True):
            _write(builder, builder.load(lowest), low, place)
            _write(builder, builder.load(highest), high, place)
        return context.get_dummy_value()

    @intrinsic
    def bound(_context, y, wide, vertices, m, low, high):  # noqa: ARG001
        return types.none(y, types.int64, vertices, types.int64, low, high), code

    return bound


ADD_ONE, ADD_FOUR = _adding(1), _adding(4)
BOUND_ONE, BOUND_FOUR = _bounding(1), _bounding(4)


@njit(cache=True, nogil=True)
def combine(target, source, y, wide, units, plus, minus, weights, n):
    """Map target = map source + Σ w ⊗ y over the first `plus` listed units − Σ over the next `minus`.

    n: columns, a multiple of LANES; unit i has the weights w from weights + i n on. The maps may be the same.
    """
    o = 0
    while o + 4 * LANES <= n:
        to, of, w = shifted(target, o), shifted(source, o), shifted(weights, o)
        ADD_FOUR(to, of, y, wide, units, plus, minus, w, n)  # type: ignore[call-arg]  (Numba passes the context)
        o += 4 * LANES
    while o < n:
        to, of, w = shifted(target, o), shifted(source, o), shifted(weights, o)
        ADD_ONE(to, of, y, wide, units, plus, minus, w, n)  # type: ignore[call-arg]
        o += LANES


@njit(cache=True, nogil=True)
def bound(y, wide, n, vertices, m, low, high):
    """The lowest and highest y of n units at m vertices. Rows are read and written in whole vectors, beyond n too."""
    i = 0
    while i + 4 * LANES <= n:
        BOUND_FOUR(shifted(y, i), wide, vertices, m, shifted(low, i), shifted(high, i))  # type: ignore[call-arg]
        i += 4 * LANES
    while i < n:
        BOUND_ONE(shifted(y, i), wide, vertices, m, shifted(low, i), shifted(high, i))  # type: ignore[call-arg]
        i += LANES
