"""The grammar of systems: what it reads, what it refuses, and that labels read back as the same system."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.errors import ModelError, UsageError
from isogloss.workflows.systems import (
    EncoderPlan,
    FusionPlan,
    parse_system,
    parse_systems,
    split_systems,
    unknown_system,
    with_dims,
)

ENCODERS = st.builds(
    EncoderPlan, st.sampled_from(["words", "static", "minilm", "words:en"]), st.none() | st.integers(1, 512)
)
PARTS = st.lists(ENCODERS, min_size=2, max_size=4, unique=True)
FUSIONS = PARTS.flatmap(
    lambda parts: st.one_of(
        st.builds(
            FusionPlan,
            st.just("rrf"),
            st.just(tuple(parts)),
            st.just((1.0,) * len(parts)),
            st.sampled_from([60.0, 2.0, 10.5]),
        ),
        st.builds(
            FusionPlan,
            st.just("weighted"),
            st.just(tuple(parts)),
            st.tuples(*[st.sampled_from([1.0, 0.75, 0.5]) for _ in parts]),
        ),
    )
)


@given(ENCODERS | FUSIONS)
def test_a_label_reads_back_as_the_same_system(plan):
    assert parse_system(plan.label) == plan
    assert split_systems(f"{plan.label}, {plan.label}") == [plan.label, plan.label]


def test_what_the_brackets_hold():
    plan = parse_system("weighted(words=1, static = .75)")
    assert isinstance(plan, FusionPlan)
    assert [part.name for part in plan.parts] == ["words", "static"]
    assert plan.weights == (1.0, 0.75)
    assert parse_system("rrf(bm25,static)") == parse_system("rrf(words,static)")
    assert parse_system("hybrid").label == "hybrid"


def test_a_folder_with_an_at_in_its_name_is_a_folder(tmp_path):
    (tmp_path / "model@2").mkdir()
    assert parse_system(str(tmp_path / "model@2")).length is None
    assert parse_system(str(tmp_path / "model@2")).label == "model@2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rff(words,static)", "no fusion 'rff'"),
        ("rrf(words)", "two different encoders"),
        ("rrf(words,words)", "two different encoders"),
        ("rrf(words,rrf(static,minilm))", "cannot stand in another"),
        ("weighted(words=0,static=0)", "weight above 0"),
        ("weighted(words=a,static=1)", "words=a"),
        ("weighted(words=-1,static=1)", "words=-1"),
        ("rrf(words,static,k=nan)", "k=nan"),
        ("minilm@x", "'x'"),
        ("minilm@0", "'0'"),
        ("@128", "128"),
        ("words=1", "no name"),
    ],
)
def test_what_cannot_be_read_lists_what_is_known(text, said):
    with pytest.raises(UsageError) as error:
        parse_system(text)
    assert said in str(error.value)
    assert "rrf(A,B)" in str(error.value)
    assert "minilm" in error.value.fix


@pytest.mark.parametrize("text", ["rrf(words,static", "words)", "rrf(words),static)"])
def test_brackets_must_match(text):
    with pytest.raises(UsageError, match="brackets"):
        split_systems(text)


def test_a_system_stands_once():
    with pytest.raises(UsageError, match="twice"):
        parse_systems(["words", "bm25"])


def test_dimensions():
    assert with_dims(EncoderPlan("minilm"), "all") == EncoderPlan("minilm")
    assert with_dims(EncoderPlan("minilm"), "128").label == "minilm 128d"
    for wrong in ("0", "pca", "ica8", "-3", ""):
        with pytest.raises(UsageError, match="dimensions"):
            with_dims(EncoderPlan("minilm"), wrong)


def test_an_unknown_name_is_answered_with_the_nearest_one():
    error = unknown_system("statik", ["words"], ModelError("no model named statik", "", "isogloss pull statik"))
    assert "did you mean static?" in error.why
    assert "isogloss pull statik" in error.fix
