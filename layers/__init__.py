"""Keras layers for images and sound. Backend-neutral: TensorFlow, JAX and torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["groups"],
    submod_attrs={
        "audio.add_noise": ["AddNoise"],
        "group.average_pooling": ["GroupAveragePooling2D"],
        "group.conv": ["GroupConv2D"],
        "group.dropout": ["GroupDropout"],
        "group.global_average_pooling": ["GroupGlobalAveragePooling2D"],
        "group.max_pooling": ["GroupMaxPooling2D"],
        "group.pooling": ["GroupPooling"],
        "group.upsampling": ["GroupUpSampling2D"],
        "group.groups": ["Group", "get_group"],
        "classic.local_response_normalization": ["LocalResponseNormalization"],
        "audio.mel_spectrogram": ["MelSpectrogram"],
        "audio.missing_fragments": ["MissingFragments"],
        "audio.random_equalizer": ["RandomEqualizer"],
        "audio.random_gain": ["RandomGain"],
        "audio.random_polarity": ["RandomPolarity"],
        "audio.random_speed": ["RandomSpeed"],
        "audio.random_time_shift": ["RandomTimeShift"],
        "scale.conv": ["ScaleConv1D"],
        "scale.lifting": ["ScaleLiftConv1D"],
        "classic.scaled_tanh": ["scaled_tanh"],
        "classic.table_conv_2d": ["TableConv2D"],
        "classic.untied_bias": ["UntiedBias"],
        "classic.weight_normalized_conv_1d": ["WeightNormalizedConv1D"],
        "scale.zero_mean": ["ZeroMean"],
    },
)
