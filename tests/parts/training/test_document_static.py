"""An encoder from documents alone: it tells subjects apart that it has read about, and the seed fixes its bits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from isogloss.seeding import generator
from isogloss.training.document_static import static_from_documents

TOPICS = ("wing lift drag flow engine rudder flight pilot", "bread flour oven yeast dough crust butter salt")


@pytest.fixture(scope="module")
def documents():
    draw = generator(3, "documents")
    return [" ".join(draw.choice(TOPICS[i % 2].split(), 80)) for i in range(60)]


def test_words_of_one_subject_come_together(documents):
    encoder = static_from_documents(documents, dimensions=16, pairs=128, steps=20)
    wing, drag, bread = (encoder.encode([word])[0] for word in ("wing", "drag", "bread"))
    assert wing @ drag > wing @ bread + 0.2
    again = static_from_documents(documents, dimensions=16, pairs=128, steps=20)
    np.testing.assert_array_equal(encoder.encode(documents), again.encode(documents))
