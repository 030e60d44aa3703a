"""Layers on waveforms: augmentation, and the mel spectrogram."""
