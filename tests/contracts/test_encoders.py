"""What every encoder promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from isogloss.arrays import CSR, Ragged, Similarity
from isogloss.errors import TruncationWarning, UsageError
from isogloss.protocols import PROBE_TEXTS, Encoder, EncodeReport
from isogloss.transforms.quantization import Int8Quantizer

pytestmark = pytest.mark.filterwarnings("ignore::isogloss.errors.TruncationWarning")

ODD = ["", "a", "🙂 👩‍👩‍👧", "nul \x00 inside", "مرحبا بالعالم", "word " * 2000, "\n\t ", "½ ŉ ﬁ İ", "\ud7ff\ue000"]
PLAIN = ["The heat of the slab.", "A wing in the wind.", "archives", "Tea is steeped at 80 degrees, they say."]
TEXTS = [*PLAIN, *ODD]


def _rows(vectors):
    """Each text's vector as plain data, sparse ones as column to value."""
    if isinstance(vectors, CSR):
        return [dict(zip(*(part.tolist() for part in vectors.row(i)), strict=True)) for i in range(len(vectors))]
    if isinstance(vectors, Ragged):
        return [np.asarray(part, np.float64) for part in vectors]
    return list(np.asarray(vectors, np.float64))


def _shape(vectors):
    """Texts and components, for token encoders too: how many tokens a text has is its own matter."""
    return (len(vectors), vectors.values.shape[1]) if isinstance(vectors, Ragged) else vectors.shape


def _distance(one, other):
    """The largest difference of two vectors; texts of different numbers of tokens differ wholly."""
    return np.inf if one.shape != other.shape else np.abs(one - other).max()


def _assert_same_rows(one, other):
    if isinstance(one, dict):  # a weight that is zero but for rounding may be left out
        for column in one.keys() | other.keys():
            assert one.get(column, 0) == pytest.approx(other.get(column, 0), rel=1e-5, abs=1e-5)
    else:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def _assert_same(left, right):
    left, right = _rows(left), _rows(right)
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        _assert_same_rows(one, other)


def test_it_is_an_encoder(encoder):
    one = encoder.encoder
    assert isinstance(one, Encoder)
    assert one.modality == "text"
    assert isinstance(one.similarity, Similarity)
    assert one.kind in ("words", "dense", "sparse", "tokens")
    assert one.speed in ("fast", "slow")
    assert isinstance(one.name, str)
    assert one.name
    assert one.window >= 0
    assert one.languages is None or all(isinstance(language, str) for language in one.languages)
    assert set(one.heads) <= {"dense", "sparse", "tokens"}


def test_vectors_have_the_shape_that_it_says(encoder):
    vectors = encoder.encoder.encode(TEXTS)
    assert _shape(vectors) == (len(TEXTS), encoder.encoder.dimensions)
    values = vectors.values if isinstance(vectors, CSR | Ragged) else vectors
    assert np.isfinite(values).all()
    assert _shape(encoder.encoder.encode([])) == (0, encoder.encoder.dimensions)


def test_a_batch_is_its_texts_one_by_one(encoder):
    together = _rows(encoder.encoder.encode(TEXTS))
    for row, text in zip(together, TEXTS, strict=True):
        _assert_same_rows(row, _rows(encoder.encoder.encode([text]))[0])


def test_order_and_company_do_not_matter(encoder):
    order = np.random.default_rng(0).permutation(len(TEXTS))
    mixed = _rows(encoder.encoder.encode([TEXTS[i] for i in order]))
    straight = _rows(encoder.encoder.encode(TEXTS))
    for place, i in enumerate(order):
        _assert_same_rows(mixed[place], straight[i])


def test_a_single_string_is_a_batch_of_one(encoder):
    _assert_same(encoder.encoder.encode(PLAIN[0]), encoder.encoder.encode([PLAIN[0]]))


def test_any_iterable_is_taken_and_not_changed(encoder):
    texts = list(PLAIN)
    listed = encoder.encoder.encode(texts)
    assert texts == PLAIN
    _assert_same(encoder.encoder.encode(text for text in PLAIN), listed)
    _assert_same(encoder.encoder.encode(tuple(PLAIN)), listed)


