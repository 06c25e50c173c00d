"""Dense and sparse vectors from one prompt: the state at its end, and the logits of the word that would follow.

Zhuang et al. 2024, "PromptReps: Prompting Large Language Models to Generate Dense and Sparse Representations for
Zero-Shot Document Retrieval" (https://arxiv.org/abs/2404.18424).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import CSR, Dense, Similarity
from isogloss.encoders.surface import as_texts
from isogloss.errors import UsageError
from isogloss.protocols import Encoder, EncodeReport, Role
from isogloss.text.stopwords import stop_words
from isogloss.text.words import WordRules
from isogloss.training.causal_models import CausalModel, Wanted
from isogloss.training.causal_prompts import RETRIEVAL_WORD, Prompt
from isogloss.training.causal_readings import StateReading
from isogloss.training.prompted_encoder import DenseMean, PromptedEncoder, PromptedTexts

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordChoice:
    """Which tokens a sparse vector may hold, and how their logits become weights.

    Attributes
    ----------
    own
        Only tokens of the text's own words. Else all tokens of the vocabulary that are a whole word.
    pieces
        Of a word of several tokens ``"all"`` count, or only the ``"first"``, the one that can really come next.
    lead
        What stands before a word where it would follow the prompt: nothing after a quotation mark, else a space.
    language
        Whose function words are left out; None: none are.
    top
        Most tokens of a text.
    scale
        Weights are ``log(1 + relu(logit))`` times this, rounded; 0: neither scaled nor rounded.
    centred
        Take the mean logit of all tokens off first: probabilities tell logits up to a constant alone, and those of a
        model that was trained for a short time may all be below 0.
    """

    own: bool = True
    pieces: Literal["all", "first"] = "all"
    lead: str = ""
    language: str | None = "en"
    top: int = 128
    scale: float = 100.0
    centred: bool = False

    def __post_init__(self) -> None:
        if self.pieces not in ("all", "first") or self.top < 1 or self.scale < 0:
            said = f"pieces={self.pieces!r}, top={self.top}, scale={self.scale}"
            raise UsageError("words cannot be chosen so", said, "pieces all or first, top from 1, scale from 0")


def saturated(
    logits: NDArray[Any], allowed: NDArray[np.int64], *, top: int, scale: float
) -> tuple[NDArray[np.int64], Dense]:
    """Return the tokens that a sparse vector holds, ascending, and their weights.

    Parameters
    ----------
    logits
        ``(V,)`` of one text.
    allowed
        Tokens that it may hold, ascending.
    top, scale
        As of :class:`WordChoice`; of equal logits the lower token stays.

    Examples
    --------
    >>> columns, weights = saturated(np.log([9.0, 3.0, 0.5, 8.0]), np.array([0, 1, 2]), top=2, scale=100)
    >>> columns.tolist(), weights.tolist()
    ([0, 1], [116.0, 74.0])
    """
    weights = np.log1p(np.maximum(logits[allowed].astype(np.float64), 0))
    weights = np.rint(scale * weights) if scale else weights
    kept = np.sort(np.argsort(-logits[allowed], kind="stable")[:top])
    kept = kept[weights[kept] > 0]
    return allowed[kept], weights[kept].astype(np.float32)


class NextWordEncoder(PromptedTexts):
    """Sparse vectors over the model's tokens; :meth:`both` gives dense ones from the same passes.

    Parameters
    ----------
    model, prompts, query_prompts, window, bidirectional, name
        As for :class:`~isogloss.training.prompted_encoder.PromptedTexts`; logits of several prompts are averaged.
    choice
        Which tokens count, and how.
    layer
        Whose state at the prompt's end is the dense vector.

    Examples
    --------
    With a folder on the machine::

        encoder = NextWordEncoder(open_causal(folder))
        dense, sparse = encoder.both(["Cats sleep all day."], role="document")
    """

    kind: Literal["sparse"] = "sparse"
    similarity = Similarity.DOT

    def __init__(
        self, model: CausalModel, prompts: Prompt | Sequence[Prompt] = RETRIEVAL_WORD, *,
        query_prompts: Prompt | Sequence[Prompt] | None = None, choice: WordChoice | None = None, layer: int = -1,
        window: int | None = None, bidirectional: bool = False, name: str = "",
    ) -> None:  # fmt: skip
        super().__init__(model, prompts, query_prompts, window=window, bidirectional=bidirectional, name=name)
        self.choice = WordChoice() if choice is None else choice
        self.dimensions = model.vocabulary
        self.dense = PromptedEncoder(
            model, self.prompts, query_prompts=self.query_prompts, reading=StateReading("last", layer), window=window,
            bidirectional=bidirectional, name=self.name,
        )  # fmt: skip
        self._rules = WordRules(fold_accents=False)
        self._left_out = stop_words(self.choice.language) if self.choice.language else frozenset[str]()

    @property
    def heads(self) -> Mapping[str, Encoder]:
        """The dense and the sparse encoder of the same prompt."""
        return MappingProxyType({"dense": self.dense, "sparse": self})

    @property
    def _reading(self) -> str:
        return repr(self.choice)

    def encode(
        self,
        inputs: str | Iterable[str],
        *,
        role: Role | None = None,
        instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> CSR:
        """Return the weights of words, ``(n, V)`` float32; parameters as usual.

        A text without a word that counts has an empty row.
        """
        found = self._encode(inputs, role, instruction, report)
        assert isinstance(found, CSR)
        return found

    def both(
        self, inputs: str | Iterable[str], *, role: Role | None = None, instruction: str | None = None,
        report: EncodeReport | None = None,
    ) -> tuple[Dense, CSR]:  # fmt: skip
        """Return the dense and the sparse vectors from the same passes: equal to those of both encoders.

        Parameters
        ----------
        inputs, role, instruction, report
            As for ``encode``; texts that were cut are told in the report alone.
        """
        texts, own = as_texts(inputs), report if report is not None else EncodeReport()
        mean = DenseMean(len(texts), self.dense.dimensions, normalise=True)
        sparse = self._weights(texts, role, instruction, own, mean)
        return mean.vectors(), sparse

    def _read(self, texts: list[str], role: Role | None, instruction: str | None, report: EncodeReport) -> CSR:
        return self._weights(texts, role, instruction, report, None)

    def _weights(
        self, texts: list[str], role: Role | None, instruction: str | None, report: EncodeReport, mean: DenseMean | None
    ) -> CSR:
        reading, prompts = self.dense.reading, len(self.query_prompts if role == "query" else self.prompts)
        wanted = Wanted(logits=True) | (reading.wanted if mean is not None else Wanted())
        allowed = [self._own(text) for text in texts] if self.choice.own else [self.whole_words] * len(texts)
        # logits of all texts would be too many numbers: only those that may count are kept
        sums = [np.zeros(len(one)) for one in allowed]
        for one in self.passes(texts, wanted, role=role, instruction=instruction, report=report):
            if mean is not None:
                mean.add(one, reading)
            assert one.passed.logits is not None
            for row, logits in zip(one.rows, one.passed.logits.numpy(), strict=True):
                sums[row] += (logits[allowed[row]] - (logits.mean() if self.choice.centred else 0)) / prompts
        chosen = self.choice
        found = [
            saturated(total, np.arange(len(total)), top=chosen.top, scale=chosen.scale) for total in sums
        ]  # places in allowed
        columns = [one[places] for one, (places, _) in zip(allowed, found, strict=True)]
        offsets = np.cumsum([0, *map(len, columns)]).astype(np.int64)
        indices = np.concatenate([*columns, np.zeros(0, np.int64)])
        values = np.concatenate([*(weights for _, weights in found), np.zeros(0, np.float32)])
        return CSR(offsets, indices, values.astype(np.float32), self.dimensions)

    def _own(self, text: str) -> NDArray[np.int64]:
        """Return the tokens of a text's words, ascending."""
        words = {word for word, _, _ in self._rules.words(text.lower())} - self._left_out
        return self._tokens(sorted(words))

    def _tokens(self, words: Sequence[str]) -> NDArray[np.int64]:
        encoded = self._ids([self.choice.lead + word for word in words])
        kept = [one[:1] if self.choice.pieces == "first" else one for one in encoded]
        return np.unique(np.concatenate([*kept, np.zeros(0, np.int64)]))

    @cached_property
    def whole_words(self) -> NDArray[np.int64]:
        """The tokens that are a whole lower-case word and no function word, ascending."""
        tokenizer: Any = self.model.tokenizer
        numbers = sorted(number for number in tokenizer.get_vocab().values() if number < self.dimensions)
        words = [word.strip() for word in tokenizer.decode_batch([[number] for number in numbers])]
        known = [(number, word) for number, word in zip(numbers, words, strict=True)
                 if _WORD.fullmatch(word) and word == word.lower() and word not in self._left_out]  # fmt: skip
        again = self._ids([self.choice.lead + word for _, word in known])
        kept = [number for (number, _), ids in zip(known, again, strict=True) if ids.tolist() == [number]]
        return np.array(kept, np.int64)
