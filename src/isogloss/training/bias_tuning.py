"""Tuning the biases alone of a causal model as an encoder: a softmax over the pairs of a batch, in any reading."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isogloss.errors import UsageError
from isogloss.nn.packing import Packed, pack
from isogloss.objectives.contract import Batch
from isogloss.objectives.in_batch import InBatchSoftmax
from isogloss.protocols import Progress
from isogloss.seeding import derive, generator
from isogloss.training.adapters.freezing import freeze_but_biases
from isogloss.training.causal_models import LabCausal, Passed
from isogloss.training.causal_readings import CausalReading
from isogloss.training.loop import train
from isogloss.training.prompted_encoder import PromptedEncoder
from isogloss.training.stage import Optimiser, Player, Stage


class ReadStates(nn.Module):
    """From packed tokens to the vectors of a reading of states, with gradients.

    Parameters
    ----------
    model
        Whose body is run.
    reading
        Of states; routers have no part in it.

    Raises
    ------
    UsageError
        Where the reading wants more than states.
    """

    def __init__(self, model: LabCausal, reading: CausalReading) -> None:
        super().__init__()
        if reading.wanted.routing or reading.wanted.logits:
            raise UsageError("only readings of states are tuned", f"{reading} wants more")
        self.body, self.reading = model.body, reading

    def forward(self, packed: Packed) -> Tensor:
        """Return ``(n, size)``; ``packed.types`` are 1 at the tokens of the text itself."""
        layers = self.reading.wanted.layers
        states = self.body.states(Packed(packed.ids, packed.offsets), layers)  # (T, width) each
        return self.reading(Passed(dict(zip(layers, states, strict=True))), packed)  # (n, size)


class _Pairs:
    """Batches of pairs whose tokens were made once."""

    def __init__(self, columns: Sequence[Any], keys: Tensor, batch_size: int, seed: int) -> None:
        self.columns, self.keys, self.batch_size, self.seed = columns, keys, batch_size, seed
        self.per_epoch = -(-len(keys) // batch_size)

    def __call__(self, step: int) -> Batch:
        epoch, place = divmod(step, self.per_epoch)
        order = generator(self.seed, "pairs", epoch).permutation(len(self.keys))
        chosen = order[place * self.batch_size :][: self.batch_size]
        both = tuple(pack([rows[i] for i in chosen], [marks[i] for i in chosen]) for rows, marks in self.columns)
        return Batch(both, keys=self.keys[torch.from_numpy(chosen)])


def bias_tuned(
    encoder: PromptedEncoder, queries: Sequence[str], documents: Sequence[str], *, steps: int, batch_size: int = 32,
    learning_rate: float = 1e-2, temperature: float = 0.05, seed: int = 0, progress: Progress | None = None,
) -> PromptedEncoder:  # fmt: skip
    """Return the encoder with biases tuned so that a query is nearest to its document among those of the batch.

    As SGPT's bi-encoder (Muennighoff 2022, https://arxiv.org/abs/2202.08904): the biases of all layers and norms move
    (BitFit, https://arxiv.org/abs/2106.10199), under a softmax over cosines divided by a temperature. Each side stands
    in the prompt of its role. The given encoder and its model are left as they were.

    Parameters
    ----------
    encoder
        Over a model of the workshop, with one prompt a role.
    queries, documents
        Texts, and the text that belongs to each.
    steps, batch_size, learning_rate, temperature
        Of the tuning.
    seed
        Of the order.
    progress
        Told about every step.

    Raises
    ------
    UsageError
        Where the model is not the workshop's, the pairs do not fit, or the mask is switched off.
    """
    if not isinstance(encoder.model, LabCausal) or encoder.bidirectional or len(encoder.prompts) > 1:
        why = "it is another model, has several prompts, or sees both sides"
        raise UsageError(f"{encoder.name} is not tuned here", why, "give a model of the workshop and one prompt")
    if len(queries) != len(documents) or len(queries) < 2:
        raise UsageError("pairs need two columns of two texts or more", f"there are {len(queries)}, {len(documents)}")
    model = copy.copy(encoder.model)
    model.predictor = copy.deepcopy(encoder.model.predictor)
    model.body = model.predictor.body  # type: ignore[assignment]
    module = ReadStates(model, encoder.reading)
    freeze_but_biases(module)
    numbers: dict[str, int] = {}
    keys = torch.tensor([[numbers.setdefault(text, len(numbers)) for text in pair] for pair in
                         zip(queries, documents, strict=True)])  # fmt: skip # (pairs, 2)
    batches = _Pairs([encoder.tokens(queries, role="query"), encoder.tokens(documents, role="document")], keys,
                     batch_size, derive(seed, "order"))  # fmt: skip
    player = Player(
        module=module, objective=InBatchSoftmax(temperature=temperature),
        optimiser=Optimiser(learning_rate=learning_rate, weight_decay=0.0),
    )  # fmt: skip
    train(Stage(batches=batches, players=[player], steps=steps, precision="bf16"), seed=seed, progress=progress)
    return encoder.over(model)
