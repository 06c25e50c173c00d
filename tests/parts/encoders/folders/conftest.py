"""Tiny models of random weights, made and saved by sentence-transformers: the other side of every comparison."""

from __future__ import annotations

import json
import string
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WORDS = tuple("a small dog barks at the puppy in rain heat tax law reads one two three [Q] [D] . , ! ?".split())  # noqa: SIM905
TEXTS = ["a small dog barks!", "", "the puppy, in the rain?", "ünknown 東京 law", "tax law reads " * 20]
SIZES = {"num_hidden_layers": 3, "num_attention_heads": 2, "max_position_embeddings": 48, "initializer_range": 0.3}


def write_tokenizer(folder: Path, *, roberta: bool = False, typed: bool = True) -> int:
    """Write a small WordPiece tokenizer; ``roberta``: with its special tokens and ids. Return its size."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if roberta else ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    names = ("cls", "pad", "sep", "unk", "mask") if roberta else ("pad", "unk", "cls", "sep", "mask")
    letters = [*string.ascii_lowercase, *("##" + sign for sign in string.ascii_lowercase)]
    ids = {word: i for i, word in enumerate(dict.fromkeys([*special, *WORDS, *letters]))}
    named = dict(zip((f"{name}_token" for name in names), special, strict=True))
    made = Tokenizer(models.WordPiece(ids, unk_token=named["unk_token"]))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    first, last = named["cls_token"], named["sep_token"]
    second = "1" if typed and not roberta else "0"
    made.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}",
        pair=f"{first} $A {last} $B:{second} {last}:{second}",
        special_tokens=[(first, ids[first]), (last, ids[last])],
    )
    saved = PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=40, **named)
    if typed and not roberta:
        saved.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    saved.save_pretrained(folder)
    return len(ids)


@pytest.fixture(scope="session")
def transformer(tmp_path_factory) -> Callable[..., Path]:
    """Write a transformer once: ``transformer(kind, head)``, head one of ``Model``, ``ForMaskedLM`` and others."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    made: dict[tuple[str, str], Path] = {}

    def write(kind: str = "Bert", head: str = "Model", **more: Any) -> Path:
        key = f"{kind}{head}", json.dumps(more)
        if key not in made:
            folder = tmp_path_factory.mktemp("transformer") / kind
            roberta = kind in ("Roberta", "XLMRoberta", "MPNet", "Camembert")
            size = write_tokenizer(folder, roberta=roberta, typed=kind in ("Bert", "Electra", "Albert"))
            sizes = dict(SIZES, vocab_size=size, hidden_size=16, intermediate_size=32, **more)
            if kind == "DistilBert":
                sizes = {"n_layers": 3, "n_heads": 2, "dim": 16, "hidden_dim": 32, "vocab_size": size, **more}
                sizes |= {"max_position_embeddings": 48, "initializer_range": 0.3}
            if kind in ("T5", "MT5", "UMT5"):
                sizes = {"num_layers": 3, "num_heads": 2, "d_model": 16, "d_kv": 6, "d_ff": 32, "vocab_size": size}
                sizes |= {"relative_attention_num_buckets": 8, "relative_attention_max_distance": 12, **more}
            if roberta:
                sizes |= {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
            with torch.random.fork_rng(), torch.no_grad():
                torch.manual_seed(len(made))
                model = getattr(transformers, kind + head)(getattr(transformers, kind + "Config")(**sizes))
                for name, value in model.named_parameters():
                    if name.endswith("bias"):
                        value.normal_(0, 0.2)  # biases of zero would hide that one is not read
                model.save_pretrained(folder)
            made[key] = folder
        return made[key]

    return write


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Silence what sentence-transformers says of its own older names, and our report of texts that are cut."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def aged() -> Callable[[Path], Path]:
    """Give ``modules.json`` the module paths of sentence-transformers up to 5."""
    return _aged


@pytest.fixture
def assert_equal() -> Callable[[Any, Any], None]:
    """Compare vectors of any kind, theirs with ours, text by text, to 1e-5."""
    return _assert_equal


@pytest.fixture
def texts() -> list[str]:
    """Return texts of several lengths: empty, of unknown words, longer than the window."""
    return list(TEXTS)


def _aged(folder: Path) -> Path:
    """Give ``modules.json`` the module paths of sentence-transformers up to 5."""
    entries = json.loads((folder / "modules.json").read_text())
    for entry in entries:
        kind = entry["type"].rpartition(".")[2]
        sparse = kind in ("MLMTransformer", "SpladePooling", "SparseStaticEmbedding")
        entry["type"] = f"sentence_transformers.{'sparse_encoder.' if sparse else ''}models.{kind}"
    (folder / "modules.json").write_text(json.dumps(entries))
    return folder


def _arrays(vectors: Any) -> list[np.ndarray]:
    """Return vectors of any kind, ours or theirs, as one array a text."""
    if hasattr(vectors, "tocsr"):
        vectors = vectors.tocsr().toarray()
    if hasattr(vectors, "to_dense"):
        vectors = vectors.to_dense().numpy()
    return [np.asarray(one) for one in vectors]


def _assert_equal(theirs: Any, ours: Any) -> None:
    """Compare text by text."""
    left, right = _arrays(theirs), _arrays(ours)
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)
    assert max(np.ptp(one) for one in left) > 0.01
