"""The same judgement as lines of Python, and as command lines; both run as they stand."""

from dataclasses import replace

from app.compute import data, uploads
from app.compute.data import is_made
from app.compute.robust_cost import BATCH
from app.compute.robust_plan import Asked, Question, inputs
from app.compute.runs import Recipe
from kwta.datasets import Data
from kwta.datasets.specs import IMAGE_COUNTS
from kwta.networks import CNN


def python(asked: Question) -> str:
    """Lines that train the networks, attack them and judge; they print what the page shows."""
    first = asked.first
    known, net = data.data(first.recipe.data), replace(first.recipe.net, gamma=None)
    gammas = list(dict.fromkeys(_gamma(column.recipe) for column in asked.columns))
    hardened = next((c.recipe.training.adversarial for c in asked.columns if c.recipe.training.adversarial), None)
    trainings = (None, hardened) if hardened else (None,)
    specs = ["Adversarial", "Training"] if hardened else ["Training"]
    training = replace(first.recipe.training, adversarial=None)
    seed, d = first.recipe.seed, inputs(first.recipe)
    lines = [
        "from dataclasses import replace",
        "",
        "import torch",
        "",
        f"from kwta.attacks.ensembles import {first.ensemble}",
        "from kwta.attacks.evaluate import evaluated",
        "from kwta.attacks.masking import diagnosed",
        "from kwta.attacks.training import objective",
        f"from kwta.datasets import {type(known.spec).__name__}, load",
        f"from kwta.networks import {type(net).__name__}, build",
        "from kwta.threats import Threat",
        f"from kwta.training import {', '.join([*specs, 'train'])}",
        "",
        f"data = load({known.spec!r})",
        f"x, labels = torch.tensor(data.x_test[:{first.n}]), torch.tensor(data.labels_test[:{first.n}])",
        f"threat = {first.threat!r}",
        f"relu = {net!r}",
        "",
        "",
        "def trained(spec, seed, adversarial=None):",
        f"    plan = replace({training!r}, seed=seed, adversarial=adversarial)",
        "    net = build(spec, seed)",
        "    against = objective(adversarial, data.box)",
        f"    for _ in train(net, data, plan, device={first.recipe.device!r}, objective=against):",
        "        pass",
        '    return net.to("cpu").eval()',
        "",
        "",
        "# A transfer attack comes from the ReLU twin; that of ReLU is one of another seed.",
        f"twin, other = trained(relu, {seed}), trained(relu, {seed + 1})",
        f"for adversarial in {trainings!r}:",
        f"    for gamma in {gammas!r}:  # None is ReLU",
        f"        net = trained(replace(relu, gamma=gamma), {seed}, adversarial)",
        "        source = other if gamma is None else twin",
        f"        found = evaluated(net, x, labels, threat, {first.ensemble}(threat, {d}), {first.seed}, source, "
        f"batch={BATCH})",
        '        print(f"gamma {gamma}, {adversarial}: {found.accuracy:.1%} right without attack")',
        "        for outcome in found.attacks:",
        '            print(f"  {outcome.name}: {outcome.robust_accuracy:.1%}, 95 % interval {outcome.interval}")',
        "        masking = diagnosed(net, x, labels, found)",
        '        print(f"  worst case {found.worst_case:.1%} {found.worst_interval}; {masking.verdict}")',
        "        for sign in masking.evidence:",
        '            print("   ", "speaks for masking:" if sign.speaks else "does not:", sign.sentence)',
    ]
    return "\n".join(lines) + "\n"


def command_lines(asked: Question) -> str:
    """`train` for every network and `attack` on each; the attacks draw other random numbers than the page."""
    recipes = dict.fromkeys(r for column in asked.columns for r in (column.twin, column.recipe))
    lines = [*map(train_line, recipes), *map(attack_line, asked.columns)]
    return "\n".join(lines) + "\n"


def train_line(recipe: Recipe) -> str:
    """The command that trains this network."""
    net, plan, known = recipe.net, recipe.training, data.data(recipe.data)
    words = ["python -m kwta train", *_data(recipe.data, known)]
    if isinstance(net, CNN):
        words.append(f"--conv {_list(net.channels)}")
        words += [f"--widths {_list(net.hidden)}"] if net.hidden else []
    else:
        words.append(f"--widths {_list(net.widths[1:-1])}")  # type: ignore[union-attr]
    words.append("--relu" if net.gamma is None else f"--gamma {_gamma(recipe):g}")
    words += [f"--epochs {plan.epochs} --seed {plan.seed}"]
    if hard := plan.adversarial:
        words.append(f"--adversarial {hard.kind} --eps {hard.eps:g} --norm {hard.norm} --attack-steps {hard.steps}")
    words += [] if recipe.device == "auto" else [f"--device {recipe.device}"]
    return " ".join([*words, f"--out {folder(recipe)}"])


def attack_line(asked: Asked) -> str:
    """The command that judges this network."""
    threat = f"--eps {asked.threat.eps:g} --norm {asked.threat.norm} --images {asked.n} --seed {asked.seed}"
    thorough = " --thorough" if asked.ensemble == "standard" else ""
    return f"python -m kwta attack {folder(asked.recipe)} {threat}{thorough} --twin {folder(asked.twin)} --device cpu"


def folder(recipe: Recipe) -> str:
    """Where the network is kept."""
    gamma = _gamma(recipe)
    name = "relu" if gamma is None else f"gamma{gamma:g}"
    return f"runs/{name}-seed{recipe.seed}" + ("-adversarial" if recipe.training.adversarial else "")


def _data(name: str, known: Data) -> list[str]:
    if uploads.is_own(name):
        return [f"--data '{uploads.title(name)}'"]
    base, _, noise = name.partition("@")
    if is_made(name):
        return [f"--data {base} --noise {float(noise or known.spec.noise):g}"]  # type: ignore[union-attr]
    if base in IMAGE_COUNTS:
        return [f"--data {base} --train-size {len(known.x_train)} --test-size {len(known.x_test)}"]
    return [f"--data {base}"]


def _gamma(recipe: Recipe) -> float | None:
    gamma = recipe.net.gamma
    return None if gamma is None else float(gamma)  # type: ignore[arg-type]


def _list(values: tuple[int, ...]) -> str:
    return ",".join(map(str, values))
