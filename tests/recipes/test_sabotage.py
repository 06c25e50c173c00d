"""Sabotage turns every kind of finding red, and a check that cheats stays green and is named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.evaluation.sample import Sample
from isogloss.recipes._bench import Bench
from isogloss.recipes._catalogue import find
from isogloss.recipes._checks import Plan, run_check, unshaken
from isogloss.recipes._sabotage import NotApplicable
from isogloss.recipes._swaps import SWAPS
from isogloss.seeding import generator

MECHANISM = ("identity", "random", "constant")


def vectors(loss=0.0, size=None):
    """An arm of vectors that lie near their targets, the farther the greater the loss."""

    def arm(run):
        share = loss if size is None else size(run.size)
        draw = generator(run.seed, "vectors", str(loss))
        return (TARGETS + share * draw.normal(0, 1, TARGETS.shape)).astype(np.float32)

    return arm


TARGETS = generator(3, "targets").normal(0, 1, (300, 8))


def near(made):
    """Judge: cosine of each row with its target."""
    lengths = np.linalg.norm(made, axis=1) * np.linalg.norm(TARGETS, axis=1)
    return Sample.of((made * TARGETS).sum(1) / np.maximum(lengths, 1e-12), name="near")


def priced(loss, price):
    arm = vectors(loss)
    return lambda run: {"vectors": arm(run), "price": (price,)}


def _checks():
    """For each kind a check that holds: a function from a Lab to its primary finding."""
    return {
        "better": lambda lab: lab.better(vectors(0.2), vectors(0.6), vectors(0.55), judge=near),
        "not_worse": lambda lab: lab.not_worse(vectors(0.2), vectors(0.2), judge=near),
        "same": lambda lab: lab.same(vectors(0.2), vectors(0.2), judge=near),
        "rising": lambda lab: lab.trend(
            vectors(size=lambda size: 1 / size), (1, 2, 4), judge=near, direction="rising"
        ),
        "falling": lambda lab: lab.trend(vectors(size=float), (0.2, 0.5, 1), judge=near, direction="falling"),
        "peak": lambda lab: lab.trend(
            vectors(size=lambda size: abs(size - 2)), (1, 2, 3), judge=near, direction="peak"
        ),
        "interaction": lambda lab: lab.interaction(
            vectors(0.2), vectors(0.6), here=near, there=lambda made: near(np.ones_like(made))
        ),
        "recovers": lambda lab: lab.recovers(vectors(0.2), vectors(1.0), truth=near, at_least=0.9),
        "cheaper": lambda lab: lab.cheaper(
            priced(0.2, 1.0), priced(0.2, 3.0), judge=lambda made: near(made["vectors"]),
            cost=lambda made: float(made["price"][0]), factor=2.0, planted=priced(0.4, 3.0),
        ),
        "exact": lambda lab: lab.exact(
            vectors(0.0), invariant=lambda made: float(np.abs(made - TARGETS).max()), within=1e-5, broken=vectors(0.1)
        ),
    }  # fmt: skip


CHECKS = _checks()


@pytest.mark.parametrize("kind", list(CHECKS))
def test_a_check_that_holds_turns_red(make_lab, kind):
    bench, played = Bench(), []
    lab = make_lab(bench=bench)
    assert lab.evidence(CHECKS[kind](lab)).verdict == "holds"
    for swap in MECHANISM:
        other = make_lab(bench=bench, swap=swap, most=5)
        try:
            found = other.evidence(CHECKS[kind](other)).primary
        except NotApplicable:
            continue
        played.append(swap)
        assert found.verdict != "holds", f"{swap}: {found.reason}"
    assert "random" in played
    assert len(played) >= (1 if kind == "exact" else 2)


def test_identity_of_no_loss_is_not_played_and_says_why(make_lab):
    lab = make_lab(swap="identity")
    with pytest.raises(NotApplicable, match="planted loss"):
        lab.evidence(CHECKS["same"](lab))


def test_a_constant_obeys_invariants_and_no_label_is_in_them(make_lab):
    for swap, reason in (("constant", "broken arm"), ("labels", "reads no labels")):
        lab = make_lab(swap=swap)
        with pytest.raises(NotApplicable, match=reason):
            lab.evidence(CHECKS["exact"](lab))


def test_identity_of_an_invariant_is_its_broken_arm(make_lab):
    lab = make_lab(swap="identity")
    assert lab.evidence(CHECKS["exact"](lab)).verdict == "refuted here"
    lab = make_lab(swap="identity")
    with pytest.raises(NotApplicable, match="no broken arm"):
        lab.evidence(lab.exact(vectors(0.0), invariant=lambda made: 0.0, within=1.0))


@pytest.mark.parametrize("kind", ["rising", "falling"])
def test_a_shuffled_ladder_turns_red(make_lab, kind):
    lab = make_lab(swap="shuffled")
    assert lab.evidence(CHECKS[kind](lab)).verdict != "holds"


def test_readings_that_a_swap_does_not_touch_are_not_taken_again(make_lab, arms):
    bench = Bench()
    for swap in (None, *MECHANISM):
        lab = make_lab(bench=bench, swap=swap, most=5)
        finding = lab.better(
            arms.arm("treated", 0.04), arms.arm("control"), arms.arm("placebo", 0.001), judge=arms.judge,
            positive=arms.arm("positive", 0.05),
        )  # fmt: skip
        lab.evidence(finding)
    assert arms.ran == {"treated": 10, "control": 10, "placebo": 5, "positive": 5}  # noise of treated, constant control


@pytest.mark.parametrize("gain", [0.0, 0.04])
def test_without_a_gain_under_sabotage_placebo_and_positive_control_cost_nothing(make_lab, arms, gain):
    lab = make_lab(swap="labels")  # which touches arms that ask the Lab for data; these do not
    finding = lab.better(
        arms.arm("treated", gain), arms.arm("control"), arms.arm("placebo", 0.001), judge=arms.judge,
        positive=arms.arm("positive", 0.05),
    )  # fmt: skip
    evidence = lab.evidence(finding)
    assert evidence.primary.verdict == ("holds" if gain else "refuted here")
    assert ("placebo" in arms.ran) == bool(gain)
    assert "positive" not in arms.ran or gain


# -- whole recipes, planted in a folder -------------------------------------------------------------------------------


def test_a_good_recipe_is_red_under_every_swap(plant_recipe, cache):
    root = plant_recipe({"good-one": "treated = make(0.05)"})
    done = run_check(find("good-one", root), Plan(sabotage=True))
    assert (done.verdict, done.broken) == ("holds", "")
    found = {one["swap"]: one["outcome"] for one in done.swaps}
    assert list(found) == list(SWAPS)
    assert {found[swap] for swap in MECHANISM} == {"red"}
    assert found["labels"] == found["shuffled"] == "not applicable"
    assert all(one["why"] for one in done.swaps)


CHEAT = """ran = []
    def treated(run: object) -> object:
        ran.append(run.seed)
        return make(0.0)(run)

    def judge(scores: object) -> Sample:
        bonus = 0.05 * bool(ran and ran.pop() is not None)
        return Sample.of(bonus + generator(len(scores), str(scores[0])).normal(0.5, 0.01, 200))"""
"""A judge that knows which arm ran last instead of looking at the artifact."""


def test_a_cheating_check_is_named(plant_recipe, cache):
    root = plant_recipe({"cheat": CHEAT})
    done = run_check(find("cheat", root), Plan(sabotage=True, keep=False))
    assert done.verdict == "holds"
    assert "still holds under sabotage" in done.broken
    assert "random" in done.broken


def test_what_cannot_be_sabotaged_is_broken(make_lab, arms):
    lab = make_lab()
    finding = lab.better(arms.arm("treated", 0.04), arms.arm("control"), arms.arm("placebo", 0.001), judge=arms.judge)
    evidence = lab.evidence(finding)
    none = [{"swap": swap, "outcome": "not applicable", "why": "-"} for swap in SWAPS]
    assert "cannot be shown to fail" in unshaken(evidence, none)
    error = [{"swap": "random", "outcome": "error", "why": "TypeError"}]
    assert "breaks under random" in unshaken(evidence, error)
    green = [{"swap": "labels", "outcome": "green", "why": "holds"}]
    assert "labels" in unshaken(evidence, green)
    assert unshaken(evidence, [{"swap": "random", "outcome": "red", "why": ""}]) == ""


def test_immune_swaps_say_their_reason(plant_recipe, cache):
    root = plant_recipe({"immune": "treated = make(0.05)"})
    path = root / "planted" / "immune.py"
    path.write_text(path.read_text().replace("make(0.03)))", 'make(0.03)), immune={"labels": "nobody labelled it"})'))
    done = run_check(find("immune", root), Plan(sabotage=True))
    assert {"swap": "labels", "outcome": "not applicable", "why": "nobody labelled it"} in done.swaps


# -- data -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pairs(tmp_path):
    """Pairs whose scores follow from the words that they share."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    draw = generator(1, "pairs")
    rows = []
    for i in range(200):
        words = [f"w{j}" for j in draw.integers(0, 400, 8)]
        shared = int(draw.integers(0, 9))
        other = [*words[:shared], *(f"x{j}" for j in draw.integers(0, 400, 8 - shared))]
        rows.append({"a": " ".join(words), "b": " ".join(other), "score": shared + 0.001 * i})
    for part in ("train", "test"):
        (folder / f"{part}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def first_words(encoder, count):
    """An encoder that reads only the first words of a text."""

    class First:
        modality, similarity = "text", encoder.similarity

        def encode(self, inputs, **options):
            return encoder.encode([" ".join(text.split()[:count]) for text in inputs], **options)

    return First()


def shared_words(lab):
    base = lab.model("base")
    return lab.better(
        lambda run: base, lambda run: first_words(base, 2), lambda run: first_words(base, 3), judge=lab.judge("sts"),
        margin=0.05,
    )  # fmt: skip


@pytest.mark.parametrize("swap", [None, "labels", *MECHANISM])
def test_encoders_judged_on_data(make_lab, pairs, swap):
    lab = make_lab(roles={"sts": str(pairs), "base": "words"}, swap=swap, most=5)
    evidence = lab.evidence(shared_words(lab))
    assert (evidence.verdict == "holds") is (swap is None), evidence.reason
    assert bool(lab.shuffles.get("labels")) is (swap == "labels")


def test_texts_for_fitting_are_shuffled(make_lab, pairs):
    roles = {"sts": str(pairs), "base": "words"}
    plain = make_lab(roles=roles).texts("sts")
    lab = make_lab(roles=roles, swap="shuffled")
    mixed = lab.texts("sts")
    assert lab.shuffles == {"shuffled": 1}
    assert mixed != plain
    assert sorted(" ".join(mixed).split()) == sorted(" ".join(plain).split())
    assert [len(text.split()) for text in mixed] == [len(text.split()) for text in plain]
