"""Each cause of a difference is planted, on a server or in a folder, and must be named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isogloss.encoders.agreement import Agreement, probe_texts, verify
from isogloss.encoders.names import load_encoder
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import ModelError, UsageError
from isogloss.protocols import EncodeReport


def encoder_of(folder):
    encoder = TransformerEncoder(folder)
    return lambda texts: encoder.encode(texts, report=EncodeReport())


def test_probe_texts_are_many_sided():
    texts = probe_texts(512)
    assert len(set(texts)) == 32
    assert texts == probe_texts(512)
    assert sum(not text.isascii() for text in texts) >= 5
    assert max(len(text.split()) for text in texts) > 600
    assert any(text != text.lower() and text.lower() in texts for text in texts)
    assert any(text.startswith("query: ") for text in texts)
    assert max(len(text.split()) for text in probe_texts(8192)) < 1400


@pytest.mark.parametrize("shape", ["openai", "tei"])
def test_the_same_model_agrees(tiny_model, serve_vectors, shape):
    folder = tiny_model()
    url = serve_vectors(encoder_of(folder), shape=shape)
    found = verify(url, str(folder))
    assert found.same
    assert (found.equal, found.texts, found.cause, found.explanation, found.notes) == (32, 32, "", "", ())
    assert found.lowest > 0.999999
    assert found.sentence().startswith("same vectors: 32/32 texts, lowest cosine 0.99999")
    assert json.loads(json.dumps(found.to_dict()))["dimensions"] == [32, 32]


@pytest.mark.parametrize(
    ("planted", "cause", "words"),
    [
        ({"pooling": "cls"}, "pooling", "the first token (cls), the model by the mean"),
        ({"pooling": "max"}, "pooling", "by the maximum"),
        ({"pooling": "lasttoken"}, "pooling", "by the last token"),
        ({"max_length": 128}, "truncation", "the source cuts texts at 128 tokens, the model at 256"),
        ({"max_length": 384}, "truncation", "the source cuts texts at 384 tokens, the model at 256"),
        ({"normalise": False}, "normalisation", "the source does not normalise"),
        ({"dense": True}, "dense", "the model skips the Dense layers that the source has (32 to 24)"),
        ({"pooling": "cls", "max_length": 128}, "pooling+truncation", "128 tokens"),
        ({"seed": 7}, "model", "another model, or other weights"),
    ],
)
def test_two_folders(tiny_model, planted, cause, words):
    found = verify(str(tiny_model("wrong", **planted)), str(tiny_model("right")))
    assert not found.same
    assert found.cause == cause
    assert words in found.explanation
    assert found.fix
    assert "likely cause" in found.sentence()


def test_two_equal_folders(tiny_model):
    assert verify(str(tiny_model("a", dense=True)), str(tiny_model("b", dense=True))).same


def test_server_skips_dense_layers(tiny_model, serve_vectors):
    found = verify(serve_vectors(encoder_of(tiny_model("bare"))), str(tiny_model("whole", dense=True)))
    assert found.cause == "dense"
    assert "the source skips the Dense layers that the model has (32 to 24)" in found.explanation


@pytest.mark.parametrize(
    "prefix", ["query: ", "search_document: ", "Represent this sentence for searching relevant passages: "]
)
def test_server_adds_a_known_prefix(tiny_model, serve_vectors, prefix):
    folder = tiny_model()
    encode = encoder_of(folder)
    found = verify(serve_vectors(lambda texts: encode([prefix + text for text in texts])), str(folder))
    assert found.cause == "prompt"
    assert f"puts {prefix!r} in front" in found.explanation


def test_server_leaves_out_the_prompt(tiny_model, serve_vectors):
    folder = tiny_model(prompts={"query": "ask {this}: ", "document": ""})
    url = serve_vectors(encoder_of(folder))
    found = verify(url, str(folder), role="query")
    assert found.cause == "prompt"
    assert "leaves out the prompt 'ask {this}: '" in found.explanation
    assert verify(url, str(folder), role="document").same


def test_server_lower_cases_a_cased_model(tiny_model, serve_vectors):
    folder = tiny_model(lower=False)
    encode = encoder_of(folder)
    found = verify(serve_vectors(lambda texts: encode([text.lower() for text in texts])), str(folder))
    assert found.cause == "case"


def test_server_keeps_the_case_of_an_uncased_model(tiny_model, serve_vectors):
    folder = tiny_model(lower=True)
    encode = encoder_of(folder)

    def keeps_case(texts):
        return encode(["".join("@" if sign.isupper() else sign for sign in text) for text in texts])

    found = verify(serve_vectors(keeps_case), str(folder))
    assert (found.cause, "ignores case" in found.explanation) == ("case", True)


def test_server_changes_accents(tiny_model, serve_vectors):
    folder = tiny_model()
    encode = encoder_of(folder)
    found = verify(
        serve_vectors(lambda texts: encode([t.encode("ascii", "replace").decode() for t in texts])), str(folder)
    )
    assert found.cause == "characters"


@pytest.mark.parametrize(("size", "words"), [(3e-3, "the size of float16"), (2e-2, "bfloat16"), (8e-2, "int8")])
def test_lower_precision(tiny_model, serve_vectors, size, words):
    folder = tiny_model()
    encode = encoder_of(folder)

    def noisy(texts):
        vectors = encode(texts)
        noise = np.random.default_rng(len(texts[0])).standard_normal(vectors.shape).astype(np.float32)
        return vectors + size * noise / np.sqrt(32)

    found = verify(serve_vectors(noisy), str(folder), tolerance=1 - 1e-7)
    assert found.cause == "precision"
    assert words in found.explanation


def test_rounded_numbers_are_noted(tiny_model, serve_vectors):
    folder = tiny_model()
    encode = encoder_of(folder)
    found = verify(serve_vectors(lambda texts: encode(texts).astype(np.float16).astype(np.float32)), str(folder))
    assert found.same
    assert found.notes == ("the source's numbers are rounded to float16",)


def test_fewer_dimensions(tiny_model, serve_vectors):
    folder = tiny_model()
    encode = encoder_of(folder)

    def cut(texts):
        vectors = encode(texts)[:, :16]
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    found = verify(serve_vectors(cut), str(folder))
    assert found.cause == "dimension"
    assert "the source keeps the first 16 of 32 dimensions" in found.explanation
    assert found.dimensions == (16, 32)
    assert found.lowest == -1


@pytest.mark.parametrize(
    ("planted", "cause"),
    [
        (lambda v: v[::-1], "order"),
        (lambda v: np.repeat(v[:1], len(v), 0) * 0 + 0.5, "constant"),
        (lambda v: np.where(np.arange(len(v))[:, None] == 1, np.nan, v), "non-finite"),
        (lambda v: v @ np.linalg.qr(np.random.default_rng(0).standard_normal((32, 32)))[0], "space"),
        (lambda v: v * 3, "normalisation"),
        (lambda v: np.roll(v, 1, axis=1) ** 2, "model"),
    ],
)
def test_other_faults_of_servers(tiny_model, serve_vectors, planted, cause):
    folder = tiny_model()
    encode = encoder_of(folder)

    def wrong(texts):
        vectors = np.asarray(planted(encode(texts)), np.float64)
        return [[None if np.isnan(x) else x for x in row] for row in vectors.tolist()]

    found = verify(serve_vectors(wrong, shape="tei") if cause == "non-finite" else serve_vectors(wrong), str(folder))
    assert found.cause == cause


def test_vectors_that_depend_on_their_batch(tiny_model, serve_vectors):
    folder = tiny_model()
    encode = encoder_of(folder)

    def leaks(texts):
        longest = max(map(len, texts))
        return encode([text + " ." * ((longest - len(text)) // 4) for text in texts])

    found = verify(serve_vectors(leaks), str(folder))
    assert found.cause == "batch"


def test_long_texts_refused(tiny_model, server):
    folder = tiny_model()
    encode = encoder_of(folder)

    def answer(path, body, headers):
        if any(len(text) > 2000 for text in body["inputs"]):
            return 413, {"error": "too long"}
        return 200, encode(body["inputs"]).tolist()

    found = verify(server(answer) + "/embed", str(folder))
    assert not found.same
    assert found.cause == "refused"
    assert "HTTP 413" in found.explanation


def test_broken_base64_is_noted(tiny_model, server):
    folder = tiny_model()
    encode = encoder_of(folder)

    def answer(path, body, headers):
        if path != "/v1/embeddings":
            return 404, {}
        if body["encoding_format"] == "base64":
            return 400, {"error": "unknown encoding_format"}
        return 200, {"data": [{"index": i, "embedding": v} for i, v in enumerate(encode(body["input"]).tolist())]}

    found = verify(server(answer), str(folder))
    assert found.same
    assert "base64" in found.notes[0]
    assert "unknown encoding_format" in found.notes[0]


def test_own_texts_and_usage(tiny_model):
    folder = str(tiny_model())
    found = verify(folder, folder, texts=["one", "two words"])
    assert (found.texts, found.same) == (2, True)
    with pytest.raises(UsageError, match="no text"):
        verify(folder, folder, texts=[])
    with pytest.raises(ModelError):
        verify(folder + "-missing", folder)
    with pytest.raises(UsageError, match="no dense vectors"):
        verify("words", folder)


def test_sentence_never_rounds_up():
    found = Agreement("a", "b", False, 1, 0, 0.99989999, 0.99989999, 0.9999, "", (2, 2), "precision", "x", "y")
    assert "0.999899" in found.sentence()


def test_real_model_pooled_wrongly(minilm, serve_vectors):
    right = load_encoder(str(minilm))
    from isogloss.encoders.model_plan import Choice
    from isogloss.encoders.variants import varied

    wrong = varied(right, {"pooling": Choice(("cls",), "test"), "max_length": Choice(128, "test")})
    texts = [*probe_texts()[:8], *probe_texts()[26:29]]
    url = serve_vectors(lambda some: wrong.encode(some, report=EncodeReport()))
    found = verify(url, str(minilm), texts=texts)
    assert found.cause == "pooling+truncation"
    assert "128 tokens" in found.explanation
