"""Hashed embeddings: sums of rows and maxout by hand, gradients to the chosen rows alone."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from isogloss.errors import UsageError  # noqa: E402
from isogloss.nn.hash_embeddings import HashEmbedding, MultiHashEmbedding  # noqa: E402


def test_rows_are_summed_and_they_alone_learn():
    layer = HashEmbedding(6, 3)
    chosen = torch.tensor([[1, 4], [2, 2]])
    table = layer.table.weight
    torch.testing.assert_close(layer(chosen), torch.stack([table[1] + table[4], 2 * table[2]]))
    layer(chosen).sum().backward()
    assert table.grad[:, 0].tolist() == [0, 1, 2, 0, 1, 0]


def test_features_are_mixed_by_maxout_by_hand():
    layer = MultiHashEmbedding([4, 5], 2, pieces=3).eval()
    chosen = [torch.tensor([[0, 3]]), torch.tensor([[1, 4]])]
    joined = torch.cat([table(rows) for table, rows in zip(layer.tables, chosen, strict=True)], 1)  # (1, 4)
    pieces = (joined @ layer.mix.weight.T + layer.mix.bias).reshape(3, 2)
    expected = torch.nn.functional.layer_norm(pieces.max(0).values, (2,))
    torch.testing.assert_close(layer(chosen)[0], expected)


def test_an_empty_table_is_refused():
    with pytest.raises(UsageError, match="rows and columns"):
        HashEmbedding(0, 3)
