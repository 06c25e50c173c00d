"""Admission tests of language models: bits per byte of held-out text beside what counting tokens gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from isogloss.learners.kneser_ney import NgramModel, fit_ngrams
from isogloss.nn.packing import pack
from isogloss.objectives.token_targets import IGNORED
from isogloss.training.base_models._artifact import CausalBase, MaskedBase
from isogloss.training.base_models._plan import Admission, Material
from isogloss.training.base_models._text import held_out, learned
from isogloss.training.corpus_tokens import token_ids

CLEARLY, FAR = 0.95, 0.85
"""Shares of the unigram model's bits at which a masked and a causal model are clearly below it. Kneser-Ney bigrams over
the same tokens are measured beside: what half a minute of training leaves of their lead belongs on the model's card."""


def counted(texts: Sequence[str], tokenizer: Any, longest: int) -> dict[str, NgramModel]:
    """Return Kneser-Ney models of the tokens of texts by name: what counting alone knows of them."""
    rows, size = list(token_ids(texts, tokenizer)), tokenizer.get_vocab_size()
    names = ("unigram", "bigram", "trigram")[:longest]
    return {name: fit_ngrams(rows, size, order) for order, name in enumerate(names, 1)}


def bits(nats: NDArray[np.float64], sizes: NDArray[Any]) -> float:
    """Return bits per byte.

    Examples
    --------
    >>> round(bits(np.array([math.log(4)]), np.array([1])), 6)
    2.0
    """
    return float(nats.sum() / sizes.sum() / math.log(2))


def admit_causal(model: CausalBase, material: Material) -> Admission:
    """Demand that a causal model foretells held-out text far better than by frequency, and sees no future."""
    texts = held_out(material)
    nats, sizes = model.nll(texts)
    measured = {"bits per byte": bits(nats, sizes)}
    tested = token_ids(texts, model.tokenizer)
    for name, ngrams in counted(learned(material), model.tokenizer, 3).items():
        found = [-np.log(ngrams.probabilities(row)).sum() for row in tested]
        measured[name] = bits(np.array(found), sizes)
    demands = {
        "bits per byte at least 15 % below the unigram model's": measured["bits per byte"] < FAR * measured["unigram"],
        "states do not change with later tokens": _blind_to_the_future(model),
    }
    return Admission.of(measured, demands)


def _blind_to_the_future(model: CausalBase) -> bool:
    ids = token_ids(["The line stands between one word and another, and so it does here."], model.tokenizer).values
    other = ids.copy()
    other[-1] = (other[-1] + 7) % model.tokenizer.get_vocab_size()
    with torch.inference_mode():
        first, second = (model.predictor.body(pack([one])) for one in (ids, other))  # (T, width)
    return bool(torch.equal(first[:-1], second[:-1])) and not bool(torch.equal(first[-1], second[-1]))


def causal_bits(model: CausalBase, material: Material) -> dict[str, float]:
    """Return bits per byte of held-out text: the model's, and by Kneser-Ney models up to trigrams."""
    texts = held_out(material)
    measured = {"bits per byte": bits(*model.nll(texts))}
    tested, sizes = token_ids(texts, model.tokenizer), np.array([len(text.encode()) for text in texts])
    for name, ngrams in counted(learned(material), model.tokenizer, 3).items():
        measured[name] = bits(np.array([-np.log(ngrams.probabilities(row)).sum() for row in tested]), sizes)
    return measured


def future_seen(model: CausalBase) -> tuple[float, float]:
    """Return how far states before a changed token move, and how far its own does: the former is rounding at most.

    In a mixture of experts each product's size depends on how many tokens an expert takes, and with it the last bits.
    """
    ids = token_ids(["Before a changed word everything has to stay what it was: no state may know what follows it."],
                    model.tokenizer).values  # fmt: skip
    other = ids.copy()
    other[-1] = (other[-1] + 7) % model.tokenizer.get_vocab_size()
    with torch.inference_mode():
        first, second = (model.predictor.body(pack([one])) for one in (ids, other))  # (T, width)
    moved = (first - second).abs().amax(1)  # (T,)
    return float(moved[:-1].max()), float(moved[-1])


def masked_bits(model: MaskedBase, material: Material) -> dict[str, float]:
    """Return bits per byte of the hidden tokens of held-out text: the model's, by pairs of tokens, by single tokens."""
    texts = held_out(material)
    nats, sizes = model.nll(texts)
    measured = {"bits per byte": bits(nats, sizes)}
    rows, _, owners = model.windows(texts)
    hidden = [model.hidden([row], [texts[i]])[1].numpy() != IGNORED for row, i in zip(rows, owners, strict=True)]
    for name, ngrams in counted(learned(material), model.tokenizer.tokenizer, 2).items():
        pairs = zip(rows, hidden, strict=True)
        found = [-np.log(ngrams.probabilities(row[1:])[at[1:]]).sum() for row, at in pairs]  # [CLS] is no token of text
        measured[name] = bits(np.array(found), sizes)
    return measured


def admit_masked(model: MaskedBase, material: Material) -> Admission:
    """Demand that hidden tokens cost clearly fewer bits than by their frequency."""
    measured = masked_bits(model, material)
    clear = measured["bits per byte"] < CLEARLY * measured["unigram"]
    return Admission.of(measured, {"bits per byte at least 5 % below the unigram model's": clear})


def similarity_score(model: Any, material: Material) -> float:
    """Return Spearman's correlation of cosines with the grades of STS-B's development pairs."""
    from scipy.stats import spearmanr

    pairs = material.examples("sts-b", "dev")
    left, right = model.encode(pairs.left), model.encode(pairs.right)  # (n, d) each, length one
    return float(spearmanr((left * right).sum(1), pairs.scores).statistic)
