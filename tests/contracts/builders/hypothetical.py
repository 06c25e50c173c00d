"""Queries by documents written for them: what is written is counted up from the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from contract_parts import Made, _static

from isogloss.encoders.hypothetical import HypotheticalDocumentEncoder


class _Echo:
    """Writes the question behind a number."""

    def __init__(self, identity: str = "echo") -> None:
        self.identity = identity

    def __call__(self, questions: Sequence[str], count: int) -> list[list[str]]:
        return [[f"{number} {question}" for number in range(count)] for question in questions]


def _made(folder: Path) -> Made:
    changes: list[dict[str, Any]] = [{"count": 3}, {"include_query": False}]
    others = [HypotheticalDocumentEncoder(_static(), _Echo(), **{"count": 2} | one) for one in changes]
    others += [HypotheticalDocumentEncoder(_static(seed=1), _Echo(), count=2)]
    others += [HypotheticalDocumentEncoder(_static(), _Echo("another"), count=2)]
    first, second = (HypotheticalDocumentEncoder(_static(), _Echo(), count=2) for _ in range(2))
    return Made(first, second, tuple(others))


encoders: dict[str, Callable[[Path], Made]] = {"encoders.hypothetical.HypotheticalDocumentEncoder": _made}
