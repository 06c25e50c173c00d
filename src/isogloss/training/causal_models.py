"""The one seam between causal language models and what reads them: tokens in; states, logits and routing out."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from isogloss.errors import UsageError
from isogloss.nn.heads import TokenPredictor
from isogloss.nn.moe import MixtureFeedForward, MixtureTransformer
from isogloss.nn.packing import Packed
from isogloss.nn.transformer import Transformer
from isogloss.training.weights_digest import module_identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What one pass shall give.

    Attributes
    ----------
    layers
        Whose states: 0 the embeddings, N layer N, -1 the last one (after the model's last norm).
    logits
        Logits of the word that follows each text.
    routing
        The routers' probabilities in a mixture of experts.
    bidirectional
        Let every token see all others of its text: the first step of LLM2Vec, https://arxiv.org/abs/2404.05961.
    """

    layers: tuple[int, ...] = ()
    logits: bool = False
    routing: bool = False
    bidirectional: bool = False

    def __or__(self, other: Wanted) -> Wanted:
        """Return what gives both, layers in the order of their first mention."""
        layers = tuple(dict.fromkeys([*self.layers, *other.layers]))
        both = self.bidirectional or other.bidirectional
        return Wanted(layers=layers, logits=self.logits or other.logits, routing=self.routing or other.routing,
                      bidirectional=both)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passed:
    """What one pass gave.

    Attributes
    ----------
    states
        ``(T, width)`` by layer, as they were asked for.
    logits
        ``(n, vocabulary)`` at the last token of each text, or None.
    routing
        ``(T, routed layers, experts)``, rows that sum to one, or None.
    """

    states: dict[int, Tensor]
    logits: Tensor | None = None
    routing: Tensor | None = None


class CausalModel(Protocol):
    """A causal language model as its readers see it.

    Attributes
    ----------
    name
        For messages.
    tokenizer
        A ``tokenizers.Tokenizer``.
    begin, end
        Tokens that stand before and after every input.
    blank
        Token that stands for an input without any.
    window
        Most tokens of an input.
    width, depth, vocabulary
        Size of a state, number of layers, size of the logits.
    experts
        How many layers have a router, and how many experts each has; ``(0, 0)`` for a dense model.
    """

    name: str
    tokenizer: Any
    begin: tuple[int, ...]
    end: tuple[int, ...]
    blank: int
    window: int
    width: int
    depth: int
    vocabulary: int

    @property
    def experts(self) -> tuple[int, int]:
        """How many layers have a router, and how many experts each has."""
        ...

    @property
    def identity(self) -> str:
        """Hash of weights and tokenizer."""
        ...

    def __call__(self, packed: Packed, wanted: Wanted) -> Passed:
        """Run the model over packed tokens, without gradients."""
        ...

    def multiply_adds(self, lengths: Tensor) -> int:
        """Return what texts of these lengths ``(n,)`` cost."""
        ...


def check_wanted(model: CausalModel, wanted: Wanted) -> None:
    """Refuse what a model cannot give.

    Raises
    ------
    UsageError
        Where a layer does not exist, or routing is asked of a dense model.
    """
    wrong = [layer for layer in wanted.layers if not -model.depth - 1 <= layer <= model.depth]
    if wrong:
        raise UsageError(f"{model.name} has no layer {wrong[0]}", f"there are 0 to {model.depth}, -1 for the last")
    if wanted.routing and not model.experts[1]:
        raise UsageError(f"{model.name} has no router", "it is no mixture of experts", "read its states")


def attention_and_linear(lengths: Tensor, width: int, each: int) -> int:
    """Return the multiply-adds of one layer: ``each`` a token, and every token with every other of its text.

    Examples
    --------
    >>> attention_and_linear(torch.tensor([2, 3]), 4, 10)
    154
    """
    return int((lengths * each + 2 * lengths**2 * width).sum())


class LabCausal:
    """A model of the workshop behind the seam.

    Parameters
    ----------
    predictor
        A body (:class:`~isogloss.nn.transformer.Transformer`, mixtures of experts among them) and a head; shared, not
        copied.
    tokenizer
        A ``tokenizers.Tokenizer``.
    begin
        Number of the token that every text begins with.
    window
        Most tokens of an input.
    name
        For messages.

    Examples
    --------
    With a base model of the Lab (``isogloss lab build tiny-lm``)::

        LabCausal.of(lab.model("base", run))
    """

    def __init__(
        self, predictor: TokenPredictor, tokenizer: Any, *, begin: int, window: int, name: str = "causal-model"
    ) -> None:
        self.predictor, self.tokenizer, self.name = predictor, tokenizer, name
        self.begin: tuple[int, ...] = (begin,)
        self.end: tuple[int, ...] = ()
        self.blank, self.window = begin, window
        self.body: Transformer = predictor.body  # type: ignore[assignment]
        self.width, self.depth = self.body.config.width, self.body.config.layers
        self.vocabulary = len(predictor.table)

    @classmethod
    def of(cls, base: Any) -> LabCausal:
        """Return a base model of the Lab behind the seam: its ``predictor``, ``tokenizer``, ``begin``, ``window``."""
        return cls(base.predictor, base.tokenizer, begin=base.begin, window=base.window, name=base.name)

    @property
    def experts(self) -> tuple[int, int]:
        """How many layers have a router, and how many experts each has."""
        if not isinstance(self.body, MixtureTransformer):
            return 0, 0
        return len(self.body.mixtures), self.body.mixtures[0].experts

    @property
    def identity(self) -> str:
        """Hash of weights and tokenizer."""
        return module_identity([self.tokenizer.to_str(), self.begin, self.body.config.causal], self.predictor)

    def __call__(self, packed: Packed, wanted: Wanted) -> Passed:
        """Run the model over packed tokens, without gradients."""
        check_wanted(self, wanted)
        body = self.body
        if wanted.bidirectional:  # the same layers under another mask
            body = copy.copy(body)
            body.config = replace(body.config, causal=False)
        training = self.predictor.training
        self.predictor.eval()
        try:
            with torch.no_grad():
                *states, last = body.states(Packed(packed.ids, packed.offsets), (*wanted.layers, -1))  # (T, width) each
                logits = routing = None
                if wanted.logits:
                    ends = last[packed.offsets[1:] - 1]  # (n, width)
                    logits = self.predictor.head(ends, self.predictor.table).float()  # (n, vocabulary)
                if wanted.routing:
                    mixtures: list[MixtureFeedForward] = self.body.mixtures  # type: ignore[assignment]
                    routing = torch.stack([one.routing for one in mixtures], dim=1)  # (T, layers, experts)
        finally:
            self.predictor.train(training)
        return Passed(dict(zip(wanted.layers, states, strict=True)), logits, routing)

    def multiply_adds(self, lengths: Tensor) -> int:
        """Return what texts of these lengths ``(n,)`` cost, logits apart."""
        config = self.body.config
        used = self.body.mixtures[0].top if isinstance(self.body, MixtureTransformer) else 1
        each = 4 * config.width**2 + used * 2 * config.width * config.inner
        return config.layers * attention_and_linear(lengths, config.width, each)
