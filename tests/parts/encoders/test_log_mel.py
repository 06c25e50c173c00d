"""Mel features and resampling: by hand, against SciPy, and properties of any sound."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from isogloss.encoders.log_mel import features_of, log_mel, mel, mel_bands, resample
from isogloss.errors import NonFiniteError, UsageError
from isogloss.seeding import generator

RATE = 8000


def tone(hertz, samples=2000):
    return np.sin(2 * np.pi * hertz * np.arange(samples) / RATE)


@pytest.mark.parametrize("factor", [0.8, 0.9173, 1.0, 1.25])
def test_resampling_as_scipy_does(factor):
    signal = generator(0, "signal").standard_normal(501)
    theirs = scipy.signal.resample(signal, round(501 / factor))
    size = len(theirs)
    ours = resample(signal, factor)
    # they treat the highest frequency of an even length apart; compare what lies below
    low = np.fft.rfft(ours)[: min(size, 501) // 2], np.fft.rfft(theirs)[: min(size, 501) // 2]
    np.testing.assert_allclose(*low, atol=1e-9)


def test_a_tone_becomes_higher_and_nothing_is_folded_back():
    higher = resample(tone(1000), 1.25)
    assert np.abs(np.fft.rfft(higher)).argmax() * RATE / len(higher) == pytest.approx(1250, abs=5)
    gone = resample(tone(3500), 1.25)  # would lie at 4,375 Hz, beyond half the rate
    assert np.abs(gone).max() < 0.1 * np.abs(tone(3500)).max()


def test_the_band_of_a_tone_is_the_loudest():
    edges = 700 * (10 ** (np.linspace(mel(60), mel(4000), 22) / 2595) - 1)
    for band in (3, 10, 17):
        frames = log_mel(tone(edges[band + 1]), RATE, bands=20)
        assert abs(int(frames.mean(0).argmax()) - band) <= 1


def test_bands_by_hand():
    bands = mel_bands(3, 256, RATE, 0.0, 4000.0)
    assert bands.shape == (129, 3)
    assert (bands >= 0).all()
    assert (bands <= 1).all()
    frequencies = np.arange(129) * RATE / 256
    middle = 700 * (10 ** (np.linspace(0, mel(4000), 5) / 2595) - 1)
    assert [abs(frequencies[bands[:, i].argmax()] - middle[i + 1]) < 16 for i in range(3)] == [True] * 3
    between = (frequencies > middle[1]) & (frequencies < middle[3])
    np.testing.assert_allclose(bands.sum(1)[between], 1.0)  # half overlapping triangles


@given(seed=st.integers(0, 1000), samples=st.integers(1, 900), gain=st.floats(0.1, 10))
def test_frames_are_counted_and_loudness_does_not_matter(seed, samples, gain):
    signal = generator(seed, "sound").standard_normal(samples)
    frames = log_mel(signal, RATE, bands=12)
    assert frames.shape == (1 + max(0, samples - 256) // 80, 12)
    np.testing.assert_allclose(log_mel(gain * signal, RATE, bands=12), frames, atol=1e-3)


def test_what_is_no_sound_is_said():
    for bad in (np.zeros(0), np.zeros((3, 3))):
        with pytest.raises(UsageError, match="no sound"):
            log_mel(bad, RATE)
    with pytest.raises(NonFiniteError, match="not finite"):
        log_mel(np.array([0.0, np.nan]), RATE)
    with pytest.raises(UsageError, match="bands"):
        log_mel(np.zeros(300), RATE, high=5000.0)
    for factor in (0.0, -1.0, np.nan, 1e9):
        with pytest.raises(UsageError, match="resampled"):
            resample(np.zeros(10), factor)
    assert np.isfinite(log_mel(np.zeros(300), RATE)).all()
    assert len(features_of([np.ones(300)] * 3, RATE)) == 3
