"""Writing with a model that gives one step at a time: greedily, with beams, by drawing; freely or constrained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from isogloss.arrays import charge, top_k
from isogloss.errors import NonFiniteError, UsageError
from isogloss.generation.constraints import Constraint
from isogloss.seeding import derive

NEVER = float("-inf")


class StepModel(Protocol):
    """Writes one token after another, such as :class:`~isogloss.nn.seq2seq.Seq2Seq`.

    A state has ``len(state)`` rows, one an output, and ``state.select(rows)`` returns chosen rows of it.
    """

    @property
    def start(self) -> int:
        """Token before the first one."""
        ...

    @property
    def end(self) -> int:
        """Token that ends an output, -1 for none."""
        ...

    def begin(self, sources: Any) -> Any:
        """Return the state before the first token, one row a source."""
        ...

    def step(self, state: Any, tokens: Tensor) -> tuple[Tensor, Any]:
        """Return logits ``(rows, outputs)`` after one more token a row, and the new state."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """One output.

    Attributes
    ----------
    tokens
        What was written, the end included where the model has one and reached it.
    score
        Sum of the tokens' log-probabilities over all outputs of the model, in nats; in a constrained search the
        forbidden ones keep their share.
    complete
        Whether it came to its end (of the model or the constraint) within the longest length.
    """

    tokens: tuple[int, ...]
    score: float
    complete: bool


def greedy(model: StepModel, sources: Any, *, longest: int, constraint: Constraint | None = None) -> list[Written]:
    """Return for each source what comes of taking the likeliest allowed token at every step.

    Parameters
    ----------
    model
        Writes.
    sources
        What the model's ``begin`` takes.
    longest
        Most tokens of an output.
    constraint
        What may be written; None for anything.

    Raises
    ------
    UsageError
        Where the length is below one.
    NonFiniteError
        Where the model gives NaN.
    """
    if longest < 1:
        raise UsageError("nothing can be written", f"outputs of {longest} tokens", "allow at least one")
    return _written(model, sources, longest, constraint, lambda logs: logs.argmax(1))


@torch.inference_mode()
def beams(
    model: StepModel, sources: Any, *, width: int, longest: int, constraint: Constraint | None = None,
    length_power: float = 0.0,
) -> list[list[Written]]:  # fmt: skip
    """Return for each source the best outputs that a beam of ``width`` finds, best first, at most ``width``.

    At every step the best ``width`` unfinished outputs go on; finished ones are put aside. With ``width`` at least the
    number of unfinished outputs of any length the search is exhaustive. Equal scores: the lower token first.

    Graves 2012, "Sequence Transduction with Recurrent Neural Networks" (https://arxiv.org/abs/1211.3711); constraints
    as in De Cao et al. 2021 (https://arxiv.org/abs/2010.00904); the length as in Wu et al. 2016
    (https://arxiv.org/abs/1609.08144), without its constant.

    Parameters
    ----------
    model, sources, longest, constraint
        As for :func:`greedy`.
    width
        Outputs that are followed at once.
    length_power
        Outputs are ordered by score over length to this power; 0 orders by the score, 1 by the score a token.

    Raises
    ------
    UsageError
        Where the width or the length is below one.
    NonFiniteError
        Where the model gives NaN.
    """
    if width < 1 or longest < 1 or length_power < 0:
        raise UsageError(
            "nothing can be written", f"a beam of {width}, outputs of {longest}, a power of {length_power}",
            "take a beam and a length of at least one, and a power from 0",
        )  # fmt: skip
    state = model.begin(sources)
    search = _Beams(model, len(state), width, constraint)
    for _ in range(longest):
        state = search.advance(state)
        if not search.live():
            break
    return search.best(length_power)


class _Beams:
    """The outputs of all sources that a beam search follows; rows of one source stand together."""

    def __init__(self, model: StepModel, count: int, width: int, constraint: Constraint | None) -> None:
        self.model, self.count, self.width, self.constraint = model, count, width, constraint
        self.owners = np.arange(count)  # (rows,) source of each row
        self.scores = torch.zeros(count, dtype=torch.float64)  # (rows,)
        self.places = np.zeros(count, np.int64)  # (rows,) in the constraint
        self.written = np.zeros((count, 0), np.int64)  # (rows, steps)
        self.last = torch.full((count,), model.start, dtype=torch.long)  # (rows,)
        self.done: list[list[Written]] = [[] for _ in range(count)]

    def live(self) -> bool:
        return len(self.owners) > 0

    def advance(self, state: Any) -> Any:
        """Make one step: extend all rows, put finished ones aside, keep the best of each source."""
        logits, state = self.model.step(state, self.last)
        charge(decode_steps=len(self.owners))
        totals = self.scores[:, None] + allowed_logs(logits, self.constraint, self.places)  # (rows, outputs)
        rows, tokens, scores = self._chosen(totals)
        self.written = np.concatenate([self.written[rows], tokens[:, None]], 1)  # (kept, steps)
        self.owners, self.scores = self.owners[rows], scores
        if self.constraint is not None:
            self.places = self.constraint.follow(self.places[rows], tokens)
        kept = np.flatnonzero(~self._put_aside(tokens))
        kept = kept[self._rank_in_source(self.owners[kept]) < self.width]
        self.owners, self.written, self.scores = self.owners[kept], self.written[kept], self.scores[kept]
        self.places = self.places[kept] if self.constraint is not None else self.places
        self.last = torch.from_numpy(tokens[kept])
        return state.select(torch.from_numpy(rows[kept])) if len(kept) else state

    def _chosen(self, totals: Tensor) -> tuple[np.ndarray, np.ndarray, Tensor]:
        """Return rows, tokens and scores of the best continuations, by source and falling score.

        Twice the width: as each row has one end token at most, enough unfinished ones are among them. A constraint may
        finish any token, so there all that are as good as the best unfinished ones have to be looked at.
        """
        picked = []
        for owner in np.unique(self.owners):
            mine = np.flatnonzero(self.owners == owner)
            flat = totals[mine].flatten().numpy()  # (rows of the source * outputs,)
            best = top_k(flat, 2 * self.width if self.constraint is None else len(flat))
            if self.constraint is not None:
                best = self._enough(best, mine, totals.shape[1])
            picked.append((mine[best // totals.shape[1]], best % totals.shape[1]))
        rows = np.concatenate([one for one, _ in picked])
        tokens = np.concatenate([one for _, one in picked])
        return rows, tokens, totals[torch.from_numpy(rows), torch.from_numpy(tokens)]

    def _enough(self, best: np.ndarray, mine: np.ndarray, outputs: int) -> np.ndarray:
        """Cut what is kept after ``width`` finished and ``width`` unfinished continuations."""
        if self.constraint is None:
            return best
        places = self.constraint.follow(self.places[mine[best // outputs]], best % outputs)
        ends = np.diff(self.constraint.allowed(places).offsets) == 0
        kept = np.where(ends, np.cumsum(ends), np.cumsum(~ends)) <= self.width
        return np.asarray(best[kept])

    def _put_aside(self, tokens: np.ndarray) -> np.ndarray:
        """Keep finished outputs; return which rows are finished."""
        ended = tokens == self.model.end
        if self.constraint is not None:
            ended |= np.diff(self.constraint.allowed(self.places).offsets) == 0
        for row in np.flatnonzero(ended):
            tokens_of_row = tuple(int(token) for token in self.written[row])
            self.done[self.owners[row]].append(Written(tokens_of_row, float(self.scores[row]), True))
        return np.asarray(ended)

    @staticmethod
    def _rank_in_source(owners: np.ndarray) -> np.ndarray:
        """Return how many rows of the same source stand before each; rows of one source stand together."""
        if not len(owners):
            return np.zeros(0, np.int64)
        first = np.concatenate([[True], owners[1:] != owners[:-1]])
        starts = np.flatnonzero(first)
        return np.arange(len(owners)) - np.repeat(starts, np.diff(np.append(starts, len(owners))))

    def best(self, power: float) -> list[list[Written]]:
        """Return the finished outputs of each source, best first, then unfinished ones where there are too few."""
        for row, owner in enumerate(self.owners):
            tokens = tuple(int(token) for token in self.written[row])
            self.done[owner].append(Written(tokens, float(self.scores[row]), False))

        def order(one: Written) -> tuple[bool, float, tuple[int, ...]]:
            return not one.complete, -one.score / len(one.tokens) ** power, one.tokens

        return [sorted(found, key=order)[: self.width] for found in self.done]


def allowed_logs(logits: Tensor, constraint: Constraint | None, places: np.ndarray) -> Tensor:
    """Return log-probabilities ``(rows, outputs)`` in float64, minus infinity where the constraint forbids a token.

    Raises
    ------
    NonFiniteError
        Where a logit is NaN.
    UsageError
        Where the constraint allows a token that the model cannot write.
    """
    if bool(torch.isnan(logits).any()):
        raise NonFiniteError(
            "the model gives no numbers", "a logit is NaN", "train it again with a lower learning rate"
        )
    logs = torch.log_softmax(logits.double(), 1)  # (rows, outputs)
    if constraint is None:
        return logs
    allowed = constraint.allowed(places)
    if len(allowed.values) and int(allowed.values.max()) >= logits.shape[1]:
        raise UsageError(
            f"the constraint allows token {int(allowed.values.max())}", f"the model writes {logits.shape[1]} tokens"
        )
    rows = torch.from_numpy(np.repeat(np.arange(len(places)), np.diff(allowed.offsets)))
    tokens = torch.from_numpy(np.asarray(allowed.values, np.int64))
    masked = torch.full_like(logs, NEVER)  # (rows, outputs)
    masked[rows, tokens] = logs[rows, tokens]
    return masked


def sample(
    model: StepModel, sources: Any, *, longest: int, seed: int, temperature: float = 1.0, most: int = 0,
    mass: float = 1.0, constraint: Constraint | None = None,
) -> list[Written]:  # fmt: skip
    """Draw one output for each source; the same seed draws the same.

    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration" (https://arxiv.org/abs/1904.09751).

    Parameters
    ----------
    model, sources, longest, constraint
        As for :func:`greedy`.
    seed
        Of the draws.
    temperature
        What log-probabilities are divided by; above 1 more even, towards 0 greedy.
    most
        Draw from so many likeliest tokens; 0 for all.
    mass
        Draw from the likeliest tokens that together have this share of the probability.

    Raises
    ------
    UsageError
        Where a setting makes no sense.
    """
    if longest < 1 or temperature <= 0 or most < 0 or not 0 < mass <= 1:
        raise UsageError(
            "nothing can be drawn", f"outputs of {longest}, temperature {temperature}, most {most}, mass {mass}",
            "take a length of one or more, a temperature above 0, and a mass above 0 and at most 1",
        )  # fmt: skip
    draw = torch.Generator().manual_seed(derive(seed, "sample") % 2**63)

    def drawn(logs: Tensor) -> Tensor:
        return torch.multinomial(kept_chances(logs / temperature, most, mass), 1, generator=draw)[:, 0]  # (rows,)

    return _written(model, sources, longest, constraint, drawn)


@torch.inference_mode()
def _written(
    model: StepModel, sources: Any, longest: int, constraint: Constraint | None, choose: Callable[[Tensor], Tensor]
) -> list[Written]:
    """Write one output a source; ``choose`` takes the next tokens ``(rows,)`` from log-probabilities."""
    state = model.begin(sources)
    rows = np.arange(len(state))
    places, last = np.zeros(len(rows), np.int64), torch.full((len(rows),), model.start, dtype=torch.long)
    written: list[list[int]] = [[] for _ in rows]
    scores, complete = np.zeros(len(rows)), np.zeros(len(rows), bool)
    for _ in range(longest):
        logits, state = model.step(state, last)
        charge(decode_steps=len(rows))
        logs = allowed_logs(logits, constraint, places[rows])
        last = choose(logs)
        tokens = last.numpy()
        scores[rows] += logs.gather(1, last[:, None])[:, 0].numpy()
        for row, token in zip(rows, tokens, strict=True):
            written[row].append(int(token))
        complete[rows] = tokens == model.end
        if constraint is not None:
            places[rows] = constraint.follow(places[rows], tokens)
            complete[rows] |= np.diff(constraint.allowed(places[rows]).offsets) == 0
        going = np.flatnonzero(~complete[rows])
        if not len(going):
            break
        rows, last, state = rows[going], last[going], state.select(torch.from_numpy(going))
    return [Written(tuple(one), float(scores[i]), bool(complete[i])) for i, one in enumerate(written)]


def kept_chances(logs: Tensor, most: int, mass: float) -> Tensor:
    """Return probabilities ``(rows, outputs)`` of the likeliest tokens alone, renormalised; the likeliest always stays.

    Examples
    --------
    >>> logs = torch.log(torch.tensor([[0.5, 0.3, 0.2]]))
    >>> [[round(float(x), 2) for x in kept_chances(logs, *kept)[0]] for kept in ((2, 1.0), (0, 0.6), (0, 0.5))]
    [[0.62, 0.38, 0.0], [0.62, 0.38, 0.0], [1.0, 0.0, 0.0]]
    """
    chances = torch.softmax(logs, 1)  # (rows, outputs)
    ordered, order = torch.sort(chances, dim=1, descending=True, stable=True)
    before = ordered.cumsum(1) - ordered  # (rows, outputs) mass of the likelier ones
    stays = before < mass - 1e-9
    if most:
        stays &= torch.arange(chances.shape[1])[None] < most
    stays[:, 0] = True
    kept = torch.zeros_like(chances).scatter(1, order, torch.where(stays, ordered, torch.zeros_like(ordered)))
    return kept / kept.sum(1, keepdim=True)
