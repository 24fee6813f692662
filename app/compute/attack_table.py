"""The attacks of the page as a table, as files, and as the Python lines that run them."""

import json
import re
from dataclasses import asdict

import numpy as np

from app.compute import attack, attack_specs, data, inputs, python_lines
from app.compute.attack_specs import COLUMNS, Attempt, Target
from app.compute.trained import Snapshot

# Seconds for which a page waits for an attack that it shows as a table.
PATIENCE = 20.0
# Where the names in a spec come from.
HOMES = {
    "Adaptive": "adaptive",
    "Decreasing": "gradient",
    "Exact": "estimators",
    "Neighbours": "estimators",
    "Noise": "noise",
    "Pgd": "gradient",
    "RandomSearch": "search",
    "Relative": "gradient",
    "SoftTopK": "surrogates",
    "Square": "square",
    "StraightThrough": "surrogates",
}


def table(attempt: Attempt, snapshot: Snapshot) -> dict[str, np.ndarray]:
    """One row per place: what the network says there, what the attack did, and what slopes and jumps gave to the margin
    against the class that is nearest at the end.
    """
    found = attack.steps(attempt, snapshot).whole(PATIENCE)
    columns = {
        "step": np.array([s.index for s in found]),
        "queries": np.array([s.queries[0] for s in found]),
        "loss": np.array([s.loss[0] for s in found]),
        "margin": np.array([s.margin[0] for s in found]),
        "says": np.array([s.prediction[0] for s in found]),
        "‖gradient‖": np.array([s.gradient_norm[0] for s in found]),
        "turn": np.array([s.turn[0] for s in found]),
    }
    changes = np.array([s.changes[0] for s in found])
    columns |= {f"changes, layer {i + 1}": changes[:, i] for i in range(changes.shape[1] if len(found) else 0)}
    return columns | _gains(attempt, snapshot, len(found))


def _gains(attempt: Attempt, snapshot: Snapshot, n: int) -> dict[str, np.ndarray]:
    """Borders, and gains by slopes and by jumps, of the way to each place; nothing where it cannot be followed."""
    supply = attack.steps(attempt, snapshot)
    ways = attack.way(attempt, snapshot, supply).whole(PATIENCE)
    if not ways or not n:
        return {}
    way, y = ways[0], attack.victim(attempt.target, snapshot).label
    logits = supply.items[-1].logits[0].copy()
    logits[y] = -np.inf
    rival = int(logits.argmax())
    return {
        "borders": np.bincount(way.step, minlength=n)[:n],
        "by slopes": (way.slopes[:, rival] - way.slopes[:, y])[:n],
        "by jumps": (way.jumps[:, rival] - way.jumps[:, y])[:n],
    }


def csv(aim: Target, snapshot: Snapshot, values: dict) -> str:
    """All three attacks, one line per place; floats are written so that they read back exactly."""
    tables = {c: table(one, snapshot) for c, one in attack_specs.attempts(aim, values).items()}
    names = list(next(iter(tables.values())))
    lines = [",".join(["attack", *(name.replace(", ", " ") for name in names)])]
    for column, found in tables.items():
        rows = zip(*(found[name].tolist() for name in names), strict=True)
        lines += [",".join([column, *map(repr, row)]) for row in rows]
    return "\n".join(lines) + "\n"


def as_json(aim: Target, snapshot: Snapshot, values: dict) -> str:
    """Everything about the three attacks: spec, threat, every place with its input, and the judge's verdict."""
    about = attack.victim(aim, snapshot)
    found = {"data": aim.which.recipe.data, "gamma": aim.gamma, "input": about.name, "label": about.label}
    found["x"] = about.x.tolist()
    for column, one in attack_specs.attempts(aim, values).items():
        rows = {name: _plain(values) for name, values in table(one, snapshot).items()}
        places = list(attack.steps(one, snapshot).items)
        found[column] = {
            "attack": asdict(one.attack),
            "threat": asdict(one.threat),
            "seed": one.seed,
            "confirmed": attack.is_confirmed(one, snapshot, places, about.label),
            "places": rows,
            "inputs": [s.x[0].ravel().astype(float).tolist() for s in places],
        }
    return json.dumps(found, allow_nan=False)


def _plain(values: np.ndarray) -> list:
    """JSON has no NaN."""
    return [None if value != value else value for value in values.tolist()]


def snippet(aim: Target, snapshot: Snapshot, values: dict) -> str:
    """The three attacks in Python, as they run on the page."""
    which, one = aim.which, attack_specs.attempts(aim, values)
    specs = [repr(one[column].attack) for column in COLUMNS]
    names = sorted({name for spec in specs for name in re.findall(r"[A-Z]\w+(?=\()", spec)})
    homes: dict[str, list[str]] = {}
    for name in names:
        homes.setdefault(HOMES[name], []).append(name)
    more = [f"from kwta.attacks.{home} import {', '.join(found)}" for home, found in homes.items()]
    more += ["from kwta.attacks.judge import judged", "from kwta.attacks.propose import propose"]
    first, *rest = python_lines.imports(which, *more, "from kwta.threats import Threat")
    about = attack.victim(aim, snapshot)
    moved = aim.gamma is not None and aim.gamma != which.recipe.net.gamma
    known = data.data(which.recipe.data)
    index = inputs.found(known, aim.image).index
    lines = [
        *(first, "import torch", *rest),
        *python_lines.network(which),
        *([f"set_gamma(net, {aim.gamma})  # the weights stay"] if moved else []),
        *python_lines.point(which, aim.image, "x"),
        "x = torch.tensor(x[None])",
        f"labels = torch.tensor([{about.label if index is None else f'data.labels_test[{index}]'}])",
        f"threat = {one['white'].threat!r}",
        "",
        f"for spec in (\n    {f',{chr(10)}    '.join(specs)},\n):",
        f"    generator = torch.Generator().manual_seed({values['aseed']})",
        "    found = propose(spec, net, x, labels, threat, generator)",
        "    verdict = judged(net, x, labels, found.x, threat)",
        '    word = "fooled" if verdict.fooled[0] else "not fooled"',
        "    distance = float(threat.distance(verdict.x, x)[0])",
        '    print(f"{spec.name}: {word}, {int(found.queries[0])} queries, distance {distance:.4g}")',
    ]
    return "\n".join(lines) + "\n"
