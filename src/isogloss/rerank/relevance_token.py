"""Ranking as writing one word: the model reads query and document and says whether the document is relevant."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray

from isogloss.arrays import charge
from isogloss.errors import NonFiniteError, UsageError
from isogloss.nn.packing import pack
from isogloss.nn.seq2seq import Seq2Seq
from isogloss.text.sentences import sentences
from isogloss.vocabulary.templates import TokenTemplate
from isogloss.vocabulary.wordpiece import WordPiece

TEMPLATE = "Query: {query} Document: {document} Relevant:"
"""The paper's prompt."""


class RelevanceTokenReranker:
    """Scores documents by how much likelier one word is than another as the answer to a prompt.

    Nogueira, Jiang, Pradeep and Lin 2020, "Document Ranking with a Pretrained Sequence-to-Sequence Model"
    (https://arxiv.org/abs/2003.06713). Only the first step is decoded, and only the two words' logits count: the paper
    ranks by the soft-max over both, which orders documents as the difference of the logits does.

    Parameters
    ----------
    model
        An encoder-decoder whose outputs share the tokenizer's table.
    pieces
        Its tokenizer.
    template
        With the fields ``query`` and ``document``.
    words
        For a relevant document, and for one that is not; one token each.
    longest
        Most tokens of a prompt; what of the document does not fit is cut.
    longest_query
        Most tokens of a query.
    window, stride
        Documents of more sentences are read in overlapping windows of so many sentences, and the best one counts;
        a window of 0 reads documents as they are.
    batch_size
        Prompts read at once.

    Raises
    ------
    UsageError
        Where a word is not one token of the model, both are the same, or window and stride make no sense.

    Examples
    --------
    With a base model of the Lab::

        reranker = RelevanceTokenReranker(base.model, base.pieces)
        reranker.score("how hot is the sun", ["It is 5,500 degrees hot.", "Cats sleep."])  # (2,) logits
    """

    def __init__(
        self, model: Seq2Seq, pieces: WordPiece, *, template: str = TEMPLATE,
        words: tuple[str, str] = ("true", "false"), longest: int = 256, longest_query: int = 64,
        window: int = 10, stride: int = 5, batch_size: int = 64,
    ) -> None:  # fmt: skip
        if window < 0 or (window and not 0 < stride <= window) or batch_size < 1:
            raise UsageError(
                "documents cannot be cut into such windows", f"{window} sentences every {stride}, {batch_size} at once",
                "take a stride of at least one sentence and at most the window",
            )  # fmt: skip
        if not model.config.shared:
            raise UsageError("the words are no outputs of this model", "its outputs are rows of their own")
        self.model, self.pieces, self.words = model, pieces, words
        self.true, self.false = (word_number(pieces, word) for word in words)
        if self.true == self.false:
            raise UsageError("relevance needs two different words", f"both are {words[0]!r}")
        self.window, self.stride, self.batch_size = window, stride, batch_size
        self.prompt: TokenTemplate = relevance_prompt(pieces, template, longest=longest, longest_query=longest_query)

    def score(self, query: str, documents: Sequence[str]) -> NDArray[np.float32]:
        """Return how much likelier the first word is than the second for each document, as a logit ``(n,)``.

        Raises
        ------
        NonFiniteError
            Where the model gives NaN or infinity.
        """
        parts = [sentence_windows(text, self.window, self.stride) if self.window else [text] for text in documents]
        counts = [len(one) for one in parts]
        if not counts:
            return np.zeros(0, np.float32)
        pieces = list(chain.from_iterable(parts))
        logits = self.logits([query] * len(pieces), pieces)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        return np.maximum.reduceat(logits, starts).astype(np.float32)

    def logits(self, queries: Sequence[str], texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the logit ``(n,)`` of each pair of query and text; texts are not cut into windows."""
        prompts = self.prompt(query=queries, document=texts)
        order = np.argsort([len(prompt) for prompt in prompts], kind="stable")  # alike in length: little padding
        found = np.zeros(len(prompts), np.float32)
        self.model.eval()
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            found[rows] = self._read([prompts[i] for i in rows])
        if not np.isfinite(found).all():
            bad = int(np.flatnonzero(~np.isfinite(found))[0])
            raise NonFiniteError("the reranker gives no number", f"for {texts[bad][:60]!r}", "train the model again")
        return found

    @torch.inference_mode()
    def _read(self, prompts: list[NDArray[np.int64]]) -> NDArray[np.float32]:
        state = self.model.begin(pack(prompts))
        logits, _ = self.model.step(state, torch.full((len(prompts),), self.model.start))  # (n, outputs)
        charge(decode_steps=len(prompts))
        return np.asarray((logits[:, self.true] - logits[:, self.false]).float().numpy())  # (n,)


def relevance_prompt(
    pieces: WordPiece, template: str = TEMPLATE, *, longest: int = 256, longest_query: int = 64
) -> TokenTemplate:
    """Return the prompt of query and document as a function to token ids, for training and for ranking.

    Examples
    --------
    >>> pieces = WordPiece(["[UNK]", "[CLS]", "[SEP]", "query", ":", "document", "relevant", "why"])
    >>> prompt = relevance_prompt(pieces, longest=12, longest_query=2)
    >>> prompt(query=["why why why"], document=["why why why"])[0].tolist()
    [1, 3, 4, 7, 7, 5, 4, 7, 7, 6, 4, 2]
    """
    marks = [pieces.numbers[mark] for mark in ("[CLS]", "[SEP]")]
    most = {"query": longest_query}
    return TokenTemplate(pieces, template, longest=longest, most=most, before=marks[:1], after=marks[1:])


def word_number(pieces: WordPiece, word: str) -> int:
    """Return the number of a word that is one token.

    Raises
    ------
    UsageError
        Where it is several tokens or unknown.

    Examples
    --------
    >>> word_number(WordPiece(["[UNK]", "true"]), "true")
    1
    """
    ids = pieces.ids([word])[0].tolist()
    if len(ids) != 1 or ids[0] == pieces.unknown:
        raise UsageError(f"{word!r} is not one token", f"the tokenizer cuts it into {len(ids)}", "choose another word")
    return int(ids[0])


def sentence_windows(text: str, window: int = 10, stride: int = 5) -> list[str]:
    """Cut a text into overlapping windows of sentences, the last of which ends with the text; a short text stays whole.

    Parameters
    ----------
    text
        Any text.
    window, stride
        Sentences of a window, and from the start of one to that of the next.

    Examples
    --------
    >>> sentence_windows("One. Two. Three. Four. Five.", 3, 2)
    ['One. Two. Three.', 'Three. Four. Five.']
    """
    spans = sentences(text)
    if len(spans) <= window:
        return [text]
    starts = range(0, len(spans) - window + stride, stride)
    return [text[spans[at][0] : spans[min(at + window, len(spans)) - 1][1]].strip() for at in starts]
