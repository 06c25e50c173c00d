"""Errors: three lines, exit codes, one tree."""

from __future__ import annotations

import inspect

import pytest

from isogloss import errors
from isogloss.errors import (
    CheckFailed,
    CorruptIndexError,
    FilterError,
    IncompatibleIndexError,
    IsoglossError,
    NotFittedError,
    UnsupportedModelError,
)

TREE = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, Exception)]


def test_an_error_says_what_why_and_fix():
    error = IsoglossError("it broke", "a wheel is off", "put it on")
    assert str(error) == "it broke\nwhy: a wheel is off\nfix: put it on"
    assert str(IsoglossError("it broke")) == "it broke"
    assert str(IsoglossError("it broke", fix="mend it")) == "it broke\nfix: mend it"
    assert CorruptIndexError("a", "b", "c").to_dict() == {
        "error": "CorruptIndexError",
        "what": "a",
        "why": "b",
        "fix": "c",
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (IsoglossError, 1),
        (CorruptIndexError, 1),
        (FilterError, 2),
        (CheckFailed, 3),
        (IncompatibleIndexError, 4),
        (UnsupportedModelError, 4),
    ],
)
def test_exit_codes(error, code):
    assert error("x").exit_code == code


@pytest.mark.parametrize("error", TREE)
def test_every_error_is_in_the_tree_and_documented(error):
    assert issubclass(error, (IsoglossError, UserWarning))
    assert error.__doc__
    if issubclass(error, IsoglossError):
        assert error("what", "why", "fix").what == "what"


def test_scikit_learn_recognises_a_transform_that_is_not_fitted():
    with pytest.raises(ValueError, match="no fit"):
        raise NotFittedError("no fit")
    assert issubclass(NotFittedError, AttributeError)
