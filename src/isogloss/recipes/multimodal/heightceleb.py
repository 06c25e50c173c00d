"""HeightCeleb: an enrichment of the VoxCeleb dataset with speaker height information (Kacprzak et al., 2024).

A frozen speaker encoder gives each recording a vector; a speaker's vector is the mean of its recordings' unit vectors;
ridge regression on speakers' vectors predicts an attribute that an outside table knows. No heights are known for our
speakers, so "sizes" are made: recordings are resampled by a factor, which scales pitch and formants as a shorter vocal
tract does, and the factor is predicted for base speakers that neither encoder nor regression has heard.
"""

from functools import cache, partial
from typing import Any

import numpy as np

from isogloss.arrays import Ragged
from isogloss.corpus.attributes import join_attribute, means_by_group
from isogloss.encoders.log_mel import features_of, resample
from isogloss.evaluation.sample import Sample
from isogloss.learners.ridge import LinearMap
from isogloss.learners.ridge_by_group import PENALTIES, ridge_by_group
from isogloss.recipes._card import Card
from isogloss.recipes._lab import Evidence, Lab, Run
from isogloss.training.sound import speaker_encoder, voices

CARD = Card(
    slug="heightceleb",
    seed=1,
    title="HeightCeleb -- an enrichment of VoxCeleb dataset with speaker height information",
    year=2024,
    url="https://arxiv.org/abs/2410.12668",
    family="multimodal",
    sort="resource",
    claim="Ridge regression on a frozen speaker encoder's vectors predicts a bodily size far better than the mean.",
    regime="Speakers whose size is heard in pitch and formants; none of them is in training and test.",
    baseline="the mean of the training speakers",
    placebo="the same network with its first, random weights",
    fidelity="transposed",
    needs={"sound": "spoken-digits", "heights": "heightceleb"},
    margin=0.3,
    minutes=3,
    deviations=(
        "six speakers, each resampled by 20 factors from 0.80 to 1.25, instead of 1,251; log factor instead of height",
        "a time-delay network trained for 300 steps instead of a pre-trained ECAPA",
        "bands end at 3 kHz, below what resampling leaves empty",
        "the real table is joined and its means by sex are reported; it has no sound here",
    ),
)
_FACTORS = np.geomspace(0.8, 1.25, 20)
_TAKES, _STEPS = 2, 300


def make(vectors: Any, sizes: Any, groups: Any, *, penalties: Any = PENALTIES) -> LinearMap:
    """Return the regression of speakers' sizes on their vectors, its penalty chosen over speakers.

    Parameters
    ----------
    vectors, sizes
        Of each speaker.
    groups, penalties
        Which speakers are left out together when the penalty is chosen, and from what.
    """
    return ridge_by_group(vectors, sizes, groups, penalties=penalties)


def check(lab: Lab) -> Evidence:
    """Predict made sizes of unheard base speakers, two at a time; join the real table."""
    sound = lab.data("sound")
    clips = np.split(sound["audio"].astype(float), sound["offset"][1:-1])
    used = np.flatnonzero(sound["take"] < _TAKES)
    frames = features_of([resample(clips[i], a) for i in used for a in _FACTORS], int(sound["rate"]), high=3000.0)
    base = np.repeat(sound["speaker"][used].astype(int), len(_FACTORS))
    speakers = base * len(_FACTORS) + np.tile(np.arange(len(_FACTORS)), len(used))
    truth, owner = np.tile(np.log(_FACTORS), 6), np.repeat(np.arange(6), len(_FACTORS))  # of each made speaker
    usual = np.abs(truth - truth.mean()).mean()

    @cache
    def vectors(pair: tuple[int, ...], steps: int, seed: int) -> Any:
        heard = np.flatnonzero(~np.isin(base, pair))
        labels = np.unique(speakers[heard], return_inverse=True)[1]
        training = Ragged.from_list([frames[int(i)] for i in heard])
        return voices(speaker_encoder(training, labels, steps=steps, seed=seed), frames, speakers)

    def predicted(run: Run, steps: int = _STEPS, permuted: bool = False) -> Any:
        found = np.zeros(len(truth))
        for pair in np.split(lab.rng(run, "pairs").permutation(6), 3):
            new, made = np.isin(owner, pair), vectors(tuple(pair.tolist()), steps, run.seed)
            sizes = lab.rng(run, "permuted").permutation(truth[~new]) if permuted else truth[~new]
            found[new] = make(made[~new], sizes, owner[~new])(made[new])[:, 0]
        return found

    def mean(run: Run) -> Any:
        return np.full(len(truth), truth.mean())  # the same factors were made of every base speaker

    def near(run: Run) -> Any:
        return truth + 0.02 * lab.rng(run, "near").standard_normal(len(truth))

    def skill(found: Any) -> Sample:
        return Sample.of(1 - np.abs(found - truth) / usual, groups=owner, name="1 - MAE / the mean's MAE")

    def table(run: Run, damaged: bool = False) -> Any:
        rows = [{**row, "height": "17"} if damaged and not i else row for i, row in enumerate(lab.data("heights"))]
        names = [f"id{10001 + i}" for i in range(len(rows))]  # VoxCeleb's speakers, without a gap
        made = join_attribute(names, rows, key="VoxCeleb1 ID", value="height", low=140, high=220)
        return made, *(np.array([row[name] for row in rows]) for name in ("sex", "split"))

    def unjoined(made: Any) -> float:
        return float(len(made[1]) - made[0].counts["joined"])

    def by_sex(made: Any) -> Sample:
        away = made[0].values - means_by_group(made[0].values, made[1], made[2] == "TRAIN")
        return Sample.of(-np.abs(away[made[2] == "TEST"]), name="-MAE in cm of the mean by sex")

    return lab.evidence(
        primary=lab.better(predicted, mean, partial(predicted, steps=0), judge=skill, positive=near),
        guards=[
            lab.recovers(predicted, partial(predicted, permuted=True), truth=skill, at_least=0.3, name="not by chance"),
            lab.exact(table, invariant=unjoined, within=0, broken=partial(table, damaged=True), name="all are joined"),
            lab.reported(table, judge=by_sex, name="real heights"),
        ],
        immune={"shuffled": "no text is read", "labels": "sizes are made by resampling; permuted ones are a guard"},
    )  # fmt: skip
