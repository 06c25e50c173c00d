"""Checkpoints: safetensors and JSON, whole or not there at all, from which a run goes on bit by bit as if never broken.

A checkpoint is a folder ``checkpoint-NUMBER`` that is written under another name, brought to the disk and renamed; the
one with the highest number counts, and older ones are removed after it. ``kill -9`` at any moment leaves the last one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from isogloss.errors import IncompatibleError, UsageError
from isogloss.index.store.arrayfile import sync_file, sync_folder
from isogloss.training.moving import Seat, learned_modules
from isogloss.training.stage import Stage

FORMAT = 1
_NAME, _ASIDE = "checkpoint-", ".aside-"


@dataclass(frozen=True, slots=True)
class Saved:
    """What a checkpoint holds: a record of plain data, tensors by name, and the best weights where there are any."""

    record: dict[str, Any]
    tensors: dict[str, Tensor]
    best: dict[str, Tensor]


class Checkpoints:
    """The checkpoints of one run.

    Parameters
    ----------
    folder
        Where they lie; it is made.
    settings
        Plain data that must be the same in every part of the run.

    Raises
    ------
    IncompatibleError
        Where the folder holds a run of other settings; nothing in it is changed.
    """

    def __init__(self, folder: str | Path, settings: Mapping[str, Any]) -> None:
        self.folder, self.settings = Path(folder), json.loads(json.dumps(settings))
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError("the output is not a folder", str(self.folder), "name another one")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._best: Mapping[str, Tensor] | None = None
        latest = self._latest()
        if latest is not None:
            self._compare(_read_record(latest))

    def load(self) -> Saved | None:
        """Return the last checkpoint, None where there is none yet."""
        from safetensors.torch import load_file

        latest = self._latest()
        if latest is None:
            return None
        best = load_file(latest / "best.safetensors") if (latest / "best.safetensors").exists() else {}
        return Saved(_read_record(latest), load_file(latest / "tensors.safetensors"), best)

    def save(self, record: Mapping[str, Any], tensors: Mapping[str, Tensor], best: Mapping[str, Tensor]) -> Path:
        """Write a checkpoint and remove the older ones; return its folder."""
        latest = self._latest()
        number = 0 if latest is None else _number(latest) + 1
        aside = self.folder / f"{_ASIDE}{os.getpid()}"
        self._clear()
        aside.mkdir()
        _write_tensors(aside / "tensors.safetensors", tensors)
        if best:
            self._write_best(aside / "best.safetensors", best, latest)
        with (aside / "state.json").open("wb") as file:
            whole = {"format": FORMAT, "settings": self.settings, **record}
            file.write(json.dumps(whole, ensure_ascii=False).encode())
            file.flush()
            sync_file(file)
        sync_folder(aside)
        final = self.folder / f"{_NAME}{number:08d}"
        aside.rename(final)
        sync_folder(self.folder)
        self._clear(but=final)
        self._best = best
        return final

    def _write_best(self, path: Path, best: Mapping[str, Tensor], latest: Path | None) -> None:
        """Write the best weights; where they are those of the last checkpoint, let the file have a second name."""
        if best is self._best and latest is not None:
            try:
                os.link(latest / "best.safetensors", path)
            except OSError:  # a file system without links
                shutil.copyfile(latest / "best.safetensors", path)
            return
        _write_tensors(path, best)

    def _latest(self) -> Path | None:
        return max(self.folder.glob(f"{_NAME}[0-9]*"), key=_number, default=None)

    def _clear(self, but: Path | None = None) -> None:
        """Remove what a killed writer left behind and, after a new checkpoint, those before it."""
        left = [path for path in self.folder.glob(f"{_ASIDE}*") if path != but]
        old = [path for path in self.folder.glob(f"{_NAME}[0-9]*") if but is not None and path != but]
        for path in [*left, *sorted(old, key=_number)]:
            shutil.rmtree(path)

    def _compare(self, record: Mapping[str, Any]) -> None:
        if record.get("format") != FORMAT:
            raise IncompatibleError(
                "the checkpoint has another format", f"{record.get('format')} in {self.folder}, {FORMAT} is read here",
                "train into another folder",
            )  # fmt: skip
        wrong = differences(record["settings"], self.settings)
        if wrong:
            more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
            raise IncompatibleError(
                f"{self.folder} holds a run of other settings", "; ".join(wrong[:8]) + more,
                "train into another folder, or with the settings from before",
            )  # fmt: skip


def differences(there: Any, here: Any, name: str = "") -> list[str]:
    """Return where two pieces of plain data differ, in words.

    Examples
    --------
    >>> differences({"seed": 1, "stages": [{"steps": 5}]}, {"seed": 2, "stages": [{"steps": 5}]})
    ['seed: 1 there, 2 here']
    """
    if isinstance(there, dict) and isinstance(here, dict):
        keys = [*there, *(key for key in here if key not in there)]
        return [
            one for key in keys for one in differences(there.get(key), here.get(key), f"{name}.{key}" if name else key)
        ]
    if isinstance(there, list) and isinstance(here, list) and len(there) == len(here):
        pairs = enumerate(zip(there, here, strict=True))
        return [one for number, (old, new) in pairs for one in differences(old, new, f"{name}[{number}]")]
    return [] if there == here else [f"{name}: {there} there, {here} here"]


def describe(stages: list[Stage], *, seed: int, every: int, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the settings of a run as plain data: all that a run must not change when it goes on.

    Parameters
    ----------
    stages, seed, every
        As given to :func:`~isogloss.training.loop.train`.
    extra
        What else must stay the same: names and digests of data.
    """
    return {"seed": seed, "every": every, "extra": dict(extra or {}), "stages": [_stage(stage) for stage in stages]}


