"""What a user's rows and a named base give to the ``make`` of a recipe."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from isogloss.errors import UsageError
from isogloss.protocols import Progress
from isogloss.workflows.training.data import TrainingData

_BATCH = 32
_COURSE = ("steps", "epochs", "batch_size", "learning_rate")


def arguments(
    key: str, make: Callable[..., Any], data: TrainingData, base: str, chosen: Mapping[str, Any], *, seed: int,
    budget: float | None = None, threads: int | None = None, progress: Progress,
) -> dict[str, Any]:  # fmt: skip
    """Return the arguments of ``make`` by name; ``base`` as a function, so that a dry run loads no model.

    Rows are offered under the names that recipes use: ``texts`` (each once), ``columns`` and ``pairs`` (columns of
    texts), ``labels`` and ``scores`` (one a row; scores from 0 to 1). A base that ``make`` declares a
    ``TrainedEncoder`` is loaded so that it can be trained. A ``make`` with ``**training`` is given ``steps``: one pass
    over the rows, or what was chosen as ``steps`` or ``epochs``.

    Parameters
    ----------
    key
        Of the recipe, for errors.
    make
        The recipe's.
    data
        Rows to train on.
    base
        Name or folder of a model.
    chosen
        The recipe's own settings, and of a ``**training`` ``steps``, ``epochs``, ``batch_size`` (32) and
        ``learning_rate``.
    seed, budget, threads, progress
        Handed on where ``make`` takes them.

    Raises
    ------
    UsageError
        Where ``make`` needs what rows and base cannot give, or does not know a setting.

    Examples
    --------
    >>> import numpy as np
    >>> from isogloss.protocols import Silent
    >>> rows = TrainingData("mine", "texts", (["one dog", "two cats"],), np.arange(2))
    >>> found = arguments("a", lambda texts, size=3: None, rows, "static", {"size": 4}, seed=0, progress=Silent())
    >>> found["texts"], found["size"]
    (['one dog', 'two cats'], 4)
    """
    known = inspect.signature(make).parameters
    trained = any(one.kind is inspect.Parameter.VAR_KEYWORD and one.name == "training" for one in known.values())
    offered: dict[str, Any] = {
        "base": _loader(key, make, base, threads), "texts": data.texts(), "columns": data.columns, "seed": seed,
        "progress": progress,
        **({"pairs": data.columns} if data.kind == "pairs" else {}),
        **(dict.fromkeys(("labels", "scores"), _targets(data)) if data.targets is not None else {}),
        **({"threads": threads} if threads is not None else {}),
        **({"budget": budget} if budget is not None else {}),
    }  # fmt: skip
    own = [name for name in known if name not in offered and name != "training"] + [*_COURSE] * trained
    unknown = sorted(set(chosen) - {*known, *own} | set(chosen) & {"training"})
    if unknown:
        raise UsageError(f"{key} has no setting {unknown[0]!r}", "", f"its settings are {', '.join(own) or 'none'}")
    course = _course(chosen, len(data)) | {"progress": progress} if trained else {}
    given = {name: value for name, value in offered.items() if name in known} | course
    given |= {name: value for name, value in chosen.items() if name != "epochs" or not trained}
    _nothing_missing(key, data.kind, known, given)
    if budget is not None and "budget" not in known:
        raise UsageError(f"{key} takes no time budget", "it has steps of its own", "leave --budget out, see --set")
    return given


def _targets(data: TrainingData) -> Any:
    """Return labels as they are, and scores of any range as shares of it."""
    targets = data.targets
    if targets is None or data.kind != "scored pairs":
        return targets
    return (targets - targets.min()) / ((targets.max() - targets.min()) or 1.0)


def _course(chosen: Mapping[str, Any], rows: int) -> dict[str, Any]:
    """Return the steps of a training that counts in steps."""
    if "steps" in chosen and "epochs" in chosen:
        said = f"steps={chosen['steps']}, epochs={chosen['epochs']}"
        raise UsageError("give steps or epochs, not both", said, "leave one out")
    epochs, size = float(chosen.get("epochs", 1)), int(chosen.get("batch_size", _BATCH))
    if not epochs > 0 or not size > 0:
        raise UsageError("epochs and batch_size are above 0", f"epochs={epochs}, batch_size={size}", "change them")
    return {"steps": max(1, math.ceil(epochs * rows / size)), "batch_size": size}


def _loader(key: str, make: Callable[..., Any], base: str, threads: int | None) -> Callable[[], Any]:
    """Return what loads the base in the form that ``make`` declares."""
    from isogloss.encoders.names import load_encoder

    known = inspect.signature(make).parameters
    wanted = known["base"].annotation if "base" in known else Any
    declared = wanted if isinstance(wanted, str) else getattr(wanted, "__name__", "")
    if declared == "TrainedEncoder":
        return lambda: _trainable(base)
    if declared not in ("", "_empty", "Any", "Encoder", "Encoding"):
        raise UsageError(
            f"{key} does not start from an encoder's folder", f"its base is a {declared}",
            f"call it from Python, or run its check: isogloss check {key}",
        )  # fmt: skip
    return lambda: load_encoder(base, threads=threads)


def _trainable(base: str) -> Any:
    from isogloss.training.models import load_trainable
    from isogloss.training.trained_encoder import TrainedEncoder

    return TrainedEncoder.of(load_trainable(base))


def _nothing_missing(
    key: str, kind: str, known: Mapping[str, inspect.Parameter], given: Mapping[str, Any]
) -> None:  # fmt: skip
    """Raise where a parameter without a default has no value."""
    missing = [
        name for name, one in known.items()
        if one.default is inspect.Parameter.empty and name not in given
        and one.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]  # fmt: skip
    if missing:
        raise UsageError(
            f"{key} cannot be made of {kind} alone", f"its make also needs {', '.join(missing)}",
            f"call it from Python, or run its check: isogloss check {key}",
        )  # fmt: skip