def test_what_is_not_a_text_is_refused(encoder):
    for wrong in ([None], ["a", 3], [b"bytes"]):
        with pytest.raises((UsageError, TypeError)):
            encoder.encoder.encode(wrong)


def test_equal_texts_have_equal_vectors(encoder):
    first, _, third = _rows(encoder.encoder.encode([PLAIN[0], PLAIN[1], PLAIN[0]]))
    _assert_same_rows(first, third)


def test_it_is_not_collapsed_and_feels_a_changed_word(encoder):
    texts = [*PLAIN, "The wing of the slab.", "The heat of the wing."]
    rows = _rows(encoder.encoder.encode(texts))
    for i in range(len(rows)):
        for j in range(i):
            if isinstance(rows[i], dict):
                assert rows[i] != rows[j]
            else:
                assert _distance(rows[i], rows[j]) > 1e-3 * np.abs(rows[i]).max()


def test_probes_are_the_probe_texts_as_documents(encoder):
    _assert_same(encoder.encoder.probes, encoder.encoder.encode(PROBE_TEXTS, role="document"))


def test_roles_have_aliases(encoder):
    one = encoder.encoder
    _assert_same(one.encode_query(PLAIN), one.encode(PLAIN, role="query"))
    _assert_same(one.encode_document(PLAIN), one.encode(PLAIN, role="document"))


def test_the_report_counts_texts_and_cuts(encoder):
    report = EncodeReport()
    encoder.encoder.encode(["word " * 2000, *PLAIN], report=report)
    assert report.texts == 1 + len(PLAIN)
    assert report.tokens >= len(PLAIN)
    assert report.cut == (1 if encoder.encoder.window else 0)
    assert (report.lost > 0) == (report.cut > 0)


def test_a_cut_is_said_where_nobody_reports(encoder):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        encoder.encoder.encode(["word " * 2000, *PLAIN])
        encoder.encoder.encode(["word " * 2000], report=EncodeReport())
    cuts = [one for one in said if issubclass(one.category, TruncationWarning)]
    assert len(cuts) == (1 if encoder.encoder.window else 0)


def test_identity_is_stable_and_tells_settings_apart(encoder):
    assert encoder.encoder.identity == encoder.again.identity
    identities = [encoder.encoder.identity, *(other.identity for other in encoder.others)]
    assert len(set(identities)) == len(identities) > 1
    _assert_same(encoder.encoder.encode(TEXTS), encoder.again.encode(TEXTS))


def test_then_is_associative(encoder):
    one = encoder.encoder
    if one.kind != "dense":
        with pytest.raises(UsageError, match="dense"):
            one.then(Int8Quantizer()).encode(PLAIN)
        return
    first = Int8Quantizer().fit(np.random.default_rng(0).standard_normal((20, one.dimensions)))
    second = Int8Quantizer(coverage=0.5).fit(np.random.default_rng(1).integers(-127, 128, (20, one.dimensions)))
    nested, flat = one.then(first).then(second), one.then(first, second)
    assert nested.identity == flat.identity != one.then(second, first).identity != one.identity
    np.testing.assert_array_equal(nested.encode(PLAIN), flat.encode(PLAIN))
    np.testing.assert_array_equal(flat.encode(PLAIN), second.transform(first.transform(one.encode(PLAIN))))


@pytest.fixture(scope="session")
def elsewhere(parts_file, tmp_path_factory):
    """What a new process gives, for all encoders at once."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "texts.json").write_text(json.dumps(TEXTS), encoding="utf-8")
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, str(parts_file), str(folder / "texts.json"), str(folder / "out.npz")]
    subprocess.run(command, check=True, env=environment, timeout=120)
    return np.load(folder / "out.npz")


def test_a_new_process_gives_the_same(encoder, elsewhere, request):
    name = request.node.callspec.params["encoder"]
    assert str(elsewhere[f"{name} identity"]) == encoder.encoder.identity
    vectors = encoder.encoder.encode(TEXTS)
    values = vectors.values if isinstance(vectors, CSR | Ragged) else vectors
    np.testing.assert_allclose(elsewhere[f"{name} values"], values, atol=1e-5)
    if isinstance(vectors, CSR):
        np.testing.assert_array_equal(elsewhere[f"{name} indices"], vectors.indices)
        np.testing.assert_array_equal(elsewhere[f"{name} offsets"], vectors.offsets)
