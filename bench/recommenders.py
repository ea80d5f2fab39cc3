"""Compares the recommenders on any interactions file: all baselines, ALS by MLlib, and the blend of them.

Random 80/20 per user over several seeds (artists or tracks with 5 users or more, of them users with 10 or more), or --temporal
(--format listens: the last fifth of the time held out, all next plays and novel ones apart; an export of
silver.listening_with_features tells skips and artists too), or --hidden FILE: learn from FILE, report on the other. Every item is
ranked; what a user knows already is left out, except among all next plays.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
MOST_CHOOSING = 500
"""Users of the validation window by whom the blend's weights are chosen."""
NOBODY = "no user with enough items that enough users know (--items-per-user, --users-per-item)"
SHOWN = ("ndcg@10", "recall@20", "map@10", "map@500", "coverage@10", "novelty@10", "diversity@10")


def main() -> int:
    """Print the comparison. Exit code 2 for a file that cannot be used."""
    sys.path.insert(0, str(ROOT))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--format", choices=("hetrec", "triplets", "listens"), default="hetrec")
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--hidden", type=Path, metavar="FILE", help="report on this file of the same format")
    parser.add_argument("--temporal", action="store_true", help="hold out the last fifth of the time")
    parser.add_argument("--users-per-item", type=int, help="default 5; 1 with --hidden")
    parser.add_argument("--items-per-user", type=int, help="default 10; 1 with --hidden")
    parser.add_argument("--without-java", action="store_true", help="ALS by NumPy instead of MLlib")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="only these, and their blend (default all)")
    parser.add_argument("--memory", default="2g", help="heap of Spark (default 2g)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.temporal and options.hidden:
        parser.error("--temporal and --hidden are two protocols: choose one")
    from lakehouse.engine.base import EngineError
    from lakehouse.engine.spark import SparkEngine

    began = time.perf_counter()
    engine = None if options.without_java else SparkEngine(None, options.memory)
    try:
        answer = compare_all(options, engine.session() if engine else None)
    except (OSError, ValueError, EngineError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    finally:
        if engine is not None:
            engine.stop()
    answer["seconds"] = round(time.perf_counter() - began, 1)
    answer["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    sys.stdout.write(json.dumps(answer, indent=1) + "\n" if options.json else as_text(answer))
    return 0


def compare_all(options: argparse.Namespace, session: Any) -> dict[str, Any]:
    """The comparison by every protocol that was asked for: {"models": {name: {metric: {"mean", "std", ...}}}, ...}."""
    from recommenders import als
    from recommenders.interactions import filtered, from_pairs, read_pairs
    from recommenders.mllib import factoriser
    from recommenders.protocol import compare, hidden_protocol, random_protocol, remembered

    factorise = remembered(factoriser(session) if session is not None else als.factorise)
    plays = read_pairs(options.file, options.format)
    least = [1, 1] if options.hidden else [5, 10]
    for place, given in enumerate((options.users_per_item, options.items_per_user)):
        least[place] = least[place] if given is None else given
    if options.temporal:
        return temporal(plays, least, factorise, options.models)
    pairs = filtered(plays[plays["plays"] > 0], *least)
    if pairs.empty:
        raise ValueError(f"{options.file} holds {NOBODY}")
    runs = []
    hidden = read_pairs(options.hidden, options.format).query("plays > 0") if options.hidden else None
    for seed in options.seeds[: 1 if options.hidden else None]:
        splits = random_protocol(from_pairs(pairs), seed) if hidden is None else hidden_protocol(pairs, hidden, seed)
        if not len(splits[1].rows):
            raise ValueError(f"nothing is held out of {options.hidden or options.file}, so nobody can be tested")
        if not chosen_models(splits[1].known, factorise, options.models, seen_too=False):
            raise ValueError("--models names only models that recommend what is known already, which --temporal alone allows")
        runs.append(compare(*splits, lambda data: chosen_models(data, factorise, options.models, seen_too=False)))
    shape = splits[1].known.matrix.shape
    return {"protocol": "hidden" if options.hidden else "random 80/20", "users": shape[0], "items": shape[1]} | summary(runs)


def chosen_models(data: Any, factorise: Callable[..., Any], names: Sequence[str] | None, *, seen_too: bool) -> dict[str, Any]:
    """The models to compare: all of the protocol, or those of them that are named. Raises ValueError for an unknown name."""
    from recommenders.protocol import all_models

    models = all_models(data, factorise, seen_too=True)
    for name in names or ():
        if name not in models:
            raise ValueError(f"--models: there is no {name!r} for this file; there are {', '.join(models)}")
    allowed = all_models(data, factorise, seen_too=seen_too)
    return {name: fit for name, fit in allowed.items() if names is None or name in names}


def temporal(plays: Any, least: Sequence[int], factorise: Callable[..., Any], names: Sequence[str] | None) -> dict[str, Any]:
    """The temporal protocol: the last fifth of the time is the test window, the fifth before it the validation window.

    Which items have users enough and which users items enough is told by what was played before each window.
    """
    import pandas as pd

    from recommenders.interactions import filtered
    from recommenders.protocol import compare, temporal_split

    if "at" not in plays:
        raise ValueError("--temporal needs times: --format listens")
    first, last = plays["at"].min(), plays["at"].max()
    fifth = (last - first) / 5
    ends = (last - 2 * fifth, last - fifth, last + pd.Timedelta(microseconds=1))
    answer: dict[str, Any] = {"protocol": "temporal", "test_from": str(ends[1])}
    told = [pd.concat([filtered(plays[plays["at"] < at], *least), plays[plays["at"] >= at]]) for at in ends[:2]]
    most = (MOST_CHOOSING, None)
    for name, novel_only in (("all_next", False), ("novel_only", True)):
        splits = [temporal_split(told[i], ends[i], ends[i + 1], novel_only=novel_only, most_users=most[i]) for i in (0, 1)]
        seen_too = not novel_only
        answer["users"], answer["items"] = splits[1].known.matrix.shape
        if all(len(split.rows) for split in splits) and chosen_models(splits[1].known, factorise, names, seen_too=seen_too):
            run = compare(splits[0], splits[1], lambda data, seen=seen_too: chosen_models(data, factorise, names, seen_too=seen))  # type: ignore[misc]
            answer[name] = summary([run])
    found = [answer[name] for name in ("all_next", "novel_only") if name in answer]
    if not found:
        raise ValueError(f"the last two fifths of the time have nothing to test: before them there is {NOBODY}")
    return {**answer, "models": found[0]["models"]}


def summary(runs: Sequence[tuple[Mapping[str, Any], Mapping[str, float]]]) -> dict[str, Any]:
    """Mean and standard deviation over runs; the 95% interval over users of the first run."""
    from recommenders.metrics import interval

    models: dict[str, Any] = {}
    for name in runs[0][0]:
        results = [found[name] for found, _ in runs]
        figures = {}
        for metric in SHOWN:
            is_overall = metric == "coverage@10"
            means = [r.coverage if is_overall else float(r.per_user[metric].mean()) for r in results]
            figures[metric] = {"mean": round(float(np.mean(means)), 5), "std": round(float(np.std(means)), 5)}
            if not is_overall:
                drawn = interval(results[0].per_user[metric])
                figures[metric] |= {"low": round(drawn.low, 5), "high": round(drawn.high, 5), "n": drawn.n}
        models[name] = figures
    return {"models": models, "weights": [dict(weights) for _, weights in runs]}


def as_text(answer: Mapping[str, Any]) -> str:
    """The answer as tables of means, the interval of NDCG@10 and MAP@10 beside them."""
    told = [f"{name}: {value}" for name, value in answer.items() if isinstance(value, (str, int, float))]
    lines = [", ".join(told)]
    parts = {name: part for name, part in answer.items() if isinstance(part, dict) and "models" in part} or {"": dict(answer)}
    for title, part in parts.items():
        lines += [title, f"| {'model':<22} | " + " | ".join(f"{m:>12}" for m in SHOWN) + " | 95% NDCG@10 (first seed) |"]
        for name, figures in part["models"].items():
            drawn = figures["ndcg@10"]
            means = " | ".join(f"{figures[m]['mean']:>12.4f}" for m in SHOWN)
            lines.append(f"| {name:<22} | {means} | {drawn['low']:.4f} to {drawn['high']:.4f} |")
        lines += [f"weights: {weights}" for weights in part["weights"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
