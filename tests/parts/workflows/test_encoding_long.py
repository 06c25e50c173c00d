"""Texts longer than the model's window in a file of vectors: cut and said, or read in windows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isogloss.encoders.names import load_encoder
from isogloss.encoders.windows import windowed
from isogloss.errors import UnsupportedModelError, UsageError
from isogloss.protocols import Record
from isogloss.workflows.encoding import EncodingPlan, encode_records

WORDS = ["heat", "snow", "roof", "ships", "wind", "library", "maps", "gold", "mill", "river", "engine"]
RECORDS = [Record(f"d{i}", " ".join(WORDS[(i * k) % 11] for k in range(1, 4 + 9 * i))) for i in range(8)]


def vectors(folder):
    return np.load(folder / "vectors.npy", allow_pickle=False)


def test_windows_read_everything_by_one_process_or_two(minilm, tmp_path) -> None:
    plan = EncodingPlan(str(minilm), threads=1, max_length=16)
    cut = encode_records(RECORDS, tmp_path / "cut", plan)
    whole = encode_records(RECORDS, tmp_path / "whole", replace(plan, windows=True))
    shared = encode_records(RECORDS, tmp_path / "shared", replace(plan, windows=True, processes=2, threads=2))
    assert "cut at 16 tokens" in cut.cut
    assert whole.cut == shared.cut == ""
    encoder = load_encoder(str(minilm), threads=1, max_length=16)
    expected = windowed(encoder).encode([record.text for record in RECORDS], role="document")
    np.testing.assert_allclose(vectors(tmp_path / "whole"), expected, atol=1e-5)
    assert vectors(tmp_path / "whole").tobytes() == vectors(tmp_path / "shared").tobytes()
    apart = np.abs(vectors(tmp_path / "cut") - vectors(tmp_path / "whole")).max(1)
    assert (apart > 1e-3).tolist() == [False, False, *[True] * 6]
    identities = [(tmp_path / name / "encoding.json").read_text().split('"identity": ')[1][:66] for name in
                  ("cut", "whole", "shared")]  # fmt: skip
    assert identities[0] != identities[1] == identities[2]


def test_a_run_goes_on_as_it_began_and_models_without_a_window_are_refused(minilm, tmp_path) -> None:
    class Stop:
        def start(self, *_):
            pass

        def advance(self, _):
            raise KeyboardInterrupt

        def finish(self):
            pass

    plan = EncodingPlan(str(minilm), threads=1, max_length=16, windows=True)
    with pytest.raises(KeyboardInterrupt):
        encode_records(RECORDS, tmp_path / "out", plan, progress=Stop())
    with pytest.raises(UsageError, match="another encoding"):
        encode_records(RECORDS, tmp_path / "out", replace(plan, windows=False))
    assert encode_records(RECORDS, tmp_path / "out", plan).found == len(RECORDS)
    with pytest.raises(UnsupportedModelError, match="not read in windows"):
        encode_records(RECORDS, tmp_path / "static", EncodingPlan("static", windows=True))
