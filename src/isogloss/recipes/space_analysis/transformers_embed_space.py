"""Analyzing Transformers in Embedding Space (Dar et al., 2022).

Every parameter of a transformer that lies along its states can be read without running it: its inner products with the
table of token vectors say which tokens it points at. A neuron of a feed-forward layer has two such parameters, the key
that it reads by and the value that it writes; if both speak of tokens, their strongest tokens should overlap more than
those of two neurons. Here a key looks for its own value among those of its layer, by the tokens that they share.
"""

from typing import Any

import numpy as np

from isogloss.evaluation.neighbours import hits_at, known_item
from isogloss.evaluation.vocabulary_space import FeedForward, feed_forward, shared_tokens, top_tokens
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="transformers-embed-space",
    seed=15,
    title="Analyzing Transformers in Embedding Space",
    year=2022,
    url="https://arxiv.org/abs/2209.02535",
    family="space-analysis",
    sort="method",
    claim="A neuron's key and value point at the same tokens more than those of two neurons, in the space of tokens.",
    regime="Feed-forward layers of a transformer, read through its own table of token vectors.",
    baseline="the keys with the values of other neurons of their layer",
    placebo="the same neurons read through random vectors of the token table's mean and covariance",
    fidelity="transposed",
    needs={"base": "minilm"},
    margin=0.01,
    minutes=1,
    deviations=(
        "MiniLM, an encoder with norms after its layers, tuned for sentences, instead of GPT-2 medium",
        "one of the paper's findings: attention, hidden states, aligned models and stitched classifiers are left out",
        "100 neurons of each layer a run; judged by the rank of a key's own value instead of the overlap alone",
    ),
)
_NEURONS, _UNUSED = 100, 999


def make(parameters: FeedForward, keys: Any, values: Any, *, k: int = 100, words: Any = None) -> Any:
    """Return which share of their tokens keys and values have in common, ``(layers * n, n)``.

    Parameters
    ----------
    parameters
        Of the model.
    keys, values
        ``(layers, n)``: the neurons whose keys ask, and those whose values are asked, layer by layer.
    k
        Tokens of each.
    words
        Vectors of the tokens; None for the model's own, without those that stand for nothing.
    """
    table = parameters.words[_UNUSED:] if words is None else words
    shares = []
    for layer, (asking, asked) in enumerate(zip(keys, values, strict=True)):
        read = top_tokens(parameters.keys[layer][asking], table, k)
        written = top_tokens(parameters.values[layer][asked], table, k)
        shares.append(shared_tokens(read, written, len(table)))
    return np.concatenate(shares)


def check(lab: Lab) -> Evidence:
    """Let each of 600 keys look for its own value among 100, by the tokens that they share."""
    parameters = feed_forward(lab.model("base"))
    layers, neurons, width = parameters.keys.shape
    known = parameters.words[_UNUSED:]
    gold = np.tile(np.arange(_NEURONS), layers)

    def drawn(run: Run) -> Any:
        return np.stack([lab.rng(run, "neurons", layer).permutation(neurons)[:_NEURONS] for layer in range(layers)])

    def paired(run: Run) -> Any:
        return make(parameters, drawn(run), drawn(run))

    def unpaired(run: Run) -> Any:
        return make(parameters, drawn(run), np.roll(drawn(run), 1, axis=1))

    def nowhere(run: Run) -> Any:
        root = np.linalg.cholesky(np.cov(known.T) + 1e-9 * np.eye(width))
        words = lab.rng(run, "placebo").standard_normal(known.shape) @ root.T + known.mean(0)
        return make(parameters, drawn(run), drawn(run), words=words.astype(np.float32))

    def rank(shares: Any) -> Any:
        return known_item(shares, gold, k=_NEURONS)

    def layer_rank(layer: int) -> Any:
        rows = slice(layer * _NEURONS, (layer + 1) * _NEURONS)
        return lambda shares: known_item(shares[rows], gold[rows], k=_NEURONS)

    return lab.evidence(
        primary=lab.better(paired, unpaired, nowhere, judge=rank, name="own value over another neuron's"),
        guards=[
            lab.reported(paired, judge=lambda shares: hits_at(shares, gold, k=1), name="own value first of 100"),
            *(lab.reported(paired, judge=layer_rank(layer), name=f"nDCG in layer {layer + 1}")
              for layer in range(layers)),
        ],
        immune={"shuffled": "nothing is fitted: the parameters are read as they are",
                "labels": "there are no labels: a key's own value is the right one"},
    )  # fmt: skip
