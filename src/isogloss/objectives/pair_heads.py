"""Pairs of vectors read by a head with a hidden layer: a class of each pair, or the numbers that a teacher gives it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from isogloss.arrays import Dense, charge
from isogloss.errors import UsageError
from isogloss.objectives.contract import Batch, Losses
from isogloss.objectives.pairs import pair_features
from isogloss.objectives.similarity import need_classes, need_columns, need_labels


class PairHead(nn.Module):
    """``W2 relu(W1 [u, v, |u - v|, u * v] + b1) + b2``: numbers for a pair whose texts were read apart.

    The features and the hidden layer are those of Conneau et al. 2017, "Supervised Learning of Universal Sentence
    Representations" (https://arxiv.org/abs/1705.02364), and of Barkan et al. 2019, "Scalable Attentive Sentence-Pair
    Modeling via Distilled Sentence Embedding" (https://arxiv.org/abs/1908.05161).

    Parameters
    ----------
    width
        Numbers of a vector.
    outputs
        Numbers of a pair: one a class, or one score.
    hidden
        Units between (512 in both papers); 0 for a linear head.

    Examples
    --------
    >>> head = PairHead(4, 3, hidden=8)
    >>> tuple(head(torch.ones(5, 4), torch.zeros(5, 4)).shape)
    (5, 3)
    """

    def __init__(self, width: int, outputs: int, *, hidden: int = 512) -> None:
        super().__init__()
        self.width, self.outputs = width, outputs
        self.hidden = nn.Linear(4 * width, hidden) if hidden else None
        self.last = nn.Linear(hidden or 4 * width, outputs)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        """Return ``(n, outputs)`` for vectors ``(n, width)`` of the left and of the right texts."""
        x = pair_features(left, right, product=True)  # (n, 4 width)
        if self.hidden is not None:
            x = torch.relu(self.hidden(x))  # (n, hidden)
        made: Tensor = self.last(x)  # (n, outputs)
        return made

    def read(self, left: Dense, right: Dense) -> Dense:
        """Return the same of arrays, without a gradient: pairs cost no reading of texts once these have vectors.

        Raises
        ------
        UsageError
            Where the vectors have another width, or there are not as many left as right ones.
        """
        if left.shape != right.shape or left.ndim != 2 or left.shape[1] != self.width:
            wanted = f"(n, {self.width}) is needed on both sides"
            raise UsageError(f"the vectors have the shapes {left.shape} and {right.shape}", wanted)
        charge(multiply_adds=len(left) * sum(one.numel() for one in self.parameters()))
        with torch.inference_mode():
            found = self(torch.from_numpy(left).float(), torch.from_numpy(right).float())  # (n, outputs)
        made: Dense = found.numpy()
        return made


class HeadClasses(nn.Module):
    """Log loss of each pair's class by a :class:`PairHead`, in nats; the head is trained with its player.

    Source: Conneau et al. 2017 (https://arxiv.org/abs/1705.02364).

    Parameters
    ----------
    head
        Gives one number a class.

    Examples
    --------
    >>> objective, one = HeadClasses(PairHead(2, 3, hidden=4)), torch.ones(4, 2)
    >>> tuple(objective((one, one), Batch((one, one), torch.tensor([0, 1, 2, 0]))).values.shape)
    (4,)
    """

    cacheable = True

    def __init__(self, head: PairHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss a pair for ``(u, v)``, each ``(size, width)``, and ``(size,)`` classes."""
        outputs = need_columns(outputs, 2, "classes of pairs")
        classes = need_classes(batch.labels, len(outputs[0]), "classes of pairs")
        if len(classes) and (int(classes.min()) < 0 or int(classes.max()) >= self.head.outputs):
            bounds = f"the labels run from {int(classes.min())} to {int(classes.max())}"
            raise UsageError(f"the head knows {self.head.outputs} classes", bounds)
        logits = self.head(outputs[0], outputs[1])  # (n, classes)
        return Losses(functional.cross_entropy(logits, classes, reduction="none"), batch.weights, "pair")


class HeadRegression(nn.Module):
    """Squared distance of a :class:`PairHead`'s numbers from a teacher's: a pair model that reads both texts at once.

    ``mean_k (S_k(a, b) - T_k(a, b))^2`` over the ``k`` numbers of a pair; nobody's labels are needed. Source: Barkan et
    al. 2019, "Distilled Sentence Embedding" (https://arxiv.org/abs/1908.05161).

    Parameters
    ----------
    head
        Gives as many numbers as the teacher.

    Examples
    --------
    >>> objective, one = HeadRegression(PairHead(2, 1, hidden=0)), torch.zeros(1, 2)
    >>> said = float(objective.head(one, one).detach())
    >>> round(objective((one, one), Batch((one, one), torch.tensor([[said + 3.0]]))).mean().item(), 4)
    9.0
    """

    cacheable = True

    def __init__(self, head: PairHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, outputs: tuple[Tensor, ...], batch: Batch) -> Losses:
        """Return one loss a pair for ``(u, v)``, each ``(size, width)``, and the teacher's ``(size, outputs)``."""
        outputs = need_columns(outputs, 2, "distillation of a pair model")
        labels = need_labels(batch.labels, len(outputs[0]), "distillation of a pair model").reshape(len(outputs[0]), -1)
        if labels.shape[1] != self.head.outputs:
            wanted = f"the teacher gives {labels.shape[1]} numbers a pair"
            raise UsageError(f"the head gives {self.head.outputs}", wanted, "make the head with as many outputs")
        said = self.head(outputs[0], outputs[1])  # (n, outputs)
        return Losses((said - labels.to(said)).square().mean(1), batch.weights, "pair")
