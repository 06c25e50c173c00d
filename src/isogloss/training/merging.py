"""Merging of weights: several models of one shape into one. All work on ``name -> tensor`` and change none of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

from isogloss.errors import IncompatibleError, UsageError
from isogloss.seeding import derive

State: TypeAlias = Mapping[str, Tensor]


def merge_weighted(states: Sequence[State], weights: Sequence[float] | None = None) -> dict[str, Tensor]:
    """Return the weighted mean of several models' tensors.

    Parameters
    ----------
    states
        Tensors by name; the same names and shapes in all. Whole numbers must be equal in all.
    weights
        One a model, divided by their sum; None: all alike.

    Raises
    ------
    IncompatibleError
        Where names, shapes or whole numbers differ.
    UsageError
        Where there is nothing to merge, or the weights have no sum to divide by.

    References
    ----------
    LM-Cocktail: https://arxiv.org/abs/2311.13534

    Examples
    --------
    >>> merge_weighted([{"w": torch.tensor([0.0, 2.0])}, {"w": torch.tensor([4.0, 2.0])}], [3.0, 1.0])
    {'w': tensor([1., 2.])}
    """
    shares = [1.0] * len(states) if weights is None else [float(weight) for weight in weights]
    if len(shares) != len(states):
        raise UsageError("one weight a model is needed", f"{len(states)} models, {len(shares)} weights")
    whole = sum(shares)
    if not math.isfinite(whole) or abs(whole) < 1e-12:
        raise UsageError("the weights have no sum to divide by", f"they are {shares}")
    return _each(states, lambda tensors: _sum(tensors, [share / whole for share in shares]))


def merge_slerp(one: State, other: State, share: float) -> dict[str, Tensor]:
    """Go from one model to another along the sphere instead of the chord, tensor by tensor.

    Directions are turned at an even pace and lengths interpolated linearly; where two tensors point the same or the
    opposite way, or one is zero, the way is the straight line.

    Parameters
    ----------
    one, other
        Two models.
    share
        0: the first, 1: the second.

    References
    ----------
    Animating Rotation with Quaternion Curves: https://doi.org/10.1145/325334.325242

    Examples
    --------
    >>> half = merge_slerp({"w": torch.tensor([1.0, 0.0])}, {"w": torch.tensor([0.0, 1.0])}, 0.5)
    >>> [round(x, 4) for x in half["w"].tolist()]
    [0.7071, 0.7071]
    """

    def turn(tensors: list[Tensor]) -> Tensor:
        first, second = (tensor.double() for tensor in tensors)  # tuned models differ by small angles
        lengths = first.norm(), second.norm()
        if not float(lengths[0]) or not float(lengths[1]):
            return _sum(tensors, [1 - share, share])
        a, b = first / lengths[0], second / lengths[1]
        angle = 2 * torch.atan2((a - b).norm(), (a + b).norm())  # exact for small angles, where an arc cosine is not
        if float(angle.sin()) < 1e-6:
            return _sum(tensors, [1 - share, share])
        direction = (((1 - share) * angle).sin() * a + (share * angle).sin() * b) / angle.sin()
        return direction * (lengths[0] * (1 - share) + lengths[1] * share)

    return _each([one, other], turn)


def task_vector(base: State, tuned: State) -> dict[str, Tensor]:
    """Return what tuning has added to a base model, in float32.

    Examples
    --------
    >>> task_vector({"w": torch.tensor([1.0])}, {"w": torch.tensor([3.0])})
    {'w': tensor([2.])}
    """
    return {
        name: tensors[1].float() - tensors[0].float()
        for name, tensors in _aligned([base, tuned]).items()
        if tensors[0].is_floating_point()
    }


def merge_tasks(base: State, tuned: Sequence[State], weights: Sequence[float]) -> dict[str, Tensor]:
    """Add several models' task vectors to their base model, each times its weight (negative: forget the task).

    Parameters
    ----------
    base, tuned
        The model that all were tuned from, and the tuned ones.
    weights
        One a tuned model.

    References
    ----------
    Editing Models with Task Arithmetic: https://arxiv.org/abs/2212.04089

    Examples
    --------
    >>> base, tuned = {"w": torch.tensor([1.0])}, [{"w": torch.tensor([3.0])}, {"w": torch.tensor([0.0])}]
    >>> merge_tasks(base, tuned, [0.5, -1.0])
    {'w': tensor([3.])}
    """
    if len(weights) != len(tuned):
        raise UsageError("one weight a model is needed", f"{len(tuned)} models, {len(weights)} weights")
    vectors = _vectors(base, tuned)
    return _added(base, {name: _sum(deltas, list(weights)) for name, deltas in vectors.items()})


def merge_ties(base: State, tuned: Sequence[State], *, density: float = 0.2, scale: float = 1.0) -> dict[str, Tensor]:
    """Merge task vectors without the numbers that disagree: trim, elect signs, average those that agree.

    Of each task vector only the largest numbers stay; at each place the sign of their sum is elected; the mean is taken
    over the vectors that have a number of that sign there.

    Parameters
    ----------
    base, tuned
        The model that all were tuned from, and the tuned ones.
    density
        Share of each task vector's numbers that stays, over all its tensors together.
    scale
        The merged task vector is added this many times.

    References
    ----------
    TIES-Merging: https://arxiv.org/abs/2306.01708

    Examples
    --------
    >>> base = {"w": torch.zeros(3)}
    >>> tuned = [{"w": torch.tensor([4.0, 1.0, 3.0])}, {"w": torch.tensor([-2.0, 3.0, 0.1])}]
    >>> merge_ties(base, tuned, density=0.7)
    {'w': tensor([4., 3., 3.])}
    """
    _check_share("density", density)
    vectors = _vectors(base, tuned)
    trimmed = [_trim({name: deltas[i] for name, deltas in vectors.items()}, density) for i in range(len(tuned))]
    merged = {}
    for name in vectors:
        stack = torch.stack([vector[name] for vector in trimmed])  # (models, ...)
        sign = stack.sum(0).sign()
        agree = (stack.sign() == sign) & (sign != 0)
        merged[name] = (stack * agree).sum(0) / agree.sum(0).clamp_min(1) * scale
    return _added(base, merged)


def merge_dare(
    base: State, tuned: Sequence[State], weights: Sequence[float] | None = None, *, drop: float = 0.9, seed: int
) -> dict[str, Tensor]:
    """Drop numbers of each task vector at random, make up for them by scaling the rest, and add the weighted vectors.

    Parameters
    ----------
    base, tuned
        The model that all were tuned from, and the tuned ones.
    weights
        One a tuned model; None: ``1 / number of models``.
    drop
        Share of numbers set to zero; the others are divided by ``1 - drop``.
    seed
        Of the draw.

    References
    ----------
    Language Models are Super Mario: https://arxiv.org/abs/2311.03099

    Examples
    --------
    >>> base, tuned = {"w": torch.zeros(4)}, [{"w": torch.ones(4)}]
    >>> sorted(set(merge_dare(base, tuned, drop=0.5, seed=0)["w"].tolist())) == [0.0, 2.0]
    True
    """
    if not 0 <= drop < 1:
        raise UsageError("the dropped share lies in [0, 1)", f"it is {drop}")
    shares = [1 / len(tuned)] * len(tuned) if weights is None else list(weights)
    if len(shares) != len(tuned):
        raise UsageError("one weight a model is needed", f"{len(tuned)} models, {len(shares)} weights")
    merged = {}
    for name, deltas in _vectors(base, tuned).items():
        kept = []
        for number, delta in enumerate(deltas):
            random = torch.Generator().manual_seed(derive(seed, "dare", number, name))
            stays = torch.rand(delta.shape, generator=random) >= drop
            kept.append(delta * stays.to(delta.device) / (1 - drop))
        merged[name] = _sum(kept, shares)
    return _added(base, merged)


def greedy_soup(
    states: Sequence[State], score: Callable[[dict[str, Tensor]], float]
) -> tuple[dict[str, Tensor], list[int]]:
    """Average models one by one, best first, as long as the score does not fall.

    Parameters
    ----------
    states
        The models.
    score
        Judges weights, the higher the better; on data that are not used to prove the result.

    Returns
    -------
    dict, list of int
        The soup, and the numbers of the models in it, in the order in which they went in.

    References
    ----------
    Model soups: https://arxiv.org/abs/2203.05482

    Examples
    --------
    >>> models = [{"w": torch.tensor(x)} for x in (0.0, 3.0, 9.0)]
    >>> soup, used = greedy_soup(models, lambda state: -abs(float(state["w"]) - 2.0))
    >>> float(soup["w"]), used
    (1.5, [1, 0])
    """
    alone = [float(score(merge_weighted([state]))) for state in states]
    if not alone or not all(math.isfinite(value) for value in alone):
        raise UsageError("a soup needs models with scores", f"the scores are {alone}")
    order = sorted(range(len(states)), key=lambda number: (-alone[number], number))
    used, soup, best = [order[0]], merge_weighted([states[order[0]]]), alone[order[0]]
    for number in order[1:]:
        candidate = merge_weighted([states[one] for one in [*used, number]])
        reached = float(score(candidate))
        if reached >= best:
            used, soup, best = [*used, number], candidate, reached
    return soup, used


def _aligned(states: Sequence[State]) -> dict[str, list[Tensor]]:
    """Return each name's tensors of all models, or say where they are unlike."""
    if not states:
        raise UsageError("there is nothing to merge", "no model was given")
    first = states[0]
    for number, state in enumerate(states[1:], start=2):
        odd = sorted(set(first) ^ set(state))
        if odd:
            raise IncompatibleError(
                "models of unlike parts cannot be merged",
                f"model 1 has {len(first)} tensors, model {number} has {len(state)};"
                f" {len(odd)} are in one of them only: {', '.join(odd[:3])}",
                "merge models that were tuned from one base",
            )  # fmt: skip
        unlike = [name for name in first if first[name].shape != state[name].shape]
        if unlike:
            name = unlike[0]
            raise IncompatibleError(
                "models of unlike shapes cannot be merged",
                f"{len(unlike)} tensors differ: {name} is {tuple(first[name].shape)} in model 1"
                f" and {tuple(state[name].shape)} in model {number}", "merge models that were tuned from one base",
            )  # fmt: skip
    return {name: [state[name].detach() for state in states] for name in first}