def _stage(stage: Stage) -> dict[str, Any]:
    plain = ("steps", "budget", "accumulate", "chunk", "precision", "name")
    players = [
        {
            "name": player.name, "objective": _plain(player.objective), "optimiser": _plain(player.optimiser),
            "every": player.every, "ema": player.ema,
            "tensors": {
                f"{place}.{name}": list(tensor.shape)
                for place, module in learned_modules(player).items()
                for name, tensor in module.named_parameters()
            },
        }
        for player in stage.players
    ]  # fmt: skip
    return {
        **{name: getattr(stage, name) for name in plain}, "per_epoch": stage.batches.per_epoch, "players": players,
        "refresh": [[refresh.name, refresh.every] for refresh in stage.refresh],
        "evaluation": _plain(stage.evaluation),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    """Return settings as plain data; of what has none, the name of its kind."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {"kind": type(value).__qualname__} | {
            one.name: _plain(getattr(value, one.name)) for one in fields(value)
        }
    if isinstance(value, nn.Module):
        return type(value).__qualname__
    return getattr(value, "__qualname__", type(value).__qualname__)


def module_tensors(stages: list[Stage]) -> dict[str, Tensor]:
    """Return the tensors of all players and refreshes of a run by name, each once."""
    found: dict[int, tuple[str, Tensor]] = {}
    for number, stage in enumerate(stages):
        modules = [
            (f"{number}/{player.name}/{place}", module)
            for player in stage.players
            for place, module in learned_modules(player).items()
        ]
        modules += [
            (f"{number}/refresh/{i}", one.state) for i, one in enumerate(stage.refresh) if one.state is not None
        ]
        for place, module in modules:
            for name, tensor in module.state_dict(keep_vars=True).items():
                if isinstance(tensor, Tensor):
                    found.setdefault(id(tensor), (f"{place}.{name}", tensor))
    return dict(found.values())


@torch.no_grad()
def write_modules(stages: list[Stage], saved: Mapping[str, Tensor]) -> None:
    """Copy saved tensors into the modules; one of another shape (mined negatives) takes the old one's place."""
    for name, tensor in module_tensors(stages).items():
        if tensor.shape == saved[name].shape:
            tensor.detach().copy_(saved[name])
        else:
            tensor.data = saved[name].to(tensor.device)


def seat_tensors(table: list[Seat]) -> dict[str, Tensor]:
    """Return the tensors of optimisers and averages by name."""
    found: dict[str, Tensor] = {}
    for seat in table:
        for index, state in seat.optimiser.state_dict()["state"].items():
            tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
            found |= {f"{seat.player.name}/optimiser/{index}/{name}": value for name, value in tensors.items()}
        if seat.average is not None:
            found |= {f"{seat.player.name}/average/{name}": value for name, value in seat.average.weights.items()}
    return found


def write_seats(table: list[Seat], saved: Saved) -> None:
    """Give optimisers and averages what :func:`seat_tensors` returned, and ``seat_numbers`` their counts."""
    for seat in table:
        numbers = saved.record["seats"][seat.player.name]
        states: dict[int, dict[str, Any]] = {int(index): state for index, state in numbers["optimiser"].items()}
        begin = f"{seat.player.name}/optimiser/"
        for name, value in saved.tensors.items():
            if name.startswith(begin):
                index, key = name.removeprefix(begin).split("/", 1)
                states.setdefault(int(index), {})[key] = value
        seat.optimiser.load_state_dict({**seat.optimiser.state_dict(), "state": states})
        seat.still = numbers["still"]
        if seat.average is not None:
            seat.average.count = numbers["averaged"]
            for name, weight in seat.average.weights.items():
                weight.copy_(saved.tensors[f"{seat.player.name}/average/{name}"])


def seat_numbers(table: list[Seat]) -> dict[str, dict[str, Any]]:
    """Return the counts of each seat, and what its optimiser holds beside tensors, as plain data."""
    found = {}
    for seat in table:
        states = seat.optimiser.state_dict()["state"]
        plain = {
            str(index): {name: value for name, value in state.items() if not isinstance(value, Tensor)}
            for index, state in states.items()
        }
        averaged = seat.average.count if seat.average else 0
        found[seat.player.name] = {"still": seat.still, "averaged": averaged, "optimiser": plain}
    return found


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write a safetensors file and bring it to the disk; views of one memory are written as tensors of their own."""
    from safetensors.torch import save_file

    seen: set[int] = set()
    ready = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        place = value.untyped_storage().data_ptr()
        ready[name] = value.clone() if place in seen else value
        seen.add(place)
    save_file(ready, path)
    with path.open("rb+") as file:
        sync_file(file)


def _read_record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    return record


def _number(path: Path) -> int:
    digits = path.name.removeprefix(_NAME)
    return int(digits) if digits.isdigit() else -1
