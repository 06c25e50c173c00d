"""Two towers learn apart; batches out of one group show every item once and never mix groups."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.training.fine_tuning import encode_together, fine_tune  # noqa: E402
from isogloss.training.models import keep_layers, load_trainable  # noqa: E402
from isogloss.training.retriever_tuning import towers, tune_in_groups, tune_towers  # noqa: E402
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402

QUESTIONS = [f"who saw number {i}" for i in range(12)]
PASSAGES = [f"the {i} was seen by the {i}th man" for i in range(12)]
FAST = {"batch_size": 4, "learning_rate": 1e-3, "precision": "fp32"}


@pytest.fixture
def base(minilm):
    def fresh():
        return TrainedEncoder.of(keep_layers(load_trainable(minilm), [0]))

    return fresh


class Watched:
    """The soft-max, and what it was shown."""

    cacheable = True

    def __init__(self):
        self.inner, self.sizes, self.keys = InBatchSoftmax(similarity="dot", temperature=1.0), [], []

    def __call__(self, outputs, batch):
        self.sizes.append([len(one) for one in outputs])
        self.keys.append(batch.keys[:, 0].tolist())
        return self.inner(outputs, batch)


def test_two_towers_learn_apart(base):
    query, document, seen = base(), base(), Watched()
    before = query.encode(QUESTIONS)
    made = tune_towers(query, document, [QUESTIONS, PASSAGES, PASSAGES[1:] + PASSAGES[:1]], seen, **FAST)
    assert seen.sizes == [[4, 4, 4]] * 3
    asked, read = made.encode(QUESTIONS, role="query"), made.encode(QUESTIONS, role="document")
    assert not np.allclose(asked, before, atol=1e-3), "the tower of questions moved"
    assert not np.allclose(read, before, atol=1e-3), "the tower of documents moved"
    assert not np.allclose(asked, read, atol=1e-3), "they are two"


def test_untrained_towers_are_the_model_itself(base):
    """With equal weights in both towers the vectors are those of one model: the columns went the right way."""
    one = base()
    batches = []

    class Kept(Watched):
        def __call__(self, outputs, batch):
            batches.append((outputs, batch))
            return super().__call__(outputs, batch)

    tune_towers(base(), base(), [QUESTIONS, PASSAGES], Kept(), steps=1, **FAST)
    outputs, batch = batches[0]
    pair = torch.nn.ModuleList([one.model, base().model]).eval()
    with torch.no_grad():
        apart, together = towers(pair, batch), encode_together(one.model.eval(), batch)
    for a, b, shape in zip(apart, together, outputs, strict=True):
        assert torch.allclose(a, b, atol=1e-5)
        assert a.shape == shape.shape


def test_chosen_weights_alone_move(base):
    query, document = base(), base()
    before = {name: value.clone() for name, value in query.model.state_dict().items()}
    tune_towers(query, document, [QUESTIONS, PASSAGES], Watched(), only="*layers.*", **FAST)
    for tower in (query, document):
        moved = [name for name, value in tower.model.state_dict().items() if not torch.equal(value, before[name])]
        assert moved
        assert all("layers." in name for name in moved)


def test_groups_are_never_mixed_and_every_item_is_seen_once(base):
    groups, seen = np.repeat([5, 2, 9], [6, 4, 2]), Watched()
    encoder = base()
    assert tune_in_groups(encoder, [QUESTIONS, PASSAGES], seen, groups, seed=3, **FAST) is encoder
    batches = [[key % len(QUESTIONS) for key in one] for one in seen.keys]
    assert sorted(item for batch in batches for item in batch) == list(range(12))
    assert all(len({groups[item] for item in batch}) == 1 for batch in batches)


def test_one_group_is_ordinary_tuning(base):
    """As well as fine_tune learns: the right passage comes nearer than the others, whatever the order of batches."""

    def gap(encoder):
        table = encoder.encode(QUESTIONS) @ encoder.encode(PASSAGES).T
        return float(np.diag(table).mean() - table.mean())

    objective, columns = InBatchSoftmax(temperature=0.1), [QUESTIONS, PASSAGES]
    grouped = tune_in_groups(base(), columns, objective, [0] * 12, steps=6, **FAST)
    plain = fine_tune(base(), columns, objective, steps=6, **FAST)
    assert gap(grouped) > gap(base()) + 0.05
    assert gap(grouped) == pytest.approx(gap(plain), abs=0.1)


def test_what_makes_no_sense_is_refused(base):
    one = base()
    with pytest.raises(UsageError, match="two towers are two models"):
        tune_towers(one, one, [QUESTIONS, PASSAGES], Watched())
    with pytest.raises(UsageError, match="texts and groups differ"):
        tune_in_groups(one, [QUESTIONS, PASSAGES], Watched(), [0, 1])
