"""What every searcher promises, over four small documents."""

from __future__ import annotations

import pytest

from isogloss.errors import FilterError, UsageError


def _found(answer):
    return [hit.document for hit in answer.hits]


def test_one_text_gives_one_answer_and_several_a_list(searcher):
    one = searcher.search("heat in slabs", k=2)
    many = searcher.search(["heat in slabs", "a wing"], k=2)
    assert _found(one)[0] == "heat"
    assert [_found(answer)[0] for answer in many] == ["heat", "wing"]
    assert _found(many[0]) == _found(one)
    assert searcher.search([], k=2) == []


def test_hits_are_ranked(searcher):
    hits = searcher.search("read a file of the archive in a day", k=4).hits
    assert [hit.rank for hit in hits] == list(range(1, len(hits) + 1))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len({hit.document for hit in hits}) == len(hits) > 1


def test_k_is_the_most(searcher):
    assert len(searcher.search("the cats in a wing of an archive of heat", k=2).hits) == 2
    assert len(searcher.search("the cats in a wing of an archive of heat", k=50).hits) <= 4


def test_a_filter_acts_before_k(searcher):
    assert _found(searcher.search("the wing of an archive", k=1, where="year = 2001")) == ["zip"]
    assert _found(searcher.search("wing", k=5, where="year > 2100")) == []
    with pytest.raises(FilterError):
        searcher.search("wing", k=1, where="year >")


@pytest.mark.parametrize("text", ["", " ", "\x00", "🙂", "ש", "word " * 2000, "' OR 1=1 --"])
def test_any_text_is_answered(searcher, text):
    assert len(searcher.search(text, k=3).hits) <= 3


def test_asking_twice_gives_the_same(searcher):
    assert searcher.search("cats sleep", k=3).to_dict()["hits"] == searcher.search("cats sleep", k=3).to_dict()["hits"]


@pytest.mark.parametrize("options", [{"k": -1}, {"effort": 0.0}, {"effort": 1.5}])
def test_senseless_numbers_are_refused(searcher, options):
    with pytest.raises(UsageError):
        searcher.search("wing", **options)
