"""The static encoder: hand values, model2vec and StaticEmbedding as oracles, the bundled model, files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isogloss.arrays import Similarity
from isogloss.encoders import static as module
from isogloss.encoders.static import StaticEncoder, TokenVectors, bundled_static, digest_of, read_arrays, write_arrays
from isogloss.errors import ModelError, NonFiniteError, UsageError
from isogloss.protocols import PROBE_TEXTS, Encoder, EncodeReport
from isogloss.vocabulary.wordpiece import WordPiece

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sun", "##ny", "moon", "!"]
TEXTS = ["Sunny moon!", "", "sun", "stars", "moon stars", "sun moon " * 100, "Moon. MOON!\x00"]
ASSET = Path(module.__file__).parent / "assets" / "isogloss-static"


def vectors(seed=0, d=12):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((len(TOKENS), d)).astype(np.float32)


def small(finish="unit", **options):
    rows = np.zeros((len(TOKENS), 2), np.float32)
    rows[5:] = [[1, 0], [0, 1], [0, -3], [3, 0]]
    weights = np.ones(len(TOKENS), np.float32)
    weights[7] = 0.5
    return StaticEncoder(WordPiece(TOKENS), TokenVectors(rows, weights), finish=finish, **options)


def test_hand_values():
    encoder = small("mean")
    np.testing.assert_allclose(encoder.encode(["sunny!", "moon"]), [[4 / 3, 1 / 3], [0, -1.5]], rtol=1e-6)
    np.testing.assert_allclose(small().encode("sunny")[0], [0.5**0.5, 0.5**0.5], rtol=1e-6)
    assert isinstance(encoder, Encoder)
    assert (encoder.dimensions, encoder.window, encoder.kind, encoder.speed) == (2, 0, "dense", "fast")


def test_texts_without_tokens_are_zeros():
    found = small().encode(["", " \n", "\x00", "sun"])
    assert found[:3].tolist() == [[0, 0]] * 3
    assert np.isfinite(Similarity.COSINE(found, found)).all()
    assert small().encode([]).shape == (0, 2)


def test_unknown_words():
    rows = np.ones((len(TOKENS), 1), np.float32)
    rows[5] = 4
    plain = TokenVectors(rows, np.ones(len(TOKENS), np.float32))
    skipped = StaticEncoder(WordPiece(TOKENS), plain, finish="mean", skip_unknown=True)
    counted = StaticEncoder(WordPiece(TOKENS), plain, finish="mean")
    assert skipped.encode("sun star").tolist() == [[4]]
    assert counted.encode("sun star").tolist() == [[2.5]]
    assert skipped.identity != counted.identity


def test_report_counts_tokens_and_cuts_nothing():
    report = EncodeReport()
    small().encode(["sunny", "sun " * 9], report=report)
    assert report.to_dict() == {"texts": 2, "tokens": 11, "cut": 0, "lost": 0, "window": 0}


def test_quantised_rows_are_within_half_a_step():
    full = vectors() * np.logspace(-3, 3, len(TOKENS), dtype=np.float32)[:, None]
    full[3] = 0
    packed = TokenVectors.quantised(full)
    error = np.abs(packed.rows * packed.weights[:, None] - full)
    assert (error <= packed.weights[:, None] * 0.51 + np.abs(full) * 1e-3).all()
    assert not packed.rows[3].any()
    assert packed.rows.dtype == np.int8
    used = np.abs(packed.rows.astype(int)).max(1)
    assert (used[np.arange(len(TOKENS)) != 3] >= 126).all()  # the whole range is used (scales have 11 bits)


@given(st.lists(st.text(alphabet="sunymo! [SEP]é日\x00"), min_size=1, max_size=8))
def test_batch_equals_one_by_one_and_word_order_does_not_matter(texts):
    encoder = small()
    together = encoder.encode(texts)
    np.testing.assert_allclose(together, np.concatenate([encoder.encode(t) for t in texts]), atol=1e-6)
    lengths = np.linalg.norm(together, axis=1)
    assert all(abs(n - 1) < 1e-5 or n == 0 for n in lengths)
    turned = [" ".join(reversed(text.split(" "))) for text in texts]
    np.testing.assert_allclose(encoder.encode(turned), together, atol=1e-5)


def test_long_texts_round_no_worse_than_short_ones():
    pytest.importorskip("numba")
    text = "sun moon sunny " * 40_000
    rows = vectors()
    exact = (rows[5] * 2.0 + rows[6] + rows[7]).astype(np.float64)
    encoder = StaticEncoder(WordPiece(TOKENS), TokenVectors(rows, np.ones(len(TOKENS), np.float32)))
    for texts in ([text], [text, "sun"]):
        np.testing.assert_allclose(encoder.encode(texts)[0], exact / np.linalg.norm(exact), atol=2e-6)
    assert encoder.pieces.counts([text]).tolist() == [160_000]


def model2vec_folder(tmp_path, *, quantised):
    model2vec = pytest.importorskip("model2vec")
    full = vectors()
    arrays = {"vectors": full, "weights": None}
    if quantised:
        packed = TokenVectors.quantised(full)
        arrays = {"vectors": packed.rows, "weights": packed.weights}
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(WordPiece(TOKENS).to_json())
    model = model2vec.StaticModel(tokenizer=tokenizer, normalize=True, config={"normalize": True}, **arrays)
    model.save_pretrained(tmp_path)
    return model


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("quantised", [False, True])
def test_equals_model2vec_on_its_folders(tmp_path, quantised):
    model = model2vec_folder(tmp_path, quantised=quantised)
    ours = StaticEncoder.load(tmp_path)
    theirs = model.encode(TEXTS, max_length=None)
    np.testing.assert_allclose(ours.encode(TEXTS), theirs, atol=2e-6, rtol=1e-5)
    assert isinstance(ours.pieces, WordPiece)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("normalised", [False, True])
def test_equals_sentence_transformers_static_embedding(tmp_path, normalised):
    st_models = pytest.importorskip("sentence_transformers.models")
    from sentence_transformers import SentenceTransformer
    from tokenizers import Tokenizer

    static = st_models.StaticEmbedding(Tokenizer.from_str(WordPiece(TOKENS).to_json()), embedding_weights=vectors())
    modules = [static, st_models.Normalize()] if normalised else [static]
    model = SentenceTransformer(modules=modules, device="cpu")
    model.save_pretrained(str(tmp_path))
    texts = [text for text in TEXTS if text]  # theirs gives NaN for some versions of an empty bag
    theirs = model.encode(texts)
    np.testing.assert_allclose(StaticEncoder.load(tmp_path).encode(texts), theirs, atol=2e-6, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_model2vec_reads_the_bundled_folder():
    model2vec = pytest.importorskip("model2vec")
    model = model2vec.StaticModel.from_pretrained(str(ASSET))
    texts = [*PROBE_TEXTS, "A longer text. " * 300]
    theirs = np.asarray(model.encode(texts, max_length=None), np.float64)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    assert np.einsum("ij,ij->i", theirs, bundled_static().encode(texts)).min() > 0.9999


def test_bundled_model():
    encoder = bundled_static()
    assert (encoder.name, encoder.dimensions, encoder.languages) == ("isogloss-static", 256, {"en"})
    assert sum(file.stat().st_size for file in ASSET.iterdir()) <= 8_000_000
    assert encoder.vectors.rows.dtype == np.int8
    arrays, about = read_arrays(ASSET / "model.safetensors")
    assert about["digest"] == digest_of(encoder.vectors)  # opening trusts it, so that a search need not read the file
    assert not arrays["embeddings"][encoder.pieces.unknown].any()
    card = (ASSET / "README.md").read_text("utf-8")
    assert "CC BY-SA" in card
    assert "95 % interval" in card


def test_bundled_model_on_sts_b(data):
    from scipy.stats import spearmanr

    rows = [json.loads(line) for line in (data("sts-b") / "test.jsonl").read_text("utf-8").splitlines()]
    encoder = bundled_static()
    a, b = encoder.encode([r["a"] for r in rows]), encoder.encode([r["b"] for r in rows])
    measured = spearmanr(np.einsum("ij,ij->i", a, b), [r["score"] for r in rows])[0]
    assert measured >= 0.72
    assert f"{measured:.4f}"[:5] in (ASSET / "README.md").read_text("utf-8")


def test_saved_and_loaded_is_the_same(tmp_path):
    packed = TokenVectors.quantised(vectors())
    encoder = StaticEncoder(
        WordPiece(TOKENS), packed, skip_unknown=True, name="tiny", languages=frozenset({"en", "de"})
    )
    encoder.save(tmp_path / "tiny", card="# card\n")
    again = StaticEncoder.load(tmp_path / "tiny")
    assert (again.name, again.languages) == ("tiny", {"en", "de"})
    assert again.identity == encoder.identity
    assert np.array_equal(again.encode(TEXTS), encoder.encode(TEXTS))
    safetensors = pytest.importorskip("safetensors.numpy")
    theirs = safetensors.load_file(tmp_path / "tiny" / "model.safetensors")
    assert np.array_equal(theirs["embeddings"], packed.rows)


def test_identity_covers_vectors_tokens_and_pooling():
    def make(v=None, tokens=TOKENS, **options):
        return StaticEncoder(
            WordPiece(tokens), TokenVectors.quantised(vectors() if v is None else v), **options
        ).identity

    changed = vectors()
    changed[6, 0] += 0.5
    variants = [make(), make(changed), make(tokens=[*TOKENS[:-1], "?"]), make(finish="mean"), make(skip_unknown=True)]
    assert len(set(variants)) == 5
    assert make(threads=1, name="other") == make(threads=2)


def test_a_query_needs_no_heavy_import():
    code = (
        "import sys; from isogloss.encoders.static import bundled_static\n"
        "e = bundled_static(); e.identity; e.encode('how do I read one file out of an archive')\n"
        "print([m for m in ('numba', 'scipy', 'tokenizers', 'safetensors', 'torch') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_half_precision_and_mapped_rows(tmp_path):
    pieces = WordPiece(TOKENS)
    codebook, mapping = vectors()[:4].astype(np.float16), (np.arange(len(TOKENS)) % 4).astype(np.int64)
    write_arrays(tmp_path / "model.safetensors", {"embeddings": codebook, "mapping": mapping}, {})
    (tmp_path / "tokenizer.json").write_text(pieces.to_json(), "utf-8")
    found = StaticEncoder.load(tmp_path).encode("sun moon")
    np.testing.assert_allclose(found[0], codebook[[1, 3]].astype(np.float32).mean(0), rtol=1e-6)


def test_broken_folders(tmp_path):
    with pytest.raises(ModelError, match="no static model"):
        StaticEncoder.load(tmp_path)
    write_arrays(tmp_path / "model.safetensors", {"other": vectors()}, {})
    with pytest.raises(ModelError, match="needs its tokenizer"):
        StaticEncoder.load(tmp_path)
    (tmp_path / "tokenizer.json").write_text(WordPiece(TOKENS).to_json(), "utf-8")
    with pytest.raises(ModelError, match="no token vectors"):
        StaticEncoder.load(tmp_path)
    write_arrays(tmp_path / "model.safetensors", {"embeddings": vectors()[:3]}, {})
    with pytest.raises(ModelError, match="9 tokens, 3 vectors"):
        StaticEncoder.load(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-1])
    with pytest.raises(ModelError, match="cannot be read"):
        StaticEncoder.load(tmp_path)


def test_bad_inputs_and_values():
    with pytest.raises(UsageError, match="NoneType"):
        small().encode(["a", None])
    broken = small()
    broken.vectors.rows[7, 0] = np.nan
    with pytest.raises(NonFiniteError, match="text 1: 'moon'"):
        broken.encode(["sun", "moon"])
