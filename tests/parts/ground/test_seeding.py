"""Seeds: fixed on every machine, different for different names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from isogloss.seeding import derive, generator

names = st.lists(st.text(max_size=4) | st.integers(-3, 3), max_size=3).map(tuple)


def test_values_that_must_never_change():
    """A change here would change every published split and bootstrap."""
    assert derive(0) == 8493733112532773764
    assert derive(7, "split", 3) == 12578372730538637134
    assert generator(1, "a").integers(0, 1000, 3).tolist() == [293, 377, 648]


@given(names, names, st.integers(0, 3), st.integers(0, 3))
def test_different_paths_give_different_seeds(a, b, first, second):
    plain = all("\x1f" not in str(name) for name in (*a, *b))
    if plain:
        assert (derive(first, *a) == derive(second, *b)) == ((first, a) == (second, b))


def test_a_number_is_not_its_text():
    assert derive(0, 1) != derive(0, "1")


def test_generators_are_independent_of_each_other():
    first = generator(1, "a").random(3)
    generator(1, "b").random(100)
    assert (generator(1, "a").random(3) == first).all()
    assert (generator(1, "b").random(3) != first).any()
