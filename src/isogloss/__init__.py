"""Isogloss: search, measure, adapt and shrink text embeddings on your own documents, without labels.

>>> import isogloss
>>> isogloss.__version__
'0.1.0'
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isogloss.collection.collection import Collection
    from isogloss.encoders.names import load_encoder

__version__ = "0.1.0"
__all__ = ["Collection", "__version__", "load_encoder"]

logging.getLogger(__name__).addHandler(logging.NullHandler())

_LAZY = {"Collection": "isogloss.collection.collection", "load_encoder": "isogloss.encoders.names"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'isogloss' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
