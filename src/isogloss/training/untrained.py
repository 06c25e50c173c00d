"""A causal base model of the Lab with weights that have learned nothing: the same sizes, the same tokens."""

from __future__ import annotations

from typing import Any

import torch

from isogloss.nn.heads import CausalHead, TokenPredictor
from isogloss.nn.transformer import Transformer
from isogloss.seeding import derive


def untrained(base: Any, seed: int = 0) -> Any:
    """Return a causal base model of the Lab with weights drawn anew; the given one stays as it was.

    Parameters
    ----------
    base
        With ``fresh()`` and ``predictor``, whose body is a :class:`~isogloss.nn.transformer.Transformer`.
    seed
        Of the weights.

    Examples
    --------
    With a base model of the Lab::

        untrained(lab.model("base"), seed=1)
    """
    model = base.fresh()
    body: Transformer = model.predictor.body
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "untrained") % 2**63)
        model.module = TokenPredictor(
            Transformer(body.config), CausalHead(body.config.width, bias=body.config.vocabulary)
        ).eval()  # fmt: skip
    return model
