"""The transformer encoder against sentence-transformers: all lengths, batches, orders; reports, errors, identity."""

from __future__ import annotations

import json
import shutil
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isogloss.arrays import counting, normalise
from isogloss.encoders import transformer
from isogloss.encoders.transformer import TransformerEncoder
from isogloss.errors import NonFiniteError, TruncationError, TruncationWarning, UnsupportedModelError
from isogloss.protocols import Encoder, EncodeReport, TokenStates
from isogloss.seeding import generator

WORDS = [
    "the",
    "heat",
    "of",
    "a",
    "shock",
    "wave,",
    "naïve;",
    "café",
    "北京",
    "error",
    "0x80070057",
    "(archive)",
    "straße",
]


def texts_of_every_length(count: int, longest: int = 160) -> list[str]:
    rng = generator(0, "texts")
    return [" ".join(rng.choice(WORDS, size=1 + longest * i // count)) for i in range(count)]


@pytest.fixture(scope="module")
def encoder(minilm) -> TransformerEncoder:
    return TransformerEncoder(minilm)


@pytest.fixture(scope="module")
def rival(minilm):
    models = pytest.importorskip("sentence_transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return models.SentenceTransformer(str(minilm), device="cpu")


def check_against(rival, encoder, texts) -> None:
    report = EncodeReport()
    together = encoder.encode(texts, report=report)
    order = generator(1, "order").permutation(len(texts))
    shuffled = encoder.encode([texts[i] for i in order], report=report)
    np.testing.assert_allclose(shuffled, together[order], atol=1e-5)
    for size in (1, 64):
        expected = rival.encode(texts, batch_size=size, show_progress_bar=False)
        np.testing.assert_allclose(together, expected, atol=1e-5)
    alone = np.concatenate([encoder.encode(text, report=report) for text in texts])
    np.testing.assert_allclose(alone, together, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_minilm_equals_sentence_transformers(rival, encoder) -> None:
    check_against(rival, encoder, texts_of_every_length(24))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_minilm_equals_sentence_transformers_on_a_thousand_texts(rival, encoder) -> None:
    check_against(rival, encoder, texts_of_every_length(1000))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("budget", [1, 64, 100_000])
def test_the_budget_does_not_matter(encoder, monkeypatch, budget) -> None:
    texts = texts_of_every_length(12, 40)
    expected = encoder.encode(texts)
    monkeypatch.setattr(transformer, "TOKEN_BUDGET", budget)
    np.testing.assert_allclose(encoder.encode(texts), expected, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"])
@pytest.mark.parametrize("role", ["query", "document", None])
def test_folders_with_dense_prompts_and_pooling_equal_sentence_transformers(tiny_model, pooling, role) -> None:
    models = pytest.importorskip("sentence_transformers")
    folder = tiny_model(pooling=pooling, dense=True, prompts={"query": "query: ", "document": "the passage "})
    config = json.loads((folder / "1_Pooling" / "config.json").read_text())
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({**config, "include_prompt": pooling == "mean"}))
    rival = models.SentenceTransformer(str(folder), device="cpu")
    texts = ["heat", "the library of ships was in Athens, 東京", "", "gauge " * 300]
    call = {"query": rival.encode_query, "document": rival.encode_document, None: rival.encode}[role]
    found = TransformerEncoder(folder).encode(texts, role=role)
    np.testing.assert_allclose(found, call(texts, show_progress_bar=False), atol=1e-5)


def test_it_is_an_encoder_with_token_states(encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert isinstance(encoder, TokenStates)
    assert (encoder.kind, encoder.speed, encoder.dimensions, encoder.window) == ("dense", "slow", 384, 256)
    assert (encoder.name, encoder.languages) == ("model", frozenset({"en"}))
    assert encoder.probes.shape == (8, 384)
    assert encoder.encode([]).shape == (0, 384)
    np.testing.assert_allclose(encoder.encode_query("heat"), encoder.encode("heat"))


def test_an_instruction_replaces_the_prompt(tiny_model) -> None:
    encoder = TransformerEncoder(tiny_model(prompts={"query": "query: "}))
    plain = encoder.encode("the query: heat", instruction="")
    np.testing.assert_array_equal(encoder.encode("query: heat", role="query", instruction="the "), plain)
    np.testing.assert_array_equal(encoder.encode("heat", role="query"), encoder.encode("query: heat"))
    assert not np.allclose(encoder.encode("heat", role="query"), encoder.encode("heat"))


def test_cuts_are_counted_and_said_once(encoder) -> None:
    texts = ["word " * 300, "word " * 254, "short"]
    report = EncodeReport()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder.encode(texts, report=report)
    assert report.to_dict() == {"texts": 3, "tokens": 302 + 256 + 3, "cut": 1, "lost": 46, "window": 256}
    with pytest.warns(TruncationWarning, match="1 of 3 texts") as caught:
        encoder.encode(texts)
    assert len(caught) == 1
    np.testing.assert_allclose(encoder.encode(texts[0], report=report), encoder.encode(texts[1]), atol=1e-5)


def test_a_long_text_can_be_an_error(minilm) -> None:
    strict = TransformerEncoder(minilm, long="error", max_length=8)
    assert strict.encode("one two three").shape == (1, 384)
    with pytest.raises(TruncationError, match="text 1 is too long"):
        strict.encode(["short", "one two three four five six seven"])


def test_batches_come_as_they_are_done_with_the_report_growing(encoder, monkeypatch) -> None:
    monkeypatch.setattr(transformer, "_BLOCK", 7)
    texts = texts_of_every_length(20, 20)
    report, out, seen = EncodeReport(), np.zeros((20, 384), np.float32), 0
    for positions, vectors in encoder.encode_batches(texts, report=report):
        seen += len(positions)
        assert report.texts == seen
        out[positions] += vectors
    np.testing.assert_allclose(out, encoder.encode(texts, report=report), atol=1e-5)


def test_a_vector_that_is_not_finite_names_its_text(tiny_model) -> None:
    from safetensors.numpy import load_file, save_file

    folder = tiny_model()
    tensors = load_file(folder / "model.safetensors")
    ids = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    tensors["embeddings.word_embeddings.weight"][ids["heat"]] = np.nan
    save_file(tensors, folder / "model.safetensors")
    encoder = TransformerEncoder(folder)
    assert np.isfinite(encoder.encode(["ships", "gauge"])).all()
    with pytest.raises(NonFiniteError, match=r"text 2: 'the heat'"):
        encoder.encode(["ships", "the library", "the heat", "gauge"])


def test_identity_changes_with_what_changes_vectors_only(tiny_model, tmp_path, monkeypatch) -> None:
    from safetensors.numpy import load_file, save_file

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tiny_model(prompts={"query": "query: "})

    def identity(name, change=None, **options) -> str:
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        if change:
            change(copy)
        return TransformerEncoder(copy, **options).identity

    def reweigh(copy, **metadata) -> None:
        save_file(load_file(copy / "model.safetensors"), copy / "model.safetensors", metadata)

    def nudge(copy) -> None:
        tensors = load_file(copy / "model.safetensors")
        tensors["encoder.layer.1.output.dense.bias"][3] += 1e-3
        save_file(tensors, copy / "model.safetensors")

    def write(file, **content):
        return lambda copy: (copy / file).write_text(json.dumps(content))

    own = identity("1")
    assert own == identity("2", lambda copy: reweigh(copy, format="pt"), threads=1) == identity("again")
    others = [
        identity("3", nudge),
        identity("4", max_length=99),
        identity("5", write("1_Pooling/config.json", pooling_mode="cls")),
        identity("6", write("config_sentence_transformers.json", prompts={"query": "search: "})),
        identity(
            "7", write("config_sentence_transformers.json", prompts={"query": "query: "}, similarity_fn_name="dot")
        ),
        identity("8", write("sentence_bert_config.json", max_seq_length=256, do_lower_case=True)),
        identity("9", lambda copy: (copy / "modules.json").unlink()),
    ]
    assert len({own, *others}) == 8
    assert all(path.stat().st_size == 64 for path in (tmp_path / "cache" / "isogloss" / "digests").iterdir())


def test_states_have_the_characters_of_their_tokens(encoder) -> None:
    texts = ["Naïve cafés", "heat of a shock wave"]
    states, spans = encoder.states(texts, [-1, 0])
    assert states.values.shape == (len(spans.values), 2, 384)
    assert [texts[0][a:b] for a, b in spans[0]] == ["", "Naïve", "cafés", ""]
    assert [texts[1][a:b] for a, b in spans[1]] == ["", "heat", "of", "a", "shock", "wave", ""]
    for text, tokens in zip(texts, states, strict=True):
        np.testing.assert_allclose(normalise(tokens[:, 0].mean(0, keepdims=True)), encoder.encode(text), atol=1e-5)
    with pytest.raises(IndexError, match="layer 7"):
        encoder.states(texts, [7])
    assert encoder.states([], [0])[0].values.shape == (0, 1, 384)


def test_attention_maps_are_distributions(encoder) -> None:
    first, second = encoder.attentions(["heat", "heat of a shock wave"], [0, -1])
    assert (first.shape, second.shape) == ((2, 12, 3, 3), (2, 12, 7, 7))
    np.testing.assert_allclose(second.sum(-1), 1, atol=1e-5)


def test_the_ledger_counts_multiply_adds(encoder) -> None:
    with counting() as ledger:
        encoder.encode("heat")
    # 3 tokens: per layer 12 d^2 for the linear parts and 2 L d for attention, d = 384
    assert ledger.multiply_adds == 6 * 3 * (12 * 384**2 + 2 * 3 * 384)


@settings(max_examples=25)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_any_text_has_a_finite_vector_of_length_one(encoder, texts) -> None:
    np.testing.assert_allclose(np.linalg.norm(encoder.encode(texts), axis=1), 1, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_an_onnx_file_of_the_folder_gives_the_same_vectors(tiny_model) -> None:
    onnx = pytest.importorskip("onnx")
    folder = tiny_model()
    own = TransformerEncoder(folder)
    expected = own.encode(["heat", "the library of ships"])
    export(onnx, own, folder / "onnx" / "model.onnx")
    (folder / "model.safetensors").unlink()
    from_file = TransformerEncoder(folder)
    assert from_file.plan.to_dict()["engine"] == "ONNX file model.onnx"
    np.testing.assert_allclose(from_file.encode(["heat", "the library of ships"]), expected, atol=1e-6)
    assert len(from_file.identity) == 64
    with pytest.raises(UnsupportedModelError, match="neither hidden states"):
        from_file.states(["heat"], [0])


def export(onnx, encoder, path) -> None:
    """Write an ONNX file as exporters do: their names of inputs and outputs, the weights inside."""
    from isogloss.encoders.engines.graph import write_graph

    engine, folder = encoder.engine, encoder.plan.folder
    model = onnx.ModelProto.FromString(write_graph(engine.architecture, engine.weights, folder))
    onnx.external_data_helper.load_external_data_for_model(model, str(folder))
    graph, helper, kinds = model.graph, onnx.helper, onnx.TensorProto
    names = {"ids": "input_ids", "last": "last_hidden_state"}
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
        for i, name in enumerate(node.output):
            node.output[i] = names.get(name, name)
    del graph.input[:]
    graph.input.extend(
        helper.make_tensor_value_info(n, kinds.INT64, ["B", "L"]) for n in ("input_ids", "attention_mask")
    )
    graph.output[0].name = "last_hidden_state"
    axis = helper.make_tensor("one_axis", kinds.INT64, [1], [1])
    zero, one, none = (helper.make_tensor(f"n{i}", kinds.INT64, [], [i]) for i in (0, 1, 2))
    graph.initializer.extend([axis, zero, one, none])
    head = [
        helper.make_node("ReduceSum", ["attention_mask", "one_axis"], ["lengths64"], keepdims=0),
        helper.make_node("Cast", ["lengths64"], ["lengths"], to=kinds.INT32),
        helper.make_node("Shape", ["input_ids"], ["width_only"], start=1, end=2),
        helper.make_node("Squeeze", ["width_only"], ["width_scalar"]),
        helper.make_node("Range", ["n0", "width_scalar", "n1"], ["positions"]),
    ]
    nodes = [*head, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    path.parent.mkdir()
    onnx.save(model, path)
