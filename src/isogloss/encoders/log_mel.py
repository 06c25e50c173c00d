"""Sound as numbers that a network can read: log energies of mel bands, and exact resampling; NumPy alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isogloss.arrays import Dense, Ragged
from isogloss.errors import NonFiniteError, UsageError

SILENCE = 1e-10
"""Energy below which a band is silent; keeps the logarithm finite."""


def resample(signal: NDArray[Any], factor: float) -> NDArray[np.float64]:
    """Return a signal that sounds ``factor`` times higher and lasts ``1 / factor`` as long at the same rate.

    All frequencies are scaled alike, as by a vocal tract that is so many times shorter. The signal is taken as one
    period and its spectrum is cut or padded, so that nothing is folded back from beyond half the rate.

    Parameters
    ----------
    signal
        ``(t,)`` samples.
    factor
        Above 1 is higher and shorter.

    Raises
    ------
    UsageError
        Where the factor is not positive or nothing would be left.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 10 * np.arange(400) / 400)
    >>> higher = resample(tone, 1.25)
    >>> len(higher), int(np.abs(np.fft.rfft(higher)).argmax())
    (320, 10)
    """
    if not (np.isfinite(factor) and factor > 0) or round(len(signal) / factor) < 1:
        raise UsageError("this signal cannot be resampled", f"{len(signal)} samples, factor {factor}", "such as 1.25")
    size = round(len(signal) / factor)
    spectrum = np.fft.rfft(np.asarray(signal, np.float64))
    kept = np.zeros(size // 2 + 1, np.complex128)
    shared = min(len(spectrum), len(kept))
    kept[:shared] = spectrum[:shared]
    return np.asarray(np.fft.irfft(kept, size) * size / len(signal), np.float64)


def mel(hertz: float) -> float:
    """Return a frequency on the mel scale, ``2595 log10(1 + f / 700)`` (O'Shaughnessy 1987).

    Examples
    --------
    >>> round(mel(1000.0), 1)
    1000.0
    """
    return float(2595.0 * np.log10(1.0 + hertz / 700.0))


@cache
def mel_bands(bands: int, window: int, rate: int, low: float, high: float) -> NDArray[np.float64]:
    """Return triangular bands ``(window / 2 + 1, bands)``, evenly spaced and half overlapping on the mel scale.

    Davis and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word Recognition" (1980,
    https://doi.org/10.1109/TASSP.1980.1163420).

    Parameters
    ----------
    bands, window, rate, low, high
        As in :func:`log_mel`.
    """
    edges = 700.0 * (10.0 ** (np.linspace(mel(low), mel(high), bands + 2) / 2595.0) - 1.0)
    frequencies = np.arange(window // 2 + 1) * rate / window
    rising = (frequencies[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling))


def log_mel(
    signal: NDArray[Any], rate: int, *, bands: int = 40, window: int = 256, hop: int = 80, low: float = 60.0,
    high: float | None = None,
) -> Dense:  # fmt: skip
    """Return the logarithms of the energies of mel bands, frame by frame, brought to mean 0 over the recording.

    Parameters
    ----------
    signal
        ``(t,)`` samples; shorter than a window it is filled up with zeros.
    rate
        Samples a second.
    bands
        Mel bands.
    window, hop
        Samples of a frame (a Hann window), and between the starts of two.
    low, high
        Lowest and highest frequency in hertz; None: half the rate.

    Returns
    -------
    ndarray
        ``(frames, bands)`` float32. Loudness does not matter, apart from bands that are silent.

    Raises
    ------
    UsageError
        Where the signal is empty, or a setting makes no sense.
    NonFiniteError
        Where a sample is NaN or infinite.

    Examples
    --------
    >>> log_mel(np.sin(np.arange(800)), 8000).shape
    (7, 40)
    """
    samples = np.asarray(signal, np.float64)
    top = rate / 2 if high is None else high
    if samples.ndim != 1 or not len(samples):
        raise UsageError("there is no sound", f"the signal has the shape {samples.shape}", "give (t,) samples")
    if not (0 <= low < top <= rate / 2) or min(bands, window, hop) < 1:
        why = f"{bands} bands from {low} to {top} Hz at {rate} samples a second"
        raise UsageError("the bands make no sense", why, "stay below half the rate")
    if not np.isfinite(samples).all():
        raise NonFiniteError("a sample is not finite", f"{int((~np.isfinite(samples)).sum())} of {len(samples)}")
    samples = np.pad(samples, (0, max(0, window - len(samples))))
    frames = np.lib.stride_tricks.sliding_window_view(samples, window)[::hop] * np.hanning(window)  # (frames, window)
    energy = np.abs(np.fft.rfft(frames, axis=1)) ** 2 @ mel_bands(bands, window, rate, low, top)  # (frames, bands)
    logs = np.log(np.maximum(energy, SILENCE))
    return np.asarray(logs - logs.mean(), np.float32)


def features_of(signals: Sequence[NDArray[Any]], rate: int, **options: Any) -> Ragged:
    """Return the frames of many signals; ``options`` are those of :func:`log_mel`.

    Examples
    --------
    >>> [len(one) for one in features_of([np.ones(800), np.ones(256)], 8000)]
    [7, 1]
    """
    return Ragged.from_list([log_mel(signal, rate, **options) for signal in signals])
