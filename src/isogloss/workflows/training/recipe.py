"""``isogloss train KEY``: a published system made of the user's own data, by the recipe's ``make``."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isogloss.errors import UsageError
from isogloss.evaluation.general_questions import NAME
from isogloss.protocols import Progress, Silent
from isogloss.workflows.training.data import read_training_data
from isogloss.workflows.training.judging import exam, general_exam, measured
from isogloss.workflows.training.lineage import learned_from
from isogloss.workflows.training.recipe_arguments import arguments
from isogloss.workflows.training.settings import parsed
from isogloss.workflows.training.split import split
from isogloss.workflows.training.writing import Measured, Written, check_place, write_model


@dataclass(slots=True)
class Made:
    """What ``isogloss train KEY`` gave.

    Attributes
    ----------
    key, title
        Of the recipe.
    settings
        What was given to ``make`` beside data and base.
    written
        The folder; None in a dry run.
    results
        What was measured.
    notes
        In sentences.
    """

    key: str
    title: str
    settings: dict[str, Any]
    written: Written | None = None
    results: list[Measured] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "key": self.key, "title": self.title, "settings": self.settings, "notes": self.notes,
            "folder": str(self.written.folder) if self.written else None,
            "results": [one.to_dict() for one in self.results],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for.

    Attributes
    ----------
    key
        Of the recipe.
    on, split
        Data, as :func:`~isogloss.workflows.training.data.read_training_data` takes them.
    base
        Name or folder of the model that the recipe starts from.
    budget
        Seconds, or None.
    settings
        ``name=value`` of the recipe's own parameters.
    seed
        Of everything random.
    """

    key: str
    on: str
    split: str = "train"
    base: str = "minilm"
    budget: float | None = None
    settings: tuple[str, ...] = ()
    seed: int = 0


def make_system(
    order: Order, out: Path, *, dry_run: bool, threads: int | None = None, progress: Progress
) -> Made:  # fmt: skip
    """Make a recipe's system of the user's data and write it.

    ``make`` is given what its parameters name (see :func:`~isogloss.workflows.training.recipe_arguments.arguments`);
    everything else has the paper's default or comes from the order's settings.

    Parameters
    ----------
    order
        What is asked for.
    out
        Folder of the result.
    dry_run
        Only say what ``make`` would be given.
    threads
        Of torch, of the base and of a ``make`` that takes them; None: each decides for itself.
    progress
        Handed on to ``make`` where it takes one.

    Raises
    ------
    UsageError
        Where ``make`` needs something that these data cannot give, does not know a setting, or makes something that
        is no encoder that can be saved.
    """
    from isogloss.encoders.names import load_encoder
    from isogloss.recipes._catalogue import find
    from isogloss.recipes._checks import load

    entry, place = find(order.key), out.expanduser().absolute()
    check_place(place)
    make: Callable[..., Any] = load(entry).make
    data = read_training_data(order.on, split=order.split, seed=order.seed)
    parts = split(data, order.seed)
    chosen = parsed(order.settings)
    given = arguments(
        order.key, make, parts.train, order.base, chosen, seed=order.seed, budget=order.budget, threads=threads,
        progress=progress,
    )  # fmt: skip
    made = Made(order.key, entry.card.title, chosen, notes=[*data.notes, parts.note])
    if dry_run:
        made.notes.append(f"make is given {', '.join(sorted(given))}")
        return made
    _use_threads(threads)
    if given.get("steps", 1) > 1:  # what cannot be written says so before the long part
        quiet = {"progress": Silent()} if "progress" in given else {}
        _saver(order.key, _made(make, {**given, "steps": 1, **quiet}))
    encoder = _made(make, given)
    save = _saver(order.key, encoder)
    # the base is loaded again, because a make may train its own in place
    both = {**({"base": load_encoder(order.base, threads=threads)} if "base" in given else {}), order.key: encoder}
    if parts.prove is not None:
        own = exam(parts, "prove", order.seed)
        made.results.append(measured(own, f"your data: {data.name}", both, model=order.key, progress=progress))
    made.results.append(measured(general_exam(), NAME, both, model=order.key, progress=progress))
    how = f"{entry.card.title} ({entry.card.year}), made of {len(parts.train):,} rows of {data.name}."
    made.written = write_model(
        place, save, title=out.name, base=order.base if "base" in given else "", how=how, results=made.results,
        settings={"recipe": order.key, **chosen, "seed": order.seed, "budget": order.budget},
        facts={"learned_from": learned_from([order.base] if "base" in given else [], [data], order.seed)},
    )  # fmt: skip
    return made


def _made(make: Callable[..., Any], given: dict[str, Any]) -> Any:
    return make(**{name: value() if name == "base" else value for name, value in given.items()})


def _use_threads(threads: int | None) -> None:
    """Let torch compute with so many threads, where it is there: not every recipe needs it."""
    if threads is not None and importlib.util.find_spec("torch"):
        from isogloss.training.hardware import use_threads

        use_threads(threads)


def _published(trainable: Any) -> bool:
    """Whether a model folder has a name for every weight: layers with prompts or adapters of their own have none."""
    from isogloss.training.models import tensor_names

    try:
        return trainable.plan.architecture is None or bool(
            tensor_names(trainable.model.transformer, trainable.plan.architecture)
        )
    except KeyError:
        return False


def _saver(key: str, encoder: Any) -> Callable[[Path, str], Any]:
    """Return what writes the encoder into a folder with the text of its card."""
    from isogloss.encoders.static import StaticEncoder

    if isinstance(encoder, StaticEncoder):
        return lambda folder, card: encoder.save(folder, card=card)
    trainable = getattr(encoder, "trainable", None)
    if trainable is not None and _published(trainable):
        from isogloss.training.saving import save_trainable

        return lambda folder, card: save_trainable(trainable, folder, card=card)
    raise UsageError(
        f"what {key} makes cannot be written as a model folder",
        f"it is a {type(encoder).__name__}" + " with weights that such a folder has no place for" * bool(trainable),
        f"use it from Python: make in {key.replace('-', '_')}.py",
    )  # fmt: skip
