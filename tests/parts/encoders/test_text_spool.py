"""The spool of a long encoding: texts come back as they were, blocks cover each text once, whatever the lengths."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.encoders.text_spool import BLOCK_BYTES, BLOCK_TEXTS, WINDOW, blocks, open_spool, write_spool
from isogloss.errors import UsageError


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(st.characters(codec=None), max_size=9), max_size=12))
def test_texts_come_back_as_they_were(texts) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert write_spool(Path(folder), iter(texts))[0] == len(texts)
        spool = open_spool(Path(folder))
        assert spool.take(np.arange(len(texts))) == texts
        assert spool.take(np.arange(len(texts))[::-1]) == texts[::-1]
        assert spool.sizes.tolist() == [len(text.encode("utf-8", "surrogatepass")) for text in texts]


def test_the_hash_knows_where_a_text_ends_and_their_order(tmp_path) -> None:
    hashes = {
        write_spool(tmp_path, texts)[1] for texts in (["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], ["abc", ""])
    }
    assert len(hashes) == 5
    assert write_spool(tmp_path, ["ab", "c"])[1] in hashes


def test_what_is_no_text_is_named(tmp_path) -> None:
    with pytest.raises(UsageError, match="item 1 is of type NoneType"):
        write_spool(tmp_path, ["a", None])


@settings(max_examples=60, deadline=None)
@given(sizes=st.lists(st.sampled_from([0, 1, 50, 700, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1]), max_size=60))
def test_blocks_cover_each_text_once_within_their_limits(sizes) -> None:
    found = blocks(np.array(sizes, np.int64))
    assert sorted(i for block in found for i in block.tolist()) == list(range(len(sizes)))
    for block in found:
        own = [sizes[i] for i in block]
        assert own == sorted(own, reverse=True)
        assert len(block) <= BLOCK_TEXTS
        assert sum(own) <= BLOCK_BYTES or len(block) == 1


def test_blocks_stay_within_windows_and_are_those_of_each_window_alone() -> None:
    sizes = np.random.default_rng(0).integers(0, 900, 2 * WINDOW + 100)
    whole = blocks(sizes)
    apart = [block + start for start in range(0, len(sizes), WINDOW) for block in blocks(sizes[start : start + WINDOW])]
    assert [block.tolist() for block in whole] == [block.tolist() for block in apart]
    assert all(len({i // WINDOW for i in block}) == 1 for block in whole)
