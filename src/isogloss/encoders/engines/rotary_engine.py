"""ONNX Runtime running pre-norm transformers with rotary positions, whose work is counted by their own sizes."""

from __future__ import annotations

from dataclasses import dataclass

from isogloss.encoders.engines.architectures import Architecture
from isogloss.encoders.engines.onnx import GraphEngine


def rotary_multiply_adds(arch: Architecture, texts: int, width: int) -> int:
    """Return the multiply-adds of ``texts`` rows of ``width`` tokens: linear layers and attention.

    The heads may be wider together than a state, keys and values may have fewer of them, and the feed-forward part has
    a third matrix that gates. Every token is counted with every other of its row, padding and what a mask or a window
    hides among them: that is what a graph computes.

    Parameters
    ----------
    arch
        Sizes; those of a post-norm transformer are counted as such.
    texts, width
        Rows, and tokens of each.

    Examples
    --------
    For a Llama of 2 layers, width 8, 2 heads of 4, 1 head of keys and values, 12 inside, in one row of 5::

        2 * 5 * (8 * 8 + 2 * 8 * 4 + 8 * 8 + 3 * 8 * 12 + 2 * 5 * 8)
    """
    rotary = arch.rotary
    if rotary is None:
        linear, across = 4 * arch.width**2 + 2 * arch.width * arch.inner, arch.width
    else:
        across, keys = arch.heads * rotary.head_size, rotary.key_heads * rotary.head_size
        linear = 2 * arch.width * across + 2 * arch.width * keys + 3 * arch.width * arch.inner
    return arch.layers * texts * width * (linear + 2 * width * across)


@dataclass
class RotaryEngine(GraphEngine):
    """Our own graph over the weights of ModernBERT, or of a decoder of Llama's kind."""

    def multiply_adds(self, texts: int, width: int) -> int:
        """Return the multiply-adds of one run on ``texts`` rows of ``width`` tokens."""
        return rotary_multiply_adds(self.architecture, texts, width)
