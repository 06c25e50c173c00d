"""Batches of texts: order, duplicates, keys, errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from isogloss.encoders.tokenizer_file import Tokens  # noqa: E402
from isogloss.errors import IsoglossWarning, TruncationWarning, UsageError  # noqa: E402
from isogloss.training.batching import TextBatches  # noqa: E402


class Letters:
    """One token a character, cut at ``max_length``."""

    def __init__(self, max_length=50):
        self.max_length, self.calls = max_length, 0

    def __call__(self, texts):
        self.calls += len(texts)
        ids = [np.array([ord(sign) for sign in text], np.int64) for text in texts]
        full = np.array([len(one) for one in ids], np.int64)
        return Tokens([one[: self.max_length] for one in ids], full, [])


def read(packed):
    """The texts of a column."""
    ids, offsets = packed.ids.tolist(), packed.offsets.tolist()
    return ["".join(map(chr, ids[a:b])) for a, b in pairwise(offsets)]


def some(count, **options):
    columns = [[f"q{i}" for i in range(count)], [f"answer {i}" for i in range(count)]]
    return TextBatches(columns, Letters(), **{"batch_size": 4, "seed": 0} | options)


def test_an_epoch_has_every_item_once_in_a_new_order():
    batches = some(10)
    assert batches.per_epoch == 3
    epochs = [[read(batches(step).columns[0]) for step in range(at, at + 3)] for at in (0, 3)]
    assert [sorted(map(len, epoch)) for epoch in epochs] == [[3, 3, 4], [3, 3, 4]]
    flat = [[text for batch in epoch for text in batch] for epoch in epochs]
    assert sorted(flat[0]) == sorted(flat[1]) == sorted(f"q{i}" for i in range(10))
    assert flat[0] != flat[1]
    one = batches(1)
    assert [text.replace("q", "answer ") for text in read(one.columns[0])] == read(one.columns[1])


def test_a_batch_is_a_function_of_seed_and_step():
    first, second = some(50), some(50)
    for step in (7, 0, 40, 7):
        assert torch.equal(first(step).columns[0].ids, second(step).columns[0].ids)
    assert not torch.equal(first(0).columns[0].ids, some(50, seed=1)(0).columns[0].ids)


def test_tokens_are_made_once():
    letters = Letters()
    batches = TextBatches([["a", "b"], ["c", "d"]], letters, batch_size=1, seed=0)
    for step in range(10):
        batches(step)
    assert letters.calls == 4


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=6, max_size=60), st.integers(2, 6))
@pytest.mark.filterwarnings("ignore::isogloss.errors.IsoglossWarning")
def test_no_two_items_of_a_batch_share_a_text(rows, size):
    columns = [[f"q{a}" for a, _ in rows], [f"a{b}" for _, b in rows]]
    if len(set(columns[0])) == 1 or len(set(columns[1])) == 1:
        return
    batches = TextBatches(columns, Letters(), batch_size=size, seed=0)
    seen = 0
    for step in range(batches.per_epoch):
        batch = batches(step)
        assert 1 <= batch.size <= size
        seen += batch.size
        for column in batch.columns:
            assert len(set(read(column))) == batch.size
    assert seen == len(rows) - batches.left_out


def test_items_are_left_out_only_where_no_batch_has_room():
    columns = [[f"q{i}" for i in range(8)], ["same"] * 3 + [f"a{i}" for i in range(5)]]
    batches = TextBatches(columns, Letters(), batch_size=3, seed=1)
    assert (batches.per_epoch, batches.left_out, batches.duplicates) == (3, 0, 3)
    with pytest.warns(IsoglossWarning, match="1 of 8 items sit out"):
        batches = TextBatches(columns, Letters(), batch_size=4, seed=1)
    assert batches.left_out == 1
    assert batches.summary()["duplicates"] == 3


def test_groups_keep_items_of_a_document_apart():
    groups = [i // 2 for i in range(20)]
    batches = some(20, groups=groups, batch_size=5)
    assert batches.duplicates == 20
    for step in range(batches.per_epoch):
        found = [int(text[1:]) // 2 for text in read(batches(step).columns[0])]
        assert len(set(found)) == len(found)
    mixed = some(20, groups=groups, batch_size=20, no_duplicates=False)(0)
    numbers = torch.tensor([int(text[1:]) // 2 for text in read(mixed.columns[0])])
    same = numbers[:, None] == numbers[None]  # (20, 20)
    assert torch.equal(mixed.keys[:, 1][:, None] == mixed.keys[:, 1][None], same)
    assert len(set(mixed.keys[:, 0].tolist())) == 20


def test_keys_are_equal_for_equal_texts_of_any_column():
    batches = TextBatches([["a", "b"], ["c", "a  "]], Letters(), batch_size=2, seed=0, no_duplicates=False)
    keys = {text: key for i in (0, 1) for text, key in zip(read(batches(0).columns[i]), batches(0).keys[:, i])}  # noqa: B905
    assert keys["a"] == keys["a  "]
    assert len({int(keys[text]) for text in "abc"}) == 3


def test_labels_and_weights_stay_with_their_items():
    scores = [i / 10 for i in range(9)]
    batch = some(9, labels=scores, weights=range(9))(1)
    numbers = torch.tensor([int(text[1:]) for text in read(batch.columns[0])])
    torch.testing.assert_close(batch.labels, numbers / 10)
    torch.testing.assert_close(batch.weights, numbers.float())
    assert some(3, labels=[0, 1, 0])(0).labels.dtype == torch.int64


def test_cut_texts_are_counted_and_said():
    with pytest.warns(TruncationWarning, match="1 of 4 texts"):
        batches = TextBatches([["ab", "abcdef"], ["c", "d"]], Letters(4), batch_size=2, seed=0)
    assert (batches.report.cut, batches.report.lost) == (1, 2)
    assert batches.lengths().tolist() == [[2, 1], [4, 1]]


def test_prompts_stand_in_front():
    columns = [["a", "b"], ["c", "d"]]
    batch = TextBatches(columns, Letters(), batch_size=2, seed=0, prompts=["q: ", ""])(0)
    assert sorted(read(batch.columns[0])) == ["q: a", "q: b"]
    assert sorted(read(batch.columns[1])) == ["c", "d"]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ([], {}, "nothing to train on"),
        ([[], []], {}, "nothing to train on"),
        ([["a", "b"], ["c"]], {}, "differ in length"),
        (["ab", "cd"], {}, "columns are lists"),
        ([["a", None], ["c", "d"]], {}, "only texts"),
        ([["a"], ["b"]], {}, "nothing to be told apart"),
        ([["a"]], {}, "nothing to be told apart"),
        ([["a", "b"], ["c", "c"]], {}, "all items answer alike"),
        ([["a", "a"]], {}, "all items answer alike"),
        ([["a", "b"], ["c", "d"]], {"groups": [7, 7]}, "all items answer alike"),
        ([["a", "b"], ["c", "d"]], {"groups": [7]}, "differ in number"),
        ([["a", "b"]], {"labels": ["good", "bad"]}, "labels must be numbers"),
        ([["a", "b"]], {"labels": [1.0, float("nan")]}, "labels must be finite"),
        ([["a", "b"]], {"labels": [1.0]}, "differ in number"),
        ([["a", "b"]], {"batch_size": 0}, "not possible"),
    ],
)
def test_what_cannot_be_trained_on_is_said(columns, options, message):
    with pytest.raises(UsageError, match=message):
        TextBatches(columns, Letters(), **{"batch_size": 2, "seed": 0} | options)


def test_one_item_with_a_label_or_a_negative_will_do():
    assert TextBatches([["a"], ["b"]], Letters(), batch_size=8, seed=0, labels=[1.0]).per_epoch == 1
    assert TextBatches([["a"], ["b"], ["c"]], Letters(), batch_size=8, seed=0)(5).size == 1
