"""A causal language model that learns on: sequences that show it how its prompts go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Ragged
from isogloss.errors import UsageError
from isogloss.objectives.causal import CausalLanguageModelling
from isogloss.objectives.token_targets import predict_judged
from isogloss.protocols import Progress
from isogloss.seeding import derive
from isogloss.training.causal_models import LabCausal
from isogloss.training.causal_prompts import Prompt
from isogloss.training.corpus_batches import CausalBatches
from isogloss.training.loop import train
from isogloss.training.prompted_encoder import PromptedEncoder
from isogloss.training.stage import Optimiser, Player, Stage


def shown(
    base: Any, prompt: Prompt, texts: Sequence[str], answers: Sequence[str] | None = None
) -> list[NDArray[np.int64]]:
    """Return the tokens of texts in a prompt as an encoder of the same model reads them, each with its answer behind.

    Parameters
    ----------
    base
        A causal base model of the Lab.
    prompt
        What stands around the texts; texts that are too long are cut.
    texts
        Any texts.
    answers
        What follows each prompt; cut where it leaves the window. None: nothing does.

    Raises
    ------
    UsageError
        Where there are not as many answers as texts.
    """
    if answers is not None and len(answers) != len(texts):
        raise UsageError("each text needs its answer", f"{len(texts)} texts, {len(answers)} answers")
    model = LabCausal.of(base)
    rows, _ = PromptedEncoder(model, prompt).tokens(texts)
    if answers is None:
        return rows
    behind = [np.array(one.ids, np.int64) for one in model.tokenizer.encode_batch(list(answers))]
    return [np.concatenate([row, more])[: model.window] for row, more in zip(rows, behind, strict=True)]


def continued(
    base: Any, sequences: Sequence[NDArray[np.int64]], *, steps: int, learning_rate: float = 1e-3,
    batch_size: int = 16, seed: int = 0, progress: Progress | None = None,
) -> Any:  # fmt: skip
    """Return a copy of a causal base model of the Lab that has learned to go on with more sequences.

    Parameters
    ----------
    base
        With ``fresh()`` and ``predictor``; left as it was.
    sequences
        Tokens, as :func:`shown` gives them.
    steps, learning_rate, batch_size
        Of the training.
    seed
        Of the order.
    progress
        Told about every step.
    """
    model = base.fresh()
    batches = CausalBatches(Ragged.from_list(list(sequences)), batch_size=batch_size, seed=derive(seed, "batches"))
    player = Player(
        module=model.predictor, objective=CausalLanguageModelling(), forward=predict_judged,
        optimiser=Optimiser(learning_rate=learning_rate, warmup=0.1),
    )  # fmt: skip
    train(Stage(batches=batches, players=[player], steps=steps, precision="bf16"), seed=seed, progress=progress)
    model.predictor.eval()
    return model
