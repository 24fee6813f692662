"""All results of a judgement as files: one line per network, ε and attack, or everything down to single images."""

import csv as files
import io
import json
from dataclasses import asdict
from typing import Any

from app.compute.robust_job import Job
from app.compute.robust_plan import Asked
from app.compute.robust_trial import Trial
from kwta.attacks.outcomes import Robustness


def rows(found: Job) -> list[dict[str, Any]]:
    """One row for each network, ε and attack that is there, with the worst case and without attack."""
    return [row for one in found.trials if one.found for row in _rows(one, one.found)]


def _rows(one: Trial, found: Robustness) -> list[dict[str, Any]]:
    head = _head(one.asked)
    verdict = {"verdict": one.masking.verdict if one.masking else None}
    clean = _row("without attack", found.accuracy, found.interval)
    worst = _row("worst case", found.worst_case, found.worst_interval)
    costs = [
        _row(o.name, o.robust_accuracy, o.interval, o.mean_queries, o.mean_backwards, o.seconds) for o in found.attacks
    ]
    return [head | row | verdict for row in (clean, *costs, worst)]


def _head(asked: Asked) -> dict[str, Any]:
    gamma = asked.recipe.net.gamma
    return {
        "network": asked.name,
        "gamma": None if gamma is None else float(gamma),  # type: ignore[arg-type]
        "training": "adversarial" if asked.recipe.training.adversarial else "plain",
        "data": asked.recipe.data,
        "norm": asked.threat.norm,
        "eps": asked.threat.eps,
        "images": asked.n,
    }


def _row(attack: str, share: float, interval: tuple[float, float], *costs: float) -> dict[str, Any]:
    queries, backwards, seconds = costs or (None, None, None)
    return {
        "attack": attack,
        "robust_accuracy": share,
        "low": interval[0],
        "high": interval[1],
        "queries": queries,
        "backwards": backwards,
        "seconds": seconds,
    }


def csv(found: Job) -> str:
    """The rows as CSV; floats are written so that they read back exactly."""
    lines = rows(found)
    text = io.StringIO()
    writer = files.DictWriter(text, [*lines[0]] if lines else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def as_json(found: Job) -> str:
    """Everything: recipes, threats, attacks with their settings, intervals, evidence, and each image's outcome."""
    return json.dumps([_document(one) for one in found.trials if one.found], default=str, ensure_ascii=False)


def _document(one: Trial) -> dict[str, Any]:
    found = one.found
    assert found is not None
    attacks = {
        o.name: {
            **_row(o.name, o.robust_accuracy, o.interval, o.mean_queries, o.mean_backwards, o.seconds),
            "spec": asdict(o.spec),
            "broken": o.broken.astype(int).tolist(),
        }
        for o in found.attacks
    }
    return {
        **_head(one.asked),
        "recipe": asdict(one.asked.recipe),
        "threat": asdict(found.threat),
        "seed": found.seed,
        "accuracy": found.accuracy,
        "interval": found.interval,
        "worst_case": found.worst_case,
        "worst_interval": found.worst_interval,
        "correct": found.correct.astype(int).tolist(),
        "robust": found.robust.astype(int).tolist(),
        "attacks": attacks,
        "skipped": {s.name: s.reason for s in found.skipped},
        "verdict": one.masking.verdict if one.masking else None,
        "evidence": [asdict(sign) for sign in one.evidence],
    }
