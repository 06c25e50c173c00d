"""Regression: how well a linear model on top of the vectors predicts a number of each text."""

from __future__ import annotations

import numpy as np

from isogloss.corpus.examples import ScoredTexts, Splits
from isogloss.errors import IsoglossError, UsageError
from isogloss.evaluation.metrics.regression import errors
from isogloss.evaluation.probes import LinearProbe, dense
from isogloss.evaluation.results import TaskResult
from isogloss.evaluation.tasks.encode import Encoding
from isogloss.protocols import Encoder, Progress, Silent


def run(
    encoder: Encoder, data: Splits[ScoredTexts], *, name: str, seed: int = 0, progress: Progress | None = None,
    probe: LinearProbe | None = None,
) -> TaskResult:  # fmt: skip
    """Measure an encoder by linear regression that learns from the training texts, as MTEB's regression does.

    All training texts are used; MTEB draws 2048 of them where there are more, so scores equal MTEB's up to there.

    Parameters
    ----------
    encoder, name, seed, progress
        As for :func:`isogloss.evaluation.tasks.sts.run`; nothing is random.
    data
        The parts ``train`` and ``test``.
    probe
        What learns; least squares without penalty, as MTEB has it, where None.

    Returns
    -------
    TaskResult
        ``spearman`` (counts), ``pearson``, ``kendalltau`` (which counts in MTEB), ``mae``, ``mse``, ``rmse``, ``r2``.

    Raises
    ------
    UsageError
        Where a part is missing.
    IsoglossError
        Where numbers are constant or not finite.
    """
    missing = [part for part in ("train", "test") if part not in data.parts]
    if missing:
        raise UsageError(f"the task needs a part {missing[0]}", f"there are: {', '.join(data.parts)}", "give both")
    train, test = data["train"], data["test"]
    if np.ptp(train.targets) == 0:
        raise IsoglossError("the training numbers are constant", f"all are {train.targets[0]}", "check the data set")
    encoding = Encoding(encoder, progress or Silent())
    both = dense(encoding.of([*train.texts, *test.texts]))
    cut = len(train.texts)
    learner = (probe or LinearProbe()).fit(both[:cut], train.targets)
    predicted = learner.predict(both[cut:])
    details = {"training": cut, "alpha": learner.alpha, **encoding.details()}
    return TaskResult(name, "regression", "spearman", errors(predicted, test.targets), details, encoding.seconds)
