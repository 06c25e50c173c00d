"""Time-delay networks over frames of sound, with statistics pooling to one vector a recording."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.errors import UsageError


def statistics_pooling(states: Tensor, lengths: Tensor) -> Tensor:
    """Return mean and standard deviation over the frames of each recording, side by side.

    Parameters
    ----------
    states
        ``(n, t, d)``.
    lengths
        ``(n,)`` frames that count, from the first; at least one each.

    Examples
    --------
    >>> statistics_pooling(torch.tensor([[[1.0], [3.0], [99.0]]]), torch.tensor([2])).round(decimals=3).tolist()
    [[2.0, 1.0]]
    """
    inside = (torch.arange(states.shape[1], device=states.device) < lengths[:, None])[:, :, None]  # (n, t, 1)
    count = lengths[:, None].to(states.dtype)  # (n, 1)
    mean = (states * inside).sum(1) / count  # (n, d)
    spread = ((states - mean[:, None]) ** 2 * inside).sum(1) / count  # (n, d)
    return torch.cat([mean, (spread + 1e-8).sqrt()], 1)  # (n, 2 d)


class TimeDelayNetwork(nn.Module):
    """An x-vector network: dilated convolutions over frames, statistics pooling, a linear embedding, and classes.

    Snyder et al., "X-vectors: Robust DNN Embeddings for Speaker Recognition" (2018,
    https://doi.org/10.1109/ICASSP.2018.8461375), with layer norms instead of batch norms, so that a recording's vector
    does not depend on the others of its batch.

    Parameters
    ----------
    bands
        Numbers a frame.
    classes
        Speakers to tell apart in training.
    width, dimensions
        Of the hidden layers and of the embedding.
    layers
        For each layer its kernel and dilation.

    Raises
    ------
    UsageError
        Where a kernel is even: it could not be centred.

    Examples
    --------
    >>> network = TimeDelayNetwork(4, 3, width=8, dimensions=5)
    >>> tuple(network(torch.zeros(2, 30, 4)).shape), tuple(network.embed(torch.zeros(2, 30, 4)).shape)
    ((2, 3), (2, 5))
    """

    def __init__(
        self, bands: int, classes: int, *, width: int = 64, dimensions: int = 64,
        layers: Sequence[tuple[int, int]] = ((5, 1), (3, 2), (3, 3), (1, 1)),
    ) -> None:  # fmt: skip
        super().__init__()
        if any(kernel % 2 == 0 for kernel, _ in layers):
            raise UsageError("a kernel cannot be centred", f"kernels {[kernel for kernel, _ in layers]}", "odd ones")
        sizes = [bands, *[width] * len(layers)]
        self.layers = tuple(layers)
        # a convolution as a product with the frames side by side: half the time of a dilated one on a processor
        self.delays = nn.ModuleList(nn.Linear(sizes[i] * kernel, width) for i, (kernel, _) in enumerate(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in layers)
        self.embedding = nn.Linear(2 * width, dimensions)
        self.classes = nn.Linear(dimensions, classes)

    def embed(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return a vector a recording, ``(n, dimensions)``, for frames ``(n, t, bands)`` of which ``lengths`` count."""
        counted = frames.new_full((len(frames),), frames.shape[1], dtype=torch.long) if lengths is None else lengths
        inside = (torch.arange(frames.shape[1], device=frames.device) < counted[:, None])[:, :, None]  # (n, t, 1)
        x = frames * inside  # (n, t, bands)
        for (kernel, dilation), delay, norm in zip(self.layers, self.delays, self.norms, strict=True):
            reach = dilation * (kernel // 2)
            padded = functional.pad(x, (0, 0, reach, reach))  # (n, t + 2 reach, width)
            seen = [
                padded[:, i * dilation : i * dilation + x.shape[1]] for i in range(kernel)
            ]  # kernel of (n, t, width)
            x = norm(torch.relu(delay(torch.cat(seen, 2)))) * inside  # (n, t, width)
        return self.embedding(statistics_pooling(x, counted))  # type: ignore[no-any-return]  # (n, dimensions)

    def forward(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return scores of the classes, ``(n, classes)``."""
        return self.classes(torch.relu(self.embed(frames, lengths)))  # type: ignore[no-any-return]  # (n, classes)
