"""What every objective promises: unreduced finite losses, exact gradients, and no word from items of weight 0.

A batch of one item is either a clear error or a finite loss (0 where there is nothing to compare with).
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from contract_parts import left_out, objectives  # noqa: E402

import isogloss.objectives  # noqa: E402
from isogloss.errors import UsageError  # noqa: E402
from isogloss.objectives.contract import Batch, Losses  # noqa: E402
from isogloss.seeding import derive  # noqa: E402
from isogloss.training.caching import backward  # noqa: E402
from isogloss.training.randomness import seeded  # noqa: E402
from isogloss.training.stage import Player  # noqa: E402

TESTS = {
    "finite_differences", "half", "parameters", "right_is_lower", "extremes", "weights", "permutation", "one_item",
    "caching",
}  # fmt: skip
UNITS = {"item", "pair", "token", "batch"}
ITEMS = 6
by_name = pytest.mark.parametrize("name", sorted(objectives))


def each(test, *, cacheable=False):
    """Every objective that has not opted out of a test; only those on vectors where it is about them."""
    names = [name for name in sorted(objectives) if test not in objectives[name].opted_out]
    return pytest.mark.parametrize("name", [one for one in names if not cacheable or objectives[one].make().cacheable])


def the(name):
    """The part; its parameters are the same each time and in float64."""
    part = objectives[name]
    torch.manual_seed(0)
    objective = part.make()
    return part, objective.double() if isinstance(objective, torch.nn.Module) else objective


def tensors(tree):
    """The tensors of numbers in nested tuples and dictionaries, in order."""
    if isinstance(tree, torch.Tensor):
        return [tree] if tree.is_floating_point() else []
    inside = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, tuple | list) else ()
    return [leaf for one in inside for leaf in tensors(one)]


def rebuilt(tree, change):
    """The same tree with each tensor of numbers changed."""
    if isinstance(tree, torch.Tensor):
        return change(tree) if tree.is_floating_point() else tree
    if isinstance(tree, dict):
        return {key: rebuilt(value, change) for key, value in tree.items()}
    if not isinstance(tree, tuple | list):
        return tree
    parts = [rebuilt(value, change) for value in tree]
    return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)


def picked(batch, rows):
    """Some items of a batch, in some order."""

    def of(value):
        if isinstance(value, tuple):
            return tuple(of(one) for one in value)
        return value[rows] if isinstance(value, torch.Tensor) and len(value) == batch.size else value

    extra = {key: of(value) for key, value in batch.extra.items()}
    return Batch(of(batch.columns), of(batch.labels), of(batch.weights), of(batch.keys), extra=extra)


def chosen(part, outputs, batch, items):
    """What belongs to some items of a batch, in some order."""
    if part.select is not None:
        return part.select(outputs, batch, items)
    return rebuilt(outputs, lambda one: one[items]), picked(batch, items)


def classes():
    for one in pkgutil.iter_modules(isogloss.objectives.__path__):
        module = importlib.import_module(f"isogloss.objectives.{one.name}")
        for name, candidate in inspect.getmembers(module, inspect.isclass):
            own = candidate.__module__ == module.__name__ and not getattr(candidate, "_is_protocol", False)
            if own and hasattr(candidate, "cacheable") and callable(candidate):
                yield f"objectives.{one.name}.{name}", candidate


def test_every_objective_is_built():
    found, built = {name for name, _ in classes()}, {name.split(" ")[0] for name in objectives}
    assert sorted(found - built - set(left_out)) == [], "add it to tests/contracts/builders"
    assert sorted(built - found) == []
    assert {test for part in objectives.values() for test in part.opted_out} <= TESTS
    assert all(len(reason) > 9 for part in objectives.values() for reason in part.opted_out.values())


def test_every_objective_has_tests_of_its_own():
    told = "".join(path.read_text() for path in (Path(__file__).parents[1] / "parts").glob("*/*.py"))
    assert [name for name, _ in classes() if name.rsplit(".", 1)[1] not in told] == []


@by_name
def test_losses_are_not_reduced(name):
    part, objective = the(name)
    outputs, batch = part.case(ITEMS, 0)
    losses = objective(outputs, batch)
    assert isinstance(losses, Losses)
    assert losses.unit in UNITS
    assert losses.values.ndim == 1
    assert losses.weights is None or losses.weights.shape == losses.values.shape
    assert losses.unit != "item" or len(losses.values) == batch.size
    assert all(not isinstance(value, torch.Tensor) or not value.requires_grad for value in losses.parts.values())
    again = objective(outputs, batch)
    assert torch.equal(again.values, losses.values)
    assert isinstance(objective.cacheable, bool)


@each("finite_differences")
def test_gradients_are_those_of_finite_differences(name):
    part, objective = the(name)
    outputs, batch = part.case(ITEMS, 0)
    leaves = tensors(outputs)

    def mean(*given):
        rest = iter(given)
        return objective(rebuilt(outputs, lambda _: next(rest)), batch).mean()

    assert torch.autograd.gradcheck(mean, leaves, eps=1e-6, atol=1e-4, rtol=1e-3)


@each("parameters")
def test_every_parameter_gets_a_gradient(name):
    part, objective = the(name)
    if not isinstance(objective, torch.nn.Module):
        assert not inspect.isclass(objective)
        return
    outputs, batch = part.case(ITEMS, 0)
    objective(outputs, batch).mean().backward()
    still = [key for key, one in objective.named_parameters() if one.grad is None or not bool(one.grad.any())]
    assert still == []


@each("right_is_lower")
def test_right_pairs_cost_less_than_shuffled_ones(name):
    part, objective = the(name)
    assert part.wrong is not None, "say what is wrong, or why nothing is"
    for seed in range(3):
        right = part.case(ITEMS, 10 * seed)
        assert float(objective(*right).mean().detach()) < float(objective(*part.wrong(*right)).mean().detach())


@each("extremes")
def test_extremes_stay_finite(name):
    part, objective = the(name)
    objective = objective.float() if isinstance(objective, torch.nn.Module) else objective
    outputs, batch = part.case(ITEMS, 0)
    sizes = [1e-30, 1e4, *([1e30] if part.scale_free else [])]
    changes = {f"times {size}": lambda one, size=size: one * size for size in sizes}
    changes["zero"] = torch.zeros_like
    changes["equal"] = torch.ones_like
    changes["one zero"] = lambda one: one * (torch.arange(len(one)) > 0).reshape(-1, *[1] * (one.ndim - 1))
    for what, change in changes.items():
        tree = rebuilt(outputs, lambda one, change=change: change(one.detach()).float().requires_grad_())
        mean = objective(tree, batch).mean()
        assert bool(mean.isfinite()), what
        mean.backward()
        assert all(one.grad is None or bool(one.grad.isfinite().all()) for one in tensors(tree)), what


@each("half", cacheable=True)
def test_half_precision_is_computed_in_full(name):
    part, objective = the(name)
    objective = objective.float() if isinstance(objective, torch.nn.Module) else objective
    outputs, batch = part.case(ITEMS, 0)
    half = rebuilt(outputs, lambda one: one.detach().bfloat16())
    exact = objective(rebuilt(half, lambda one: one.float()), batch).values
    torch.testing.assert_close(objective(half, batch).values.to(exact.dtype), exact, rtol=1e-5, atol=1e-5)


@each("weights")
def test_items_of_weight_0_change_nothing(name):
    part, objective = the(name)
    outputs, batch = part.case(ITEMS + 2, 0)
    weights = torch.ones(ITEMS + 2, dtype=torch.float64)
    weights[ITEMS:] = 0
    weights[0] = 1.0
    with_them = objective(outputs, replace(batch, weights=weights)).mean()
    kept, left = torch.arange(ITEMS), torch.arange(ITEMS, ITEMS + 2)
    gone, rest = chosen(part, outputs, batch, kept)
    gone = rebuilt(gone, lambda one: one.detach().requires_grad_())
    without = objective(gone, rest).mean()
    torch.testing.assert_close(with_them, without)
    with_them.backward()
    without.backward()
    found = rebuilt(outputs, lambda one: torch.full_like(one, torch.nan) if one.grad is None else one.grad)
    for whole, cut in zip(tensors(chosen(part, found, batch, kept)[0]), tensors(gone), strict=True):
        if cut.grad is not None and not bool(whole.isnan().any()):  # some of what is given is no leaf
            torch.testing.assert_close(whole, cut.grad)
    assert not any(bool(one.nan_to_num().any()) for one in tensors(chosen(part, found, batch, left)[0]))


@each("permutation")
def test_the_order_of_items_changes_nothing(name):
    part, objective = the(name)
    outputs, batch = part.case(ITEMS, 0)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    losses = objective(outputs, batch)
    moved = objective(*chosen(part, outputs, batch, order))
    torch.testing.assert_close(losses.mean(), moved.mean())
    if losses.unit == "item":
        torch.testing.assert_close(losses.values[order], moved.values)


@each("one_item")
def test_one_item_is_a_clear_error_or_finite(name):
    part, objective = the(name)
    outputs, batch = part.case(1, 0)
    with contextlib.suppress(UsageError):
        losses = objective(outputs, batch)
        assert bool(losses.values.isfinite().all())
        assert bool(losses.mean().isfinite())


@each("caching", cacheable=True)
@pytest.mark.parametrize(("chunk", "dropout"), [(1, 0.0), (4, 0.0), (4, 0.3)])
def test_gradient_caching_is_exact(name, chunk, dropout):
    part, objective = the(name)
    outputs, batch = part.case(ITEMS, 0)
    columns = tuple(one.detach() for one in outputs)
    batch = replace(batch, columns=columns)
    torch.manual_seed(0)
    width = columns[0].shape[1]
    module = torch.nn.Sequential(torch.nn.Linear(width, width), torch.nn.Dropout(dropout)).double()
    pieces = []
    for number, start in enumerate(range(0, ITEMS, chunk)):  # one graph over all pieces, each with its own dropout
        with seeded(derive(derive(0, "device", 0), "piece", number)):
            pieces.append(tuple(module(one) for one in batch.take(start, min(start + chunk, ITEMS)).columns))
    objective(tuple(torch.cat(column) for column in zip(*pieces, strict=True)), batch).totals()[0].backward()
    learned = [module, *([objective] if isinstance(objective, torch.nn.Module) else [])]
    parameters = [one for part in learned for one in part.parameters()]
    direct = [one.grad.clone() for one in parameters]
    for one in parameters:
        one.grad = None
    backward(Player(module=module, objective=objective), batch, chunk, 0)
    for one, expected in zip(parameters, direct, strict=True):
        torch.testing.assert_close(one.grad, expected, rtol=1e-9, atol=1e-12)
