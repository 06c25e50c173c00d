"""Search by written names: exhaustive for one-token names, valid names only where constrained, and a trained model."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.generation.generative_search import GenerativeSearcher  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.seq2seq import Seq2Seq, Seq2SeqConfig  # noqa: E402
from isogloss.nn.transformer import TransformerConfig  # noqa: E402
from isogloss.objectives.sequence import TeacherForcing  # noqa: E402
from isogloss.protocols import Record  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.sequence_batches import SequenceBatches, sequence_logits  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402
from isogloss.transforms.document_ids import atomic_ids, digit_ids  # noqa: E402

RECORDS = [Record(f"d{i}", "", metadata={"n": i}) for i in range(12)]


def new_model(rows, seed=0):
    torch.manual_seed(seed)
    sizes = TransformerConfig(vocabulary=20, width=24, layers=1, heads=3, inner=48, positions=8, dropout=0.0)
    return Seq2Seq(
        Seq2SeqConfig(encoder=sizes, layers=1, positions=4, extra=rows + 1, shared=False, start=rows, end=-1)
    ).eval()


def read(texts):
    return pack([np.array([3 + ord(letter) % 16 for letter in text] or [1], np.int64) for text in texts])


def test_one_token_names_are_ranked_as_the_model_scores_them():
    model = new_model(12)
    answer = GenerativeSearcher(model, read, RECORDS, atomic_ids(12)).search("abc", k=12)
    logits, _ = model.step(model.begin(read(["abc"])), torch.tensor([12]))
    order = torch.argsort(torch.log_softmax(logits[0].detach(), 0)[:12], descending=True)
    assert [hit.document for hit in answer.hits] == [f"d{int(i)}" for i in order]
    assert answer.invalid == 0


def test_digits_are_scored_digit_by_digit_and_filters_act_on_names():
    model, names = new_model(10), digit_ids(12)
    searcher = GenerativeSearcher(model, read, RECORDS, names, width=12)
    scores = {}
    for number, name in enumerate(names):
        logs = torch.log_softmax(model(read(["x"]), pack([np.array(name)])).detach(), 1)
        scores[f"d{number}"] = float(sum(logs[place, digit] for place, digit in enumerate(name)))
    hits = searcher.search("x", k=12).hits
    assert [hit.document for hit in hits] == sorted(scores, key=lambda one: -scores[one])
    assert [hit.score for hit in hits] == pytest.approx(sorted(scores.values(), reverse=True), abs=1e-5)
    some = searcher.search("x", k=2, where="n >= 9").hits
    assert [hit.document for hit in some] == sorted(["d9", "d10", "d11"], key=lambda one: -scores[one])[:2]


def test_a_free_model_writes_names_of_nothing_and_they_are_counted():
    searcher = GenerativeSearcher(new_model(10), read, RECORDS, digit_ids(12), constrained=False)
    answers = searcher.search(["a", "bc", "def"], k=20)
    assert all(answer.invalid + len(answer.hits) == 20 for answer in answers)
    assert sum(answer.invalid for answer in answers) > 0
    bound = GenerativeSearcher(new_model(10), read, RECORDS, digit_ids(12))
    assert all(answer.invalid == 0 and len(answer.hits) == 12 for answer in bound.search(["a", "bc"], k=20))


def test_a_trained_model_names_what_it_learned():
    names, model = digit_ids(12), new_model(10)
    texts = [f"{chr(97 + i)}{chr(98 + i)}" for i in range(12)]
    sources = [read([text]).ids.numpy() for text in texts]
    player = Player(
        module=model, objective=TeacherForcing(), forward=sequence_logits, optimiser=Optimiser(learning_rate=5e-3)
    )
    batches = SequenceBatches(sources, [np.array(name) for name in names], batch_size=12, seed=0)
    train(Stage(batches=batches, players=[player], steps=60), seed=0)
    answers = GenerativeSearcher(model, read, RECORDS, names).search(texts, k=1)
    assert [answer.hits[0].document for answer in answers] == [record.id for record in RECORDS]


def test_names_must_fit_the_documents():
    with pytest.raises(UsageError, match="12 documents, 3 names"):
        GenerativeSearcher(new_model(12), read, RECORDS, atomic_ids(3))
    with pytest.raises(UsageError, match="beam of 0"):
        GenerativeSearcher(new_model(12), read, RECORDS, atomic_ids(12), width=0)
