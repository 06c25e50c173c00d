"""A causal language model as an encoder: which tokens are read, where, behind which prompt, and with which mask."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from isogloss.arrays import Dense, charge
from isogloss.errors import UsageError
from isogloss.nn.packing import Packed, pack
from isogloss.nn.pooling import pool
from isogloss.nn.transformer import Transformer
from isogloss.protocols import EncodeReport
from isogloss.training.language_model import alike
from isogloss.training.torch_encoder import TorchEncoder
from isogloss.training.weights_digest import module_identity

Ids = NDArray[np.int64]
Pooling = Literal["last", "mean", "weighted"]
_MODES = {"last": "lasttoken", "mean": "mean", "weighted": "weightedmean"}

PLAIN = "{text}"
ONE_WORD = 'This sentence : " {text} " means in one word : "'
"""PromptEOL, Jiang et al. 2024, "Scaling Sentence Embeddings with Large Language Models"
(https://arxiv.org/abs/2307.16645)."""
ECHO = "{text} {text}"
"""The text twice, so that the second copy has seen all of it: Springer et al. 2024, "Repetition Improves Language Model
Embeddings" (https://arxiv.org/abs/2402.15449)."""
ENSEMBLE = (
    ONE_WORD,
    'The topic of this sentence : " {text} " is in one word : "',
    'The meaning of this sentence : " {text} " is in one word : "',
)
"""Several prompts whose vectors are averaged: Lei et al. 2024, "Meta-Task Prompting Elicits Embeddings from Large
Language Models" (https://arxiv.org/abs/2402.18458); the words are ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How vectors are read off a causal language model.

    Attributes
    ----------
    pooling
        ``last``: the state of the last token, prompt included. ``mean``: of the text's own tokens. ``weighted``: their
        mean with weights 1, 2, 3 ... (SGPT, https://arxiv.org/abs/2202.08904). Where a prompt holds the text twice, the
        last copy is read.
    prompts
        What stands around the text (``{text}``); the vectors of several are averaged.
    layer
        Whose states are read: N the layer, -1 the last one.
    bidirectional
        Let every token see all others (https://arxiv.org/abs/2404.05961).
    normalise
        Scale vectors to length one.
    """

    pooling: Pooling = "last"
    prompts: tuple[str, ...] = (PLAIN,)
    layer: int = -1
    bidirectional: bool = False
    normalise: bool = True

    def __post_init__(self) -> None:
        if self.pooling not in _MODES:
            raise UsageError(f"no pooling is called {self.pooling!r}", f"there are {', '.join(_MODES)}")
        wrong = [one for one in self.prompts if "{text}" not in one]
        if wrong or not self.prompts:
            raise UsageError("a prompt needs the text", f"{wrong or 'there is none'}", "put {text} where it stands")


class CausalReader(nn.Module):
    """From packed tokens to vectors; ``packed.types`` are 1 at the tokens that are read.

    Parameters
    ----------
    body
        The language model's transformer.
    reading
        How it is read.
    """

    def __init__(self, body: Transformer, reading: Reading) -> None:
        super().__init__()
        self.body, self.reading = body, reading
        if reading.bidirectional:  # the same layers under another mask
            self.body = copy.copy(body)
            self.body.config = replace(body.config, causal=False)

    def forward(self, packed: Packed) -> Tensor:
        """Return ``(n, width)``."""
        if packed.types is None:
            raise UsageError("nothing says which tokens are read", "packed.types is None", "use encoder.pack(texts)")
        states = self.body.states(Packed(packed.ids, packed.offsets), (self.reading.layer,))[0]  # (T, width)
        kept = packed.types.bool()  # (T,)
        counts = torch.zeros(len(packed), dtype=torch.int64).index_add(0, packed.texts(), packed.types)  # (n,)
        offsets = functional.pad(counts.cumsum(0), (1, 0))  # (n + 1,)
        mode: Any = _MODES[self.reading.pooling]
        vectors = pool(states[kept], Packed(packed.ids[kept], offsets), [mode])  # (n, width)
        return functional.normalize(vectors, dim=-1) if self.reading.normalise else vectors


class CausalEncoder(TorchEncoder):
    """An encoder that reads a causal language model.

    Tao et al. 2024, "LLMs are Also Effective Embedding Models: An In-depth Overview"
    (https://arxiv.org/abs/2412.12591) lists these readings.

    Parameters
    ----------
    body
        The language model's transformer; it is shared, not copied.
    tokenizer
        A ``tokenizers.Tokenizer``.
    begin
        Number of the token that every text begins with.
    reading
        How vectors are read.
    window
        Longest input in tokens; the text is cut, its prompt is not.
    name
        Of the encoder.

    Raises
    ------
    UsageError
        Where a prompt leaves no room for text.
    """

    def __init__(
        self, body: Transformer, tokenizer: Any, *, begin: int, reading: Reading | None = None, window: int = 128,
        name: str = "causal",
    ) -> None:  # fmt: skip
        self.reading = reading or Reading()
        self.reader = CausalReader(body, self.reading)
        self.tokenizer, self.begin, self.window, self.name = tokenizer, begin, window, name
        self.dimensions: int = body.config.width
        self.trained = 0  # numbers that tuning moved
        self._frames = [self._frame(prompt) for prompt in self.reading.prompts]

    @classmethod
    def of(cls, model: Any, **reading: Any) -> CausalEncoder:
        """Return the encoder of a causal base model of the Lab; ``reading`` are the fields of :class:`Reading`."""
        return cls(
            model.predictor.body, model.tokenizer, begin=model.begin, reading=Reading(**reading), window=model.window,
            name=model.name,
        )  # fmt: skip

    @property
    def identity(self) -> str:
        """Hash of weights, tokenizer, reading and window."""
        told = [self.tokenizer.to_str(), self.begin, self.window, repr(self.reading)]
        return module_identity(told, self.reader.body)

    def _encoded(self, texts: list[str], report: EncodeReport) -> Dense:
        ids = self._ids(texts)
        out = np.zeros((len(texts), self.dimensions), np.float32)
        for number, frame in enumerate(self._frames):
            rows, marks = self._placed(ids, frame, EncodeReport() if number else report)
            for batch in alike([len(row) for row in rows], 4096):
                packed = pack([rows[i] for i in batch], [marks[i] for i in batch])
                out[batch] += self._read(packed)
        out /= len(self._frames)
        if self.reading.normalise and len(self._frames) > 1:
            out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return out

    def pack(self, texts: Sequence[str]) -> Packed:
        """Return the tokens of texts in the first prompt, with types that say which are read: what training takes."""
        rows, marks = self._placed(self._ids(list(texts)), self._frames[0], EncodeReport())
        return pack(rows, marks)

    def tokens_read(self, texts: Sequence[str]) -> int:
        """Return how many tokens the model reads for these texts, prompts and copies included."""
        ids = self._ids(list(texts))
        return sum(len(row) for frame in self._frames for row in self._placed(ids, frame, EncodeReport())[0])

    def _read(self, packed: Packed) -> Dense:
        training = self.reader.training
        self.reader.eval()
        try:
            with torch.no_grad():
                found = self.reader(packed).float().numpy()  # (m, width)
        finally:
            self.reader.train(training)
        config = self.reader.body.config
        layers = config.layers if self.reading.layer < 0 else self.reading.layer
        each = 4 * config.width**2 + 2 * config.width * config.inner
        lengths = packed.lengths.numpy()
        charge(multiply_adds=layers * int((lengths * each + 2 * lengths**2 * config.width).sum()))
        return np.asarray(found, np.float32)

    def _frame(self, prompt: str) -> list[Ids]:
        """Return the tokens before, between and after the copies of the text."""
        parts = [np.array(self.tokenizer.encode(one).ids, np.int64) for one in prompt.split("{text}")]
        parts[0] = np.concatenate([[self.begin], parts[0]])
        if self.window - sum(map(len, parts)) < len(parts) - 1:
            why = f"it takes {sum(map(len, parts))} of {self.window} tokens"
            raise UsageError("a prompt leaves no room for text", why, "shorten it")
        return parts

    def _ids(self, texts: list[str]) -> list[Ids]:
        clean = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
        return [np.array(one.ids, np.int64) for one in self.tokenizer.encode_batch(clean, add_special_tokens=False)]

    def _placed(self, ids: list[Ids], frame: list[Ids], report: EncodeReport) -> tuple[list[Ids], list[Ids]]:
        """Return for each text its tokens in the prompt, and 1 at those that are read."""
        room = (self.window - sum(map(len, frame))) // (len(frame) - 1)
        rows, marks = [], []
        for text in ids:
            kept = text[:room]
            row = np.concatenate([part for piece in frame[:-1] for part in (piece, kept)] + [frame[-1]])
            stop = len(row) - len(frame[-1])
            mark = np.zeros(len(row), np.int64)
            if self.reading.pooling == "last" or not len(kept):
                mark[-1] = 1
            else:
                mark[stop - len(kept) : stop] = 1
            rows.append(row)
            marks.append(mark)
            lost = len(text) - len(kept)
            report.add(texts=1, tokens=len(text), cut=int(lost > 0), lost=lost, window=self.window)
        return rows, marks
