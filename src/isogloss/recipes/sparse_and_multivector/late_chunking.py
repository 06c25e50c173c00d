"""Late Chunking: Contextual Chunk Embeddings Using Long-Context Embedding Models (Günther et al., 2024).

The whole document goes through the encoder once; the token vectors inside each chunk's span are then averaged, so that
a chunk's vector has seen the text around it. Documents longer than the window are read in overlapping windows. Nothing
is trained. Here chunks are sentences, and the questions name the article that the sentence itself does not name: the
case that the paper's examples describe.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from isogloss.arrays import Ragged
from isogloss.encoders.contextual import late_chunks
from isogloss.evaluation.context_windows import context_windows, mixed
from isogloss.evaluation.neighbours import cosines, hits_at, known_item
from isogloss.evaluation.sample import Sample
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run

CARD = Card(
    slug="late-chunking",
    seed=90,
    title="Late Chunking: Contextual Chunk Embeddings Using Long-Context Embedding Models",
    year=2024,
    url="https://arxiv.org/abs/2409.04701",
    family="sparse-and-multivector",
    sort="method",
    claim="Chunk vectors pooled after the whole document was encoded retrieve chunks better than chunks encoded alone.",
    regime="Chunks that refer back to what their document said before; a mean-pooled encoder whose window holds it.",
    baseline="the same sentences, each encoded alone",
    placebo="the same sentences pooled late from windows filled with sentences of chance",
    fidelity="transposed",
    needs={"base": "minilm", "passages": "squad-newwiki-retrieval"},
    margin=0.01,
    minutes=6,
    deviations=(
        "an encoder with a window of 256 tokens instead of 8,192, and windows of four to six sentences",
        "questions are a title and two words of the sentence, not the BEIR questions of the paper",
    ),
)


def make(encoder: Any, *, layer: int = -1, overlap: int = 0) -> Callable[..., Ragged]:
    """Return a function from texts and spans to one vector a span, ``Ragged``: the encoder's late chunks.

    Parameters
    ----------
    encoder
        An encoder with ``states``.
    layer
        Whose output is pooled.
    overlap
        Tokens that neighbouring windows share where a text is longer than the encoder's window.

    Examples
    --------
    With a model on the machine::

        chunks = make(load_encoder("minilm"))
        chunks(["Oslo is a city. It has trams."], [[(0, 15), (16, 29)]]).values.shape  # (2, 384)
    """
    return partial(late_chunks, encoder, layer=layer, overlap=overlap)


def check(lab: Lab) -> Evidence:
    """Ask for sentences by title and two words; pooled late, alone, and late in windows of chance."""
    base: Any = lab.model("base")
    made = context_windows(lab.data("passages").documents)
    asked, sentences = made.collection, [record.text for record in made.collection.documents]
    place = {record.id: number for number, record in enumerate(asked.documents)}
    gold = np.array([place[document] for judged in asked.qrels.values() for document in judged])
    window = np.array([int(document.split(":")[0]) for judged in asked.qrels.values() for document in judged])
    questions, titles = base.encode(list(asked.queries.values())), base.encode(list(made.titled.values()))

    def found(vectors: Any) -> Sample:
        return known_item(cosines(questions, vectors), gold, groups=window)

    def found_by_title(vectors: Any) -> Sample:
        return hits_at(cosines(titles, vectors), gold, groups=window)

    def late(run: Run) -> Any:
        return make(base)(made.texts(), made.spans()).values

    def alone(run: Run) -> Any:
        return base.encode(sentences)

    def late_by_chance(run: Run) -> Any:
        other = mixed(made, seed=run.seed)
        return make(base)(other.texts(), other.spans()).values

    def lone_windows(run: Run) -> Any:
        pooled = make(base)(sentences[:50], [[(0, len(text))] for text in sentences[:50]]).values
        return pooled - base.encode(sentences[:50])

    return lab.evidence(
        primary=lab.better(late, alone, late_by_chance, judge=found),
        guards=[
            lab.better(late, alone, late_by_chance, judge=found_by_title, name="the title alone finds the sentence"),
            lab.exact(lone_windows, invariant=lambda gap: float(np.abs(gap).max()), within=1e-5,
                      name="a window of one chunk is that chunk alone"),
            lab.reported(late_by_chance, judge=found, name="late, windows of chance"),
        ],
        immune={"shuffled": "nothing is fitted", "labels": "the right sentence follows from the text"},
    )  # fmt: skip
