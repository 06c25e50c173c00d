"""Codes, random projections, and scalings against hubs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from isogloss.transforms.binarization import Binarizer
from isogloss.transforms.common_component import CommonComponentRemoval
from isogloss.transforms.hubness import CSLS, InvertedSoftmax
from isogloss.transforms.product_codes import ProductQuantizer
from isogloss.transforms.random_projection import RandomProjection

transforms: dict[str, Callable[[], Any]] = {
    "transforms.binarization.Binarizer": Binarizer,
    "transforms.binarization.Binarizer by the mean": lambda: Binarizer(threshold="mean"),
    "transforms.common_component.CommonComponentRemoval": CommonComponentRemoval,
    "transforms.hubness.CSLS": lambda: CSLS(neighbours=3),
    "transforms.hubness.InvertedSoftmax": InvertedSoftmax,
    "transforms.product_codes.ProductQuantizer": lambda: ProductQuantizer(codes=4, iterations=5),
    "transforms.product_codes.ProductQuantizer turned": lambda: ProductQuantizer(codes=4, iterations=5, rotations=1),
    "transforms.random_projection.RandomProjection": RandomProjection,
    "transforms.random_projection.RandomProjection sparse": lambda: RandomProjection(kind="sparse"),
}
