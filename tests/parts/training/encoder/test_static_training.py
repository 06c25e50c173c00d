"""Static models: the module, its optimiser, training, and the folder."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.encoders.static import StaticEncoder, TokenVectors, bundled_static  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.packing import pack  # noqa: E402
from isogloss.nn.static import StaticModel  # noqa: E402
from isogloss.objectives.in_batch import InBatchSoftmax  # noqa: E402
from isogloss.training.row_adam import RowAdam  # noqa: E402
from isogloss.training.static_training import PieceTokens, new_static, table, train_static  # noqa: E402
from isogloss.training.trainee import trainee  # noqa: E402
from isogloss.vocabulary.wordpiece import WordPiece  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::isogloss.errors.IsoglossWarning")
TEXTS = ["Heat flows from warm to cold.", "", "Cats sleep", "cats cats CATS sleep", "\U0001f642 unknown signs"]


@given(st.lists(st.lists(st.integers(0, 6), max_size=6), min_size=1, max_size=8), st.sampled_from(["mean", "sum"]))
def test_a_bag_is_torchs_bag_with_its_gradient(texts, mode):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    packed = pack([np.array(text, np.int64) for text in texts])
    model = StaticModel(rows, finish=mode).double()
    model.table.weight.data = rows.clone()
    plain = rows.clone().requires_grad_()
    upstream = torch.randn(len(texts), 3, generator=generator, dtype=torch.float64)
    wanted = torch.nn.functional.embedding_bag(packed.ids, plain, packed.offsets[:-1], mode=mode)
    found = model(packed)
    torch.testing.assert_close(found, wanted)
    (found * upstream).sum().backward()
    (wanted * upstream).sum().backward()
    torch.testing.assert_close(model.table.weight.grad.to_dense(), plain.grad)


def test_the_module_gives_the_encoders_vectors():
    encoder = bundled_static()
    model = StaticModel(torch.from_numpy(table(encoder)), finish=encoder.finish)
    tokens = PieceTokens(encoder.pieces, encoder.pieces.unknown if encoder.skip_unknown else -1)
    with torch.no_grad():
        vectors = model(pack(tokens(TEXTS).ids)).numpy()
    np.testing.assert_allclose(vectors, encoder.encode(TEXTS), atol=1e-6)
    assert not vectors[1].any()


def test_row_adam_is_sparse_adam():
    tables = [torch.nn.Embedding(9, 4, sparse=True) for _ in range(2)]
    tables[1].load_state_dict(tables[0].state_dict())
    movers = RowAdam(tables[0].parameters(), lr=0.03), torch.optim.SparseAdam(tables[1].parameters(), lr=0.03)
    rng = np.random.default_rng(0)
    for _ in range(12):
        ids = torch.from_numpy(rng.integers(0, 9, 5))
        factors = torch.from_numpy(rng.standard_normal((5, 4)).astype(np.float32))
        for one, mover in zip(tables, movers, strict=True):
            mover.zero_grad()
            (one(ids) * factors).sum().backward()
            mover.step()
    torch.testing.assert_close(tables[0].weight, tables[1].weight, rtol=1e-5, atol=1e-6)


def test_the_kernel_moves_as_its_twin():
    from isogloss.training.row_adam import move_rows, move_rows_plain

    generator = torch.Generator().manual_seed(0)
    table_, moments = torch.randn(20, 5, generator=generator), torch.rand(20, 2, 5, generator=generator)
    rows, values = torch.tensor([1, 4, 19]), torch.randn(3, 5, generator=generator)
    found = []
    for move in (move_rows, move_rows_plain):
        mine = moments.clone(), table_.clone()
        move(rows, values, *mine, (0.9, 0.999, 0.01, 1e-8))
        found.append(mine)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    still = [i for i in range(20) if i not in rows.tolist()]
    assert torch.equal(found[0][1][still], table_[still])


def squad(folder, count=600):
    with gzip.open(folder / "train.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    return [row["query"] for row in rows], [row["positive"] for row in rows]


def test_it_learns_real_pairs_repeats_and_is_saved(data, tmp_path):
    columns = squad(data("squad-sentence-pairs"))
    base = bundled_static()

    def rank(encoder):
        scores = encoder.encode(columns[0]) @ encoder.encode(columns[1]).T
        return float((1 / (1 + (scores > np.diag(scores)[:, None]).sum(1))).mean())

    trained = [train_static(base, columns, InBatchSoftmax(), epochs=4, batch_size=128, seed=seed) for seed in (0, 0, 1)]
    assert rank(trained[0]) > rank(base) + 0.02
    assert np.array_equal(trained[0].vectors.rows, trained[1].vectors.rows)
    assert not np.array_equal(trained[0].vectors.rows, trained[2].vectors.rows)
    trained[0].save(tmp_path / "static", card="# Static\n")
    again = StaticEncoder.load(tmp_path / "static")
    assert again.identity == trained[0].identity != base.identity
    np.testing.assert_array_equal(again.encode(TEXTS), trained[0].encode(TEXTS))


def test_only_the_tokens_of_the_data_move():
    pieces = WordPiece(["[UNK]", "a", "b", "c", "d"])
    base = new_static(pieces, 4, seed=3)
    trained = train_static(base, [["a", "b"], ["b a a", "c"]], InBatchSoftmax(), steps=3, learning_rate=0.1)
    moved = (trained.vectors.rows != base.vectors.rows).any(1)
    assert moved.tolist() == [False, True, True, True, False]
    assert np.array_equal(new_static(pieces, 4, seed=3).vectors.rows, base.vectors.rows)


def test_what_cannot_be_trained_is_said():
    base = StaticEncoder(WordPiece(["[UNK]", "a"]), TokenVectors(np.ones((2, 3), np.float32), np.ones(2, np.float32)))
    with pytest.raises(UsageError, match="not both"):
        train_static(base, [["a", "b"], ["c", "d"]], InBatchSoftmax(), steps=1, epochs=1)
    with pytest.raises(UsageError, match="nothing to train on"):
        train_static(base, [[], []], InBatchSoftmax())


def test_the_usual_rate_follows_the_size_of_the_numbers(tmp_path):
    pieces = WordPiece(["[UNK]", "a", "b", "c"])
    rows = np.array([[0, 0], [1, -3], [2, 2], [0, 4]], np.float32)  # mean size 1.5

    def rate(name, factor):
        StaticEncoder(pieces, TokenVectors(factor * rows, np.ones(4, np.float32))).save(tmp_path / name)
        return trainee(str(tmp_path / name)).learning_rate

    assert rate("one", np.float32(1)) == pytest.approx(0.06)
    assert rate("eight", np.float32(8)) == pytest.approx(0.48)
    assert rate("none", np.float32(0)) == 1e-3
    assert trainee("static").learning_rate == pytest.approx(3e-4, rel=0.05)


def test_training_does_not_know_the_size_of_the_numbers():
    first = new_static(bundled_static().pieces, 8, seed=0)
    large = StaticEncoder(first.pieces, TokenVectors(16 * first.vectors.rows, first.vectors.weights))
    columns = [["heat", "cats", "rain", "tax"], ["warm", "animals", "weather", "law"]]
    small, big = (
        train_static(base, columns, InBatchSoftmax(), steps=5, learning_rate=rate)
        for base, rate in ((first, 1e-3), (large, 16e-3))
    )
    words = [word for column in columns for word in column]
    assert np.einsum("ij,ij->i", small.encode(words), big.encode(words)).min() > 0.9999
    assert np.einsum("ij,ij->i", small.encode(words), first.encode(words)).max() < 0.99999