def _each(states: Sequence[State], merge: Callable[[list[Tensor]], Tensor]) -> dict[str, Tensor]:
    """Merge tensor by tensor, in float32 or finer, and return each in the first model's type."""
    merged = {}
    for name, tensors in _aligned(states).items():
        if tensors[0].is_floating_point():
            finer = torch.promote_types(tensors[0].dtype, torch.float32)
            merged[name] = merge([tensor.to(finer) for tensor in tensors]).to(tensors[0].dtype)
        else:
            _check_equal(name, tensors)
            merged[name] = tensors[0].clone()
    return merged


def _check_equal(name: str, tensors: Sequence[Tensor]) -> None:
    if any(not torch.equal(tensors[0], tensor) for tensor in tensors[1:]):
        raise IncompatibleError("whole numbers cannot be averaged", f"{name} differs between the models")


def _vectors(base: State, tuned: Sequence[State]) -> dict[str, list[Tensor]]:
    """Return each name's differences from the base, one a tuned model."""
    if not tuned:
        raise UsageError("there is nothing to merge", "no tuned model was given")
    vectors: dict[str, list[Tensor]] = {}
    for name, (first, *others) in _aligned([base, *tuned]).items():
        if first.is_floating_point():
            vectors[name] = [other.float() - first.float() for other in others]
        else:
            _check_equal(name, [first, *others])
    return vectors


def _added(base: State, merged: State) -> dict[str, Tensor]:
    return {
        name: (tensor.float() + merged[name]).to(tensor.dtype) if name in merged else tensor.detach().clone()
        for name, tensor in ((name, tensor.detach()) for name, tensor in base.items())
    }


def _sum(tensors: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    return torch.stack([tensor * weight for tensor, weight in zip(tensors, weights, strict=True)]).sum(0)


def _trim(vector: Mapping[str, Tensor], density: float) -> dict[str, Tensor]:
    """Keep the numbers of largest magnitude over all tensors together; equal ones at the border all stay."""
    sizes = torch.cat([delta.abs().reshape(-1) for delta in vector.values()])
    kept = max(1, round(density * len(sizes)))
    least = sizes.kthvalue(len(sizes) - kept + 1).values
    return {name: torch.where(delta.abs() >= least, delta, torch.zeros_like(delta)) for name, delta in vector.items()}


def _check_share(name: str, value: float) -> None:
    if not 0 < value <= 1:
        raise UsageError(f"the {name} lies in (0, 1]", f"it is {value}")
