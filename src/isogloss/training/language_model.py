"""A trained causal model as a LanguageModel: nats and bytes of texts, and texts that it goes on with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from isogloss.arrays import charge
from isogloss.errors import IsoglossWarning, UsageError
from isogloss.nn.packing import pack
from isogloss.seeding import derive
from isogloss.training.corpus_tokens import token_ids

Ids = NDArray[np.int64]
Constraint = Callable[[list[int]], Sequence[int] | None]
"""From the tokens written so far to those allowed next; None: all."""


class TrainedLanguageModel:
    """Probabilities of whole texts, end included, by a model of the next token.

    Parameters
    ----------
    module
        From packed tokens to logits ``(T, V)``: a causal :class:`~isogloss.nn.heads.TokenPredictor`.
    tokenizer
        One of ``isogloss.vocabulary`` or a ``tokenizers.Tokenizer``.
    begin, end
        Tokens before and after a text; they may be the same.
    window
        Most tokens that the module takes; longer texts are read in windows that overlap by half.
    unknown
        Number of the token for what the tokenizer does not know, or None.

    Raises
    ------
    UsageError
        Where the window is below two tokens.
    """

    def __init__(
        self, module: nn.Module, tokenizer: Any, *, begin: int, end: int, window: int = 512, unknown: int | None = None
    ) -> None:
        if window < 2:
            raise UsageError("a window holds at least two tokens", f"it is {window}")
        self.module, self.tokenizer = module.eval(), tokenizer
        self.begin, self.end, self.window, self.unknown = begin, end, window, unknown

    def nll(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the negative log-likelihood of each text in nats, and its length in UTF-8 bytes, both ``(n,)``.

        Bits per byte are ``nats.sum() / bytes.sum() / log(2)``: the number that models with different tokenizers are
        compared by. The perplexity per token is no such number.

        Warns
        -----
        IsoglossWarning
            Where texts hold unknown tokens: their nats do not tell what stood there.
        """
        tokens = token_ids(texts, self.tokenizer)
        self._warn(tokens.values)
        nats = np.zeros(len(texts))
        pieces = [
            (number, ids, fresh)
            for number, row in enumerate(tokens)
            for ids, fresh in windows(np.concatenate([[self.begin], row, [self.end]]), self.window)
        ]
        for batch in alike([len(ids) for _, ids, _ in pieces]):
            packed = pack([pieces[i][1] for i in batch])
            with torch.inference_mode():
                logits = self.module(packed).float()  # (T, V)
                found = functional.cross_entropy(logits[:-1], packed.ids[1:], reduction="none").double().numpy()
            ends = packed.offsets[1:].numpy() - 1  # in `found` the last token of a text stands for nothing
            for i, end in zip(batch, ends, strict=True):
                number, _, fresh = pieces[i]
                nats[number] += found[end - fresh : end].sum()
        return nats, np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts], np.int64)

    def generate(
        self, prompts: Sequence[str], constraint: Constraint | None = None, *, longest: int = 32,
        temperature: float = 0.0, seed: int = 0,
    ) -> list[str]:  # fmt: skip
        """Return how each prompt goes on, without the prompt.

        Parameters
        ----------
        prompts
            Texts; an empty one begins from nothing.
        constraint
            Which tokens may come next.
        longest
            Most tokens that are written.
        temperature
            0 takes the most probable token, 1 draws as the model says.
        seed
            Of the draws.

        Raises
        ------
        UsageError
            Where the constraint allows nothing.
        """
        made = [self._write(prompt, constraint, longest, temperature, derive(seed, "write", i))
                for i, prompt in enumerate(prompts)]  # fmt: skip
        return [str(getattr(self.tokenizer, "tokenizer", self.tokenizer).decode(one)) for one in made]

    def _write(
        self, prompt: str, constraint: Constraint | None, longest: int, temperature: float, seed: int
    ) -> list[int]:
        ids = [self.begin, *(token_ids([prompt], self.tokenizer).values.tolist() if prompt.strip() else [])]
        draw, made = torch.Generator().manual_seed(seed % 2**63), list[int]()
        for _ in range(longest):
            with torch.inference_mode():
                logits = self.module(pack([np.array((ids + made)[-self.window :], np.int64)]))[-1].double()  # (V,)
            charge(decode_steps=1)
            logits = _allowed(logits, None if constraint is None else constraint(made))
            if temperature == 0:
                chosen = int(logits.argmax())
            else:
                chosen = int(torch.multinomial(torch.softmax(logits / temperature, 0), 1, generator=draw))
            if chosen == self.end:
                break
            made.append(chosen)
        return made

    def _warn(self, ids: Ids) -> None:
        count = 0 if self.unknown is None else int((ids == self.unknown).sum())
        if count:
            said = f"{count} of {len(ids)} tokens are unknown to the tokenizer: their nats say too little"
            warnings.warn(said, IsoglossWarning, stacklevel=3)


def _allowed(logits: torch.Tensor, allowed: Sequence[int] | None) -> torch.Tensor:
    if allowed is None:
        return logits
    if not len(allowed):
        raise UsageError("the constraint allows no token", "it gave an empty list", "allow the end token")
    kept = torch.full_like(logits, -torch.inf)
    places = torch.as_tensor(list(allowed))
    kept[places] = logits[places]
    return kept


def windows(ids: Ids, window: int) -> Iterator[tuple[Ids, int]]:
    """Yield pieces of a long sequence, and how many tokens at the end of each are judged there for the first time.

    The first piece judges all but its first token; each further one begins half a window later.

    Examples
    --------
    >>> [(ids.tolist(), fresh) for ids, fresh in windows(np.arange(7), 4)]
    [([0, 1, 2, 3], 3), ([2, 3, 4, 5], 2), ([4, 5, 6], 1)]
    """
    yield ids[:window], min(len(ids), window) - 1
    stride, done = max(1, window // 2), window
    while done < len(ids):
        stop = min(len(ids), done + stride)
        yield ids[done + stride - window : stop], stop - done
        done = stop


def alike(lengths: Sequence[int], tokens: int = 8192) -> Iterator[list[int]]:
    """Yield the numbers of sequences of like lengths together, at most ``tokens`` tokens at a time, padding counted.

    Examples
    --------
    >>> list(alike([3, 9, 3], 8))
    [[0, 2], [1]]
    """
    batch: list[int] = []
    for i in np.argsort(np.asarray(lengths), kind="stable"):
        if batch and (len(batch) + 1) * lengths[i] > tokens:
            yield batch
            batch = []
        batch.append(int(i))
    if batch:
        yield batch
