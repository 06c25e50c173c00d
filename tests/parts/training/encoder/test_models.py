"""Models loaded for training, as encoders and as folders: beside the runtime and sentence-transformers."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from isogloss.encoders.tokenizer_file import TokenizerFile  # noqa: E402
from isogloss.encoders.transformer import TransformerEncoder  # noqa: E402
from isogloss.errors import ModelError, UnsupportedModelError, UsageError  # noqa: E402
from isogloss.nn import transformer as parts  # noqa: E402
from isogloss.nn.sentence import DenseLayer, LayerNorm, Normalise, SentenceModel  # noqa: E402
from isogloss.nn.transformer import Transformer, TransformerConfig  # noqa: E402
from isogloss.protocols import EncodeReport  # noqa: E402
from isogloss.training.models import keep_layers, load_trainable, new_trainable  # noqa: E402
from isogloss.training.saving import save_trainable, write_aside  # noqa: E402
from isogloss.training.trained_encoder import TrainedEncoder  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::isogloss.errors.TruncationWarning")
TEXTS = ["the heat of the ships", "", "a gauge in the library was " * 9, "東京は", "word " * 400]


def theirs(folder, texts):
    """The vectors of sentence-transformers."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(folder), device="cpu").encode(texts)


@pytest.mark.parametrize("kind", ["bert", "roberta", "mpnet", "distilbert"])
def test_every_shape_is_the_runtimes_and_theirs(shaped_folder, tmp_path, kind):
    folder = shaped_folder(kind)
    runtime, ours = TransformerEncoder(folder, threads=1), TrainedEncoder.of(load_trainable(folder))
    vectors = ours.encode(TEXTS)
    np.testing.assert_allclose(vectors, runtime.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(vectors, theirs(folder, TEXTS), atol=1e-5)
    assert ours.identity == runtime.identity
    saved = save_trainable(ours.trainable, tmp_path / "saved")
    again = TransformerEncoder(saved, threads=1)
    assert again.identity == ours.identity
    np.testing.assert_allclose(again.encode(TEXTS), vectors, atol=1e-5)
    np.testing.assert_allclose(theirs(saved, TEXTS), vectors, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "cls", "normalise": False},
        {"dense": True, "pooling": "mean_sqrt_len_tokens"},
        {"prompts": {"query": "query: ", "document": "passage: "}},
        {"max_length": 16, "lower": False},
        {"pooling": "weightedmean", "dense": True, "normalise": False},
    ],
)
def test_settings_survive_a_round_trip(tiny_folder, tmp_path, options):
    folder = tiny_folder(**options)
    runtime, ours = TransformerEncoder(folder, threads=1), TrainedEncoder.of(load_trainable(folder))
    saved = save_trainable(ours.trainable, tmp_path / "saved", card="# A model\n")
    again = TransformerEncoder(saved, threads=1)
    assert runtime.identity == ours.identity == again.identity
    assert (saved / "README.md").read_text() == "# A model\n"
    for role in ("query", "document", None):
        wanted = runtime.encode(TEXTS, role=role)
        np.testing.assert_allclose(ours.encode(TEXTS, role=role), wanted, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(again.encode(TEXTS, role=role), wanted, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(theirs(saved, TEXTS), ours.encode(TEXTS), rtol=1e-4, atol=1e-5)


def test_a_layer_norm_behind_the_pooling_is_trained_and_saved(tiny_folder, tmp_path):
    source = load_trainable(tiny_folder(dense=True))
    norm = LayerNorm(24)
    torch.nn.init.normal_(norm.norm.weight, 1, 0.3)
    torch.nn.init.normal_(norm.norm.bias, 0, 0.3)
    steps = [*source.model.dense, norm]
    trainable = new_trainable(SentenceModel(source.model.transformer, dense=steps), source.tokenizer)
    saved = save_trainable(trainable, tmp_path / "saved")
    vectors = TrainedEncoder.of(trainable).encode(TEXTS)
    runtime, again = TransformerEncoder(saved, threads=1), TrainedEncoder.of(load_trainable(saved))
    np.testing.assert_allclose(runtime.encode(TEXTS), vectors, atol=1e-5)
    np.testing.assert_allclose(theirs(saved, TEXTS), vectors, atol=1e-5)
    np.testing.assert_array_equal(again.encode(TEXTS), vectors)
    assert again.identity == runtime.identity


def test_a_model_that_changes_token_vectors_is_not_trained(tiny_folder):
    folder = tiny_folder(dense=True)
    entries = json.loads((folder / "modules.json").read_text())
    moved = [entries[0], entries[2] | {"idx": 1}, entries[1] | {"idx": 2}]
    (folder / "modules.json").write_text(json.dumps(moved))
    said = json.loads((folder / "2_Dense" / "config.json").read_text())
    (folder / "2_Dense" / "config.json").write_text(json.dumps(said | {"module_input_name": "token_embeddings"}))
    assert TransformerEncoder(folder, threads=1).encode(["heat"]).shape == (1, 24)
    with pytest.raises(UnsupportedModelError, match="cannot be trained"):
        load_trainable(folder)


def test_minilm_is_minilm(minilm, tmp_path):
    ours = TrainedEncoder.of(load_trainable(minilm))
    runtime = TransformerEncoder(minilm, threads=1)
    texts = ["A small dog.", "Puppies are small dogs that bark.", "tax law", "I read " * 200]
    np.testing.assert_allclose(ours.encode(texts), runtime.encode(texts), atol=1e-5)
    saved = save_trainable(ours.trainable, tmp_path / "copy")
    np.testing.assert_allclose(theirs(saved, texts), theirs(minilm, texts), atol=1e-5)
    assert TransformerEncoder(saved, threads=1).identity == ours.identity == runtime.identity


def test_states_spans_and_report_are_the_runtimes(tiny_folder):
    folder = tiny_folder(max_length=16)
    runtime, ours = TransformerEncoder(folder, threads=1), TrainedEncoder.of(load_trainable(folder))
    mine, others = ours.states(TEXTS, (0, 1, -1)), runtime.states(TEXTS, (0, 1, -1))
    np.testing.assert_allclose(mine[0].values, others[0].values, rtol=1e-4, atol=1e-4)
    assert np.array_equal(mine[1].values, others[1].values)
    assert np.array_equal(mine[0].offsets, others[0].offsets)
    assert ours.states([], (0,))[0].values.shape == (0, 1, 32)
    with pytest.raises(IndexError, match="layer 3 does not exist"):
        ours.states(TEXTS, (3,))
    reports = EncodeReport(), EncodeReport()
    ours.encode(TEXTS, report=reports[0])
    runtime.encode(TEXTS, report=reports[1])
    assert reports[0] == reports[1]


def test_identity_and_probes_follow_the_weights(tiny_folder):
    ours = TrainedEncoder.of(load_trainable(tiny_folder()))
    ours.model.train()
    before, probes = ours.identity, np.asarray(ours.probes)
    assert ours.model.training, "encoding gives the module back as it was"
    assert np.array_equal(np.asarray(ours.probes), probes), "and without dropout"
    mover = torch.optim.AdamW(ours.model.parameters(), lr=0.1, fused=True)  # does not count as a change in place
    ours.model(parts.Packed(torch.tensor([1, 2]), torch.tensor([0, 2]))).sum().backward()
    mover.step()
    assert ours.identity != before
    assert not np.allclose(np.asarray(ours.probes), probes)


def test_fewer_layers_are_saved_as_such(tiny_folder, tmp_path):
    small = keep_layers(load_trainable(tiny_folder()), [0])
    saved = save_trainable(small, tmp_path / "small")
    assert json.loads((saved / "config.json").read_text())["num_hidden_layers"] == 1
    wanted = TrainedEncoder.of(small).encode(TEXTS)
    np.testing.assert_allclose(TransformerEncoder(saved, threads=1).encode(TEXTS), wanted, atol=1e-5)
    np.testing.assert_allclose(theirs(saved, TEXTS), wanted, atol=1e-5)
    with pytest.raises(UsageError, match="needs a layer"):
        keep_layers(small, [])


@pytest.mark.parametrize("types", [0, 2])
def test_a_model_made_here_is_saved_in_a_published_shape(tiny_folder, tmp_path, types):
    folder = tiny_folder()
    torch.manual_seed(0)
    config = TransformerConfig(
        vocabulary=400, width=16, layers=1, heads=2, inner=24, positions=64, types=types, activation="gelu_tanh"
    )
    dense = [Normalise(), DenseLayer(32, 6, activation="Identity", bias=False)]
    model = SentenceModel(Transformer(config), pooling=("cls", "mean"), dense=dense, normalise=types == 0).eval()
    made = new_trainable(model, TokenizerFile(folder, max_length=32), name="mine")
    saved = save_trainable(made, tmp_path / "mine")
    ours, again = TrainedEncoder.of(made), TransformerEncoder(saved, threads=1)
    assert again.identity == ours.identity
    np.testing.assert_allclose(again.encode(TEXTS), ours.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(theirs(saved, TEXTS), ours.encode(TEXTS), atol=1e-5)
    assert save_trainable(load_trainable(saved), tmp_path / "twice").name == "twice"


def test_what_has_no_published_shape_encodes_and_is_not_saved(tiny_folder, tmp_path):
    config = TransformerConfig(vocabulary=400, width=16, layers=1, heads=2, inner=24, positions=64, norm_first=True)
    encoder = TrainedEncoder(SentenceModel(Transformer(config)), TokenizerFile(tiny_folder(), max_length=32))
    assert encoder.encode(TEXTS).shape == (5, 16)
    with pytest.raises(UnsupportedModelError, match="no published shape"):
        save_trainable(encoder.trainable, tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_a_failed_save_leaves_what_was_there(tmp_path, tiny_folder):
    folder = save_trainable(load_trainable(tiny_folder()), tmp_path / "model")
    before = (folder / "model.safetensors").read_bytes()

    def fail(partial):
        (partial / "config.json").write_text("{}")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        write_aside(folder, fail)
    assert (folder / "model.safetensors").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "tiny"]
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="is not a model"):
        write_aside(tmp_path / "notes", fail)


def test_what_cannot_be_trained_is_said(tmp_path, tiny_folder):
    with pytest.raises(ModelError):
        load_trainable(tmp_path / "nothing")
    folder = tiny_folder()
    (folder / "config.json").write_text(json.dumps({"model_type": "albert", "architectures": ["Albert"]}))
    with pytest.raises(UnsupportedModelError, match="albert"):
        load_trainable(folder)
    static = tmp_path / "static"
    static.mkdir()
    (static / "config.json").write_text(json.dumps({"model_type": "isogloss-static"}))
    with pytest.raises(UnsupportedModelError, match="static_training"):
        load_trainable(static)


@pytest.mark.parametrize("length", [1, 7, 140, 300])
def test_relative_buckets_are_the_runtimes(length):
    from isogloss.encoders.engines.architectures import relative_buckets

    assert np.array_equal(parts.relative_buckets(length, 32).numpy(), relative_buckets(length, 32))
