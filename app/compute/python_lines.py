"""Lines of Python from the data to a network and its inputs, for snippets that run as they stand."""

import re

import numpy as np

from app.compute import data, inputs
from app.compute.trained import Which


def imports(which: Which, *more: str) -> list[str]:
    """What the lines below need, and more; sorted, one blank line between NumPy and the library."""
    known = data.data(which.recipe.data)
    own = [
        f"from kwta.datasets import {type(known.spec).__name__}, load",
        f"from kwta.networks import {_networks(which)}",
        *(["from kwta.training import Training, train"] if which.is_trained else []),
    ]
    lines = sorted({*own, *more}, key=lambda line: re.sub(r"^(from|import) ", "", line))
    return ["import numpy as np", "", *lines, ""]


def _networks(which: Which) -> str:
    return f"{type(which.recipe.net).__name__}, build" + ("" if which.recipe.net.gamma is None else ", set_gamma")


def network(which: Which) -> list[str]:
    """`data` and `net`, trained as on the page."""
    recipe = which.recipe
    known = data.data(recipe.data)
    return [
        f"data = load({known.spec!r})",
        f"net = build({recipe.net!r}, seed={recipe.seed})",
        *(
            [
                f"for record in train(net, data, {recipe.training!r}, device={recipe.device!r}):",
                '    if record.kind == "epoch":',
                "        print(record.epoch, record.test_accuracy)",
            ]
            if which.is_trained
            else []
        ),
        "net.eval()",
    ]


def point(which: Which, name: str, variable: str) -> list[str]:
    """`variable`, the input of this name."""
    found = inputs.found(data.data(which.recipe.data), name)
    if found.index is not None:
        return [f"{variable} = data.x_test[{found.index}]"]
    x = np.asarray(found.x)
    written = repr(x.ravel().tolist())
    shape = "" if x.ndim == 1 else f".reshape{x.shape}"
    return [f"{variable} = np.array({written}, dtype=np.float32){shape}"]


def along(which: Which, start: str, end: str, gamma: float) -> str:
    """The pieces and jumps on the segment between two inputs, with k = ⌊γN⌋ winners in every layer."""
    lines = [
        *imports(which, "from kwta import jumps, slices", "from kwta.regions import line"),
        *network(which),
        f"set_gamma(net, {gamma})  # the weights stay",
        *point(which, start, "a"),
        *point(which, end, "b"),
        "",
        "found = line.pieces(net, slices.segment(a, b), input_shape=a.shape)",
        "steps = jumps.along(found)",
        'print(len(found), "pieces; borders by layer:", np.bincount(found.layer, minlength=len(found.sizes)))',
        "slopes = np.linalg.norm(found.slope, axis=1) @ np.diff(found.edges)",
        'print("total variation (L2): by jumps", steps.sizes().sum(), "by slopes", slopes)',
        "for t, layer, out, into, size in zip(found.t, found.layer, found.leaves, found.enters, steps.sizes()):",
        '    print(f"t = {t:.6f}: layer {layer + 1}, unit {out} out, unit {into} in, jump {size:.4g}")',
    ]
    return "\n".join(lines) + "\n"
