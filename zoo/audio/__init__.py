"""The nets on sound: one family, one file."""

from zoo.audio.audio_mlp import audio_mlp
from zoo.audio.crepe import crepe
from zoo.audio.features_mlp import features_mlp
from zoo.audio.m_nets import m3, m5, m11, m18, m34_res
from zoo.audio.mnist1d_nets import mnist1d_cnn, mnist1d_mlp
from zoo.audio.pitch import pitch
from zoo.audio.sample_cnn import sample_cnn
from zoo.audio.tcn import tcn
from zoo.audio.tempo_cnn import deep_tempo, tempo_cnn
from zoo.audio.wavelet_net import wavelet_net

__all__ = [
    "audio_mlp",
    "crepe",
    "deep_tempo",
    "features_mlp",
    "m3",
    "m5",
    "m11",
    "m18",
    "m34_res",
    "mnist1d_cnn",
    "mnist1d_mlp",
    "pitch",
    "sample_cnn",
    "tcn",
    "tempo_cnn",
    "wavelet_net",
]
