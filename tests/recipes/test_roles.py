"""Misuse of the Lab is said; roles are filled by names and paths, texts resampled, encoders judged by their task."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from isogloss.corpus.examples import ScoredPairs
from isogloss.errors import CorpusError, UsageError
from isogloss.recipes._run import Run


def test_misuse_is_said(make_lab, arms):
    lab, judge = make_lab(), arms.judge
    arm = arms.arm("treated")
    with pytest.raises(UsageError, match="cannot be the claim"):
        lab.evidence(lab.reported(arm, judge=judge, name="a number"))
    with pytest.raises(UsageError, match="placebo"):
        lab.better(arm, arm, None, judge=judge)
    with pytest.raises(UsageError, match="three different sizes"):
        lab.trend(arm, (1, 2), judge=judge, direction="rising")
    with pytest.raises(UsageError, match="no trend"):
        lab.trend(arm, (1, 2, 3), judge=judge, direction="wavy")
    with pytest.raises(UsageError, match="functions"):
        lab.better(arm, np.ones(3), arm, judge=judge)
    with pytest.raises(UsageError, match="factor"):
        lab.cheaper(arm, arm, judge=judge, cost="multiply_adds", factor=1)
    with pytest.raises(UsageError, match="shuffled and labels"):
        lab.evidence(lab.better(arm, arm, arm, judge=judge), immune={"constant": "no"})
    with pytest.raises(UsageError, match="needs no 'speech'"):
        lab.data("speech")


@pytest.fixture
def pairs(tmp_path):
    folder = tmp_path / "my-pairs"
    folder.mkdir()
    for part, count in (("train", 60), ("test", 20)):
        rows = [
            {"a": f"{part} left {i}", "b": f"{part} {('right', 'left')[i % 2]} b {i}", "score": i % 6}
            for i in range(count)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{part}.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def test_roles_are_filled_by_paths(make_lab, pairs):
    lab = make_lab(roles={"sts": str(pairs)})
    assert isinstance(lab.data("sts"), ScoredPairs)
    assert len(lab.data("sts").left) == 20
    assert len(lab.data("sts", "train").left) == 60
    assert lab.texts("sts", 3) == ["train left 0", "train right b 0", "train left 1"]
    with pytest.raises(CorpusError, match="no part"):
        lab.data("sts", "dev")
    with pytest.raises(CorpusError, match="no data set"):
        make_lab().data("sts")


def test_texts_of_a_run_are_a_fresh_resample(make_lab, pairs):
    lab = make_lab(roles={"sts": str(pairs)})
    first, again, other = (lab.texts("sts", 50, Run(seed, fold)) for seed, fold in ((0, 0), (0, 0), (0, 1)))
    assert first == again
    assert first != other
    assert len(set(first)) == 50
    assert set(first) <= set(lab.texts("sts"))
    assert len(lab.texts("sts", run=Run(0))) == 80  # two thirds of 120
    with pytest.raises(UsageError, match="120 texts"):
        lab.texts("sts", 121)


def test_an_encoder_is_judged_by_the_task_of_the_data(make_lab, pairs):
    lab = make_lab(roles={"sts": str(pairs), "base": "words"})
    sample = lab.judge("sts")(lab.model("base"))
    assert sample.name == "cosine_spearman"
    assert len(sample) == 20
    assert lab.judge("sts", "pearson")(lab.model("base")).name == "pearson"
    with pytest.raises(UsageError, match="no metric"):
        lab.judge("sts", "bleu")(lab.model("base"))


def test_exposure_by_role(make_lab):
    lab = make_lab(roles={"base": "minilm", "pairs": "quora-pairs", "other": "cranfield"})
    assert lab.exposure("base", "pairs").seen
    assert not lab.exposure("base", "other").seen
