"""Passkeys: texts by hand, lengths that are kept, and encoders that must find all, none, or those that they see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.encoders.lexical import WordEncoder
from isogloss.errors import UsageError
from isogloss.evaluation.passkeys import FILLER, MOST, found_keys, passkey_collection, run
from isogloss.evaluation.tasks.encode import Encoding


def count(text):
    """Words, and two marks as a tokenizer would add them."""
    return len(text.split()) + 2


@settings(max_examples=30, deadline=None)
@given(st.integers(30, 400), st.integers(2, 9), st.integers(0, 99))
def test_each_text_is_as_long_as_it_may_be_and_tells_one_key_once(length, people, seed) -> None:
    made = passkey_collection(count, length=length, people=people, seed=seed)
    names = [query.removeprefix("What is the pass key of ").removesuffix("?") for query in made.queries.values()]
    assert len(set(names)) == people
    for number, (record, name) in enumerate(zip(made.documents, names, strict=True)):
        assert length - max(len(one.split()) for one in FILLER) < count(record.text) <= length
        assert record.text.count(name) == 2
        assert not any(other in record.text for other in names if other != name)
        assert made.qrels[f"p{number}"] == {record.id: 1.0}
    keys = [record.text.split(" is ")[1][:5] for record in made.documents if " is " in record.text]
    assert len(keys) == people


def test_the_seed_decides_and_places_spread_over_the_whole_text() -> None:
    one, same, other = (passkey_collection(count, length=200, people=60, seed=seed) for seed in (1, 1, 2))
    assert [record.text for record in one.documents] == [record.text for record in same.documents]
    assert [record.text for record in one.documents] != [record.text for record in other.documents]
    made = [passkey_collection(count, length=200, people=60, seed=seed) for seed in range(5)]
    texts = [record.text for one in made for record in one.documents]
    before = [text[: text.index("The pass key")].count(".") / (text.count(".") - 2) for text in texts]
    quarters = np.bincount(np.minimum((np.array(before) * 4).astype(int), 3), minlength=4)
    assert abs(quarters - 75).max() < 25  # of 300, with a standard deviation of 7.5


def test_who_reads_all_finds_all_and_who_reads_half_finds_what_stands_there() -> None:
    made = passkey_collection(count, length=300, people=20)
    assert found_keys(Encoding(WordEncoder()), made).value() == 1.0

    class Half(WordEncoder):
        def encode(self, inputs, **options):
            return super().encode([" ".join(text.split()[:150]) for text in inputs], **options)

    halves = [" ".join(record.text.split()[:150]) for record in made.documents]
    seen = [half.count(query[24:-1]) == 2 for query, half in zip(made.queries.values(), halves, strict=True)]
    items = found_keys(Encoding(Half()), made).items.astype(bool)
    assert 0 < sum(seen) < 20
    assert items[np.array(seen)].all()


def test_a_constant_encoder_finds_nothing_and_every_length_is_reported() -> None:
    class Blind(WordEncoder):
        def encode(self, inputs, **options):
            return super().encode(["the" for _ in inputs], **options)

    assert set(run(Blind(), count, lengths=(60, 90), people=5).scores().values()) == {0.0}
    result = run(WordEncoder(), count, lengths=(90, 60), people=5, seed=3)
    assert (result.main, list(result.samples)) == ("accuracy@1 at 90", ["accuracy@1 at 90", "accuracy@1 at 60"])
    assert result.scores()["accuracy@1 at 60"] == 1.0
    assert result.details["encoding"]["90"]["texts"] == 10


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(UsageError, match=str(MOST)):
        passkey_collection(count, length=99, people=MOST + 1)
    with pytest.raises(UsageError, match="do not hold"):
        passkey_collection(count, length=15, people=2)
    with pytest.raises(UsageError, match="length"):
        run(WordEncoder(), count, lengths=())
