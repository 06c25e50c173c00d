"""The precisions that an engine can be asked for by name."""

from __future__ import annotations

from typing import Literal, get_args

Precision = Literal["fp32", "bf16", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
"""Single precision; bfloat16 (8 bits of fraction); products of 8-bit integers."""
