"""Known-answer worlds find what they must, and find a judge out that does not; the documented example runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from isogloss.corpus.examples import ScoredPairs
from isogloss.errors import UsageError
from isogloss.evaluation.sample import Sample
from isogloss.recipes import _worlds as worlds
from isogloss.recipes._catalogue import find
from isogloss.recipes._checks import Plan, run_check
from isogloss.recipes._judges import LabJudge
from isogloss.recipes._outlines import outline, shape_distance
from isogloss.recipes._run import Run
from isogloss.seeding import generator

TARGETS = generator(3, "targets").normal(0, 1, (300, 8))
REPOSITORY = Path(__file__).resolve().parents[2]


def vectors(run):
    return (TARGETS + 0.1 * generator(run.seed, "noise").normal(0, 1, TARGETS.shape)).astype(np.float32)


def near(made):
    lengths = np.linalg.norm(made, axis=1) * np.linalg.norm(TARGETS, axis=1)
    return Sample.of((made * TARGETS).sum(1) / np.maximum(lengths, 1e-12), name="near")


def test_a_sound_judge_answers_as_it_must(make_lab):
    lab = make_lab()
    first, *guards = lab.known_answers(vectors, judge=near)
    evidence = lab.evidence(first, guards)
    assert [one.verdict for one in (evidence.primary, *evidence.guards)] == ["holds", "holds"]


def test_a_judge_that_sees_nothing_is_found_out(make_lab):
    lab = make_lab()

    def blind(made):
        return Sample.of(generator(int(abs(made[0, 0]) * 1e6), "blind").normal(0.5, 0.1, 300), name="blind")

    first, *guards = lab.known_answers(vectors, judge=blind)
    evidence = lab.evidence(first, guards)
    assert evidence.primary.verdict != "holds"


def test_a_judge_that_tells_copies_apart_is_found_out(make_lab):
    lab, seen = make_lab(), []

    def counting(made):
        seen.append(1)
        return Sample.of(near(made).items + 0.05 * (len(seen) % 2), name="near")

    _, copies = lab.known_answers(vectors, judge=counting)
    assert lab.evidence(copies).verdict != "holds"


def words(lab_data):
    return LabJudge("pairs", lambda: lab_data, "pearson", "pairs")


def test_permuted_labels_find_nothing_and_leaks_are_found():
    from isogloss.encoders.lexical import WordEncoder

    draw = generator(0, "pairs")
    left = [" ".join(f"w{j}" for j in draw.integers(0, 50, 6)) for _ in range(300)]
    right = [" ".join([*text.split()[: i % 6], "x", "y"]) for i, text in enumerate(left)]
    pairs = ScoredPairs(left, right, np.arange(300) % 6 + 0.0, np.arange(300))
    judge = words(pairs)
    assert worlds.found_by(judge)(WordEncoder()) > 0.3
    assert worlds.found_by(worlds.permuted(judge))(WordEncoder()) == 0.0
    with pytest.raises(UsageError, match="no labels"):
        worlds.permuted(words(["just", "texts"]))


def test_bounds():
    assert worlds.excess([1.0, 2.0], [0.5, 1.5]) == 0.0
    assert worlds.excess([1.0, 2.0], [0.5, 2.25]) == pytest.approx(0.25)
    with pytest.raises(UsageError, match="as many numbers"):
        worlds.excess([1.0], [])


def test_ladders_take_shares():
    with pytest.raises(UsageError, match="shares of noise"):
        worlds.ladder(vectors)(Run(0, size=3))


def test_the_shape_of_vectors_is_theirs_up_to_rotation_and_scale():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(20, 6))
    turn = np.linalg.qr(draw.normal(size=(6, 6)))[0]
    assert shape_distance(x, 3 * x @ turn) < 1e-6
    assert shape_distance(x, np.hstack([x, np.zeros((20, 2))])) < 1e-6
    assert shape_distance(x, x - x.mean(0)) > 1e-3
    assert shape_distance(x, draw.normal(size=(20, 6))) > 0.3


def test_outlines_of_sparse_encoders_do_not_grow_with_their_width():
    from isogloss.encoders.lexical import WordEncoder

    found = outline(WordEncoder())
    assert found.shape[0] == 8
    assert found.shape[1] < 200


def test_the_documented_example_runs(tmp_path, cache, data):
    data("sts-b")
    page = (REPOSITORY / "docs" / "lab.md").read_text(encoding="utf-8")
    path = tmp_path / "recipes" / "space_analysis" / "common_shift.py"
    path.parent.mkdir(parents=True)
    path.write_text(re.search(r"```python\n(.*?)```", page, re.DOTALL).group(1), encoding="utf-8")
    done = run_check(find("common-shift", tmp_path / "recipes"), Plan(smoke=True))
    assert (done.verdict, done.broken) == ("inconclusive", "")
    assert done.record["primary"]["effects"]["treated - control"]["value"] == pytest.approx(0.0032, abs=0.002)
    assert done.record["primary"]["facts"]["placebo"]["live"]
