"""Ridge regression with a penalty chosen over groups: by hand, against scikit-learn, and what it must not see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

from isogloss.errors import UsageError
from isogloss.learners.ridge_by_group import ridge_by_group
from isogloss.seeding import generator


def rows(seed, count=24, wide=6):
    random = generator(seed, "rows")
    x = random.standard_normal((count, wide))
    return x, x[:, 0] + 0.5 * random.standard_normal(count), np.repeat(np.arange(4), count // 4)


@given(st.integers(0, 1000))
def test_as_a_grid_search_of_scikit_learn(seed):
    x, y, groups = rows(seed)
    scale = ((x - x.mean(0)) ** 2).sum(1).mean()
    penalties = (0.01, 0.1, 1.0, 10.0)
    theirs = GridSearchCV(
        Ridge(), {"alpha": [p * scale for p in penalties]}, cv=LeaveOneGroupOut(), scoring="neg_mean_absolute_error"
    ).fit(x, y, groups=groups)
    ours = ridge_by_group(x, y, groups, penalties=penalties)
    np.testing.assert_allclose(ours(x)[:, 0], theirs.predict(x), atol=1e-8)


def test_the_penalty_follows_what_groups_share():
    random = generator(0, "shift")
    groups = np.repeat(np.arange(6), 20)
    truth = random.standard_normal(120)
    own = 3 * random.standard_normal((6, 1))[groups]  # tells groups apart and says nothing of the truth
    x = np.column_stack([truth + 0.3 * random.standard_normal(120), own[:, 0]])
    assert abs(float(ridge_by_group(x, truth, groups).weights[0, 0])) > 0.7
    noise = random.standard_normal((120, 30))
    strong = ridge_by_group(noise, truth, groups, penalties=(1e-6, 1e3))
    assert np.abs(strong.weights).max() < 0.01  # nothing to learn: the greatest penalty


def test_what_cannot_be_chosen_is_said():
    x, y, groups = rows(0)
    for bad in ((x, y, np.zeros(24)), (x, y, groups[:3])):
        with pytest.raises(UsageError, match="no penalty"):
            ridge_by_group(*bad)
    with pytest.raises(UsageError, match="no penalty"):
        ridge_by_group(x, y, groups, penalties=())
