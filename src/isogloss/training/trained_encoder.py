"""A torch module as an encoder: what training gives back, equal to the runtime's encoder of the saved folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from isogloss.arrays import Dense, Ragged, Vectors, charge
from isogloss.encoders.batching import length_batches
from isogloss.encoders.model_plan import ModelPlan
from isogloss.encoders.surface import as_texts
from isogloss.encoders.tokenizer_file import TokenizerFile
from isogloss.encoders.transformer import TOKEN_BUDGET, TransformerEncoder
from isogloss.nn.packing import pack
from isogloss.nn.sentence import SentenceModel
from isogloss.protocols import PROBE_TEXTS
from isogloss.training.loop import TrainingSummary
from isogloss.training.models import Trainable, new_trainable, steps_of, tensor_names
from isogloss.training.weights_digest import tensors_digest


class TrainedEncoder(TransformerEncoder):
    """A sentence model in memory as an encoder; its identity is that of its folder once it is saved.

    Vectors are float32 and computed in float32. The module stays the caller's: it may be trained on, and identity and
    probes follow its weights.

    Parameters
    ----------
    model
        From :func:`~isogloss.training.models.load_trainable` or made here.
    tokenizer
        Cuts texts at the model's window.
    plan
        Prompts, similarity and the like; by default none and cosine.
    name
        Of the model; by default the plan's.
    long
        What happens to longer texts: ``"truncate"`` (counted and reported) or ``"error"``.

    Attributes
    ----------
    summary
        What the run did that made this encoder, where one did.

    Examples
    --------
    With a model on the machine (``isogloss pull minilm``)::

        encoder = TrainedEncoder.of(load_trainable("minilm"))
        encoder.encode(["a small dog", "a puppy"])  # (2, 384)
    """

    def __init__(
        self,
        model: SentenceModel,
        tokenizer: TokenizerFile,
        *,
        plan: ModelPlan | None = None,
        name: str = "",
        long: Literal["truncate", "error"] = "truncate",
    ) -> None:
        self.trainable = new_trainable(model, tokenizer) if plan is None else Trainable(model, tokenizer, plan)
        self.plan = self.trainable.plan
        self.model, self.tokenizer = model, tokenizer
        self.threads, self.long = 1, long  # torch has threads of its own
        self.name = name or self.plan.name
        self.similarity = self.plan.similarity.value
        self.dimensions, self.window = model.dimensions, tokenizer.max_length
        self.languages = self.plan.languages
        self.summary: TrainingSummary | None = None
        self._known: dict[str, tuple[tuple[float, ...], Any]] = {}

    @classmethod
    def of(cls, trainable: Trainable, *, name: str = "") -> TrainedEncoder:
        """Return the encoder of a loaded model; it can be saved with the files that it was loaded with."""
        encoder = cls(trainable.model, trainable.tokenizer, plan=trainable.plan, name=name)
        encoder.trainable = trainable
        return encoder

    @property
    def identity(self) -> str:  # type: ignore[override]
        """Hash of weights, tokenizer, pooling, prompts, window, dimensions, normalisation and similarity."""
        return str(self._following("identity", self._digest))

    @property
    def probes(self) -> Vectors:  # type: ignore[override]
        """Vectors of ``PROBE_TEXTS`` as documents, of the weights as they are now."""
        found: Vectors = self._following("probes", lambda: self.encode(PROBE_TEXTS, role="document"))
        return found

    def states(self, inputs: Sequence[str], layers: Sequence[int]) -> tuple[Ragged, Ragged]:
        """Return token vectors ``(T, len(layers), d)`` of chosen layers, and ``(T, 2)`` character spans.

        Parameters
        ----------
        inputs
            Texts; no prompt is put in front.
        layers
            0 for the embeddings' output, N for the output of layer N, -1 for the last one.
        """
        depth = len(self.model.transformer.layers)
        for layer in layers:
            if not -depth - 1 <= layer <= depth:
                raise IndexError(f"layer {layer} does not exist: there are 0 to {depth}")
        texts = as_texts(inputs)
        tokens = self.tokenizer(texts, spans=True)
        lengths = np.array([len(ids) for ids in tokens.ids], np.int64)
        found: list[Dense] = [np.zeros((0, len(layers), self.model.transformer.config.width), np.float32)] * len(texts)
        with _evaluating(self.model):
            for batch in length_batches(lengths, TOKEN_BUDGET):
                packed = pack([tokens.ids[i] for i in batch]).to(self._device)
                stacked = torch.stack(self.model.transformer.states(packed, layers), dim=1)  # (T, layers, d)
                parts = stacked.float().cpu().numpy()
                for row, i in enumerate(batch):
                    found[i] = parts[int(packed.offsets[row]) : int(packed.offsets[row + 1])]
        if not texts:
            nothing = np.zeros(1, np.int64)
            width = (0, len(layers), self.model.transformer.config.width)
            return Ragged(np.zeros(width, np.float32), nothing), Ragged(np.zeros((0, 2), np.int64), nothing)
        return Ragged.from_list(found), Ragged.from_list(tokens.spans)

    def _vectors(
        self, ids: list[NDArray[np.int64]], lengths: NDArray[np.int64], skip: int, batch: NDArray[np.int64]
    ) -> Dense:
        with _evaluating(self.model):
            packed = pack([ids[i] for i in batch]).to(self._device)
            return np.asarray(self.model(packed, skip=skip).cpu().numpy(), np.float32)

    @property
    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _charge(self, texts: int, width: int) -> None:
        config = self.model.transformer.config
        linear = 4 * config.width**2 + 2 * config.width * config.inner
        charge(multiply_adds=config.layers * texts * width * (linear + 2 * width * config.width))

    def _following(self, name: str, compute: Any) -> Any:
        """Return ``compute()``, or what it gave for the same weights."""
        versions = _fingerprint(self.model)
        if self._known.get(name, ((), None))[0] != versions:
            self._known[name] = versions, compute()
        return self._known[name][1]

    def _digest(self) -> str:
        plan = self.plan
        settings = [
            weights_digest(self.trainable),
            self._tokenizer_digest(),
            self.model.pooling,
            plan.include_prompt.value,
            sorted(plan.prompts.value.items()),
            self.window,
            self.tokenizer.side,
            plan.lower_case.value,
            self.dimensions,
            [step.to_dict() for step in steps_of(self.model)],
            plan.similarity.value.value,
        ]
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def weights_digest(trainable: Trainable) -> str:
    """Return the hash of a model's weights; equal to the runtime's hash of the saved folder."""
    state, shape = trainable.model.transformer.state_dict(), trainable.plan.architecture
    names = tensor_names(trainable.model.transformer, shape) if shape else {name: name for name in state}
    digests = [tensors_digest({names[name]: value for name, value in state.items()})]
    digests += [tensors_digest(step.state_dict()) for step in trainable.model.dense if step.state_dict()]
    return " ".join(digests)


def _fingerprint(model: nn.Module) -> tuple[float, ...]:
    """Return numbers that change with the weights: torch's fused optimisers do not count as changes in place."""
    found: list[float] = []
    with torch.no_grad():
        for value in model.state_dict().values():
            flat = value.detach().float().flatten()
            found += [float(flat.sum()), float(flat @ flat)]
    return tuple(found)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Switch dropout and gradients off inside, and give the module back as it was."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)
