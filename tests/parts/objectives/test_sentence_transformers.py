"""Their losses in our loop and ours in their trainer."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch  # noqa: E402
from isogloss.objectives.distillation import FeatureDistillation  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.objectives.pairs import CosineRegression, OrderedPairs  # noqa: E402
from isogloss.objectives.ranking import ListWise  # noqa: E402
from isogloss.objectives.regularizers import Spread  # noqa: E402
from isogloss.objectives.sentence_transformers import FromSentenceTransformers, ToSentenceTransformers  # noqa: E402
from isogloss.training.loop import train  # noqa: E402
from isogloss.training.stage import Optimiser, Player, Stage  # noqa: E402

DRAWN = torch.Generator().manual_seed(3)
U, V, T = (torch.randn(8, 6, generator=DRAWN) for _ in range(3))
SCORES = torch.rand(8, generator=DRAWN)


@pytest.fixture
def losses():
    return pytest.importorskip("sentence_transformers.sentence_transformer.losses")


@pytest.mark.parametrize(
    ("make", "ours", "labels"),
    [
        (lambda of: of.MultipleNegativesRankingLoss(None), InBatchSoftmax(), None),
        (lambda of: of.CoSENTLoss(None), OrderedPairs(), SCORES),
        (lambda of: of.CosineSimilarityLoss(None), CosineRegression(), SCORES),
        (lambda of: of.EmbedDistillLoss(None, distance_metric="mse"), FeatureDistillation(), T),
        (lambda of: of.EmbedDistillLoss(None), FeatureDistillation(error="cosine"), torch.stack([T, U], 1)),
        (lambda of: of.GlobalOrthogonalRegularizationLoss(None), Spread(), None),
        (lambda of: of.CachedMultipleNegativesRankingLoss([None]), InBatchSoftmax(), None),
    ],
    ids=["softmax", "cosent", "cosine", "mse", "each", "spread", "cached"],
)
def test_equal_values_and_gradients(losses, make, ours, labels):
    values, gradients = [], []
    for objective in (FromSentenceTransformers(make(losses)), ours):
        u, v = U.clone().requires_grad_(), V.clone().requires_grad_()
        loss = objective((u, v), Batch((u, v), labels)).mean()
        loss.backward()
        values.append(loss.detach())
        gradients.append(torch.cat([u.grad, v.grad]))
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*gradients)


def test_weights(losses):
    objective = FromSentenceTransformers(losses.CosineSimilarityLoss(None))
    weights = torch.tensor([1.0] * 5 + [0.0] * 3)
    left_out = objective((U, V), Batch((U, V), SCORES, weights)).mean()
    torch.testing.assert_close(left_out, objective((U[:5], V[:5]), Batch((U[:5], V[:5]), SCORES[:5])).mean())
    with pytest.raises(UsageError, match="cannot weigh"):
        objective((U, V), Batch((U, V), SCORES, torch.arange(8.0)))


def test_what_cannot_be_used(losses):
    with pytest.raises(UsageError, match="works on the model"):
        FromSentenceTransformers(torch.nn.Linear(1, 1))
    with pytest.raises(UsageError, match="teacher's vectors"):
        FromSentenceTransformers(losses.EmbedDistillLoss(None))((U, V), Batch((U, V)))
    with pytest.raises(UsageError, match="one vector a text"):
        ToSentenceTransformers(torch.nn.Linear(1, 1), ListWise())


class Fixed:
    """The same batch at every step."""

    per_epoch = 1

    def __call__(self, step):
        return Batch((U, V), SCORES)


def test_their_loss_trains_in_our_loop(losses):
    torch.manual_seed(0)
    module = torch.nn.Linear(6, 6)
    player = Player(module=module, objective=FromSentenceTransformers(losses.CosineSimilarityLoss(None)),
                    optimiser=Optimiser(learning_rate=0.05))  # fmt: skip
    found = train(Stage(batches=Fixed(), players=[player], steps=40, chunk=3), seed=0).losses["train/model"]
    assert found[-1] < found[0] / 2


@pytest.mark.filterwarnings("ignore")
def test_ours_trains_in_their_trainer(tmp_path):
    theirs = pytest.importorskip("sentence_transformers")
    datasets, tokenizers = pytest.importorskip("datasets"), pytest.importorskip("tokenizers")
    words = ["[UNK]", "heat", "wing", "cold", "wind", "flows", "lifts"]
    model = tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]")
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    torch.manual_seed(0)
    encoder = theirs.SentenceTransformer(modules=[modules.StaticEmbedding(tokenizer, embedding_dim=8)], device="cpu")
    rows = {"anchor": ["heat flows", "wing lifts"] * 4, "positive": ["heat cold", "wing wind"] * 4}
    arguments = theirs.SentenceTransformerTrainingArguments(
        output_dir=str(tmp_path), max_steps=30, per_device_train_batch_size=2, learning_rate=0.1, report_to=[],
        save_strategy="no", logging_steps=1, disable_tqdm=True, use_cpu=True,
        batch_sampler="no_duplicates",
    )  # fmt: skip
    loss = ToSentenceTransformers(encoder, InBatchSoftmax(temperature=0.5))
    trainer = theirs.SentenceTransformerTrainer(
        model=encoder, args=arguments, train_dataset=datasets.Dataset.from_dict(rows), loss=loss
    )
    trainer.train()
    found = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert found[-1] < found[0] / 2
