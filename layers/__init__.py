"""Keras layers for images and sound. Backend-neutral: TensorFlow, JAX and torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["groups"],
    submod_attrs={
        "add_noise": ["AddNoise"],
        "group_average_pooling_2d": ["GroupAveragePooling2D"],
        "group_conv_2d": ["GroupConv2D"],
        "group_dropout": ["GroupDropout"],
        "group_global_average_pooling_2d": ["GroupGlobalAveragePooling2D"],
        "group_max_pooling_2d": ["GroupMaxPooling2D"],
        "group_pooling": ["GroupPooling"],
        "group_upsampling_2d": ["GroupUpSampling2D"],
        "groups": ["Group", "get_group"],
        "local_response_normalization": ["LocalResponseNormalization"],
        "mel_spectrogram": ["MelSpectrogram"],
        "missing_fragments": ["MissingFragments"],
        "random_equalizer": ["RandomEqualizer"],
        "random_gain": ["RandomGain"],
        "random_polarity": ["RandomPolarity"],
        "random_speed": ["RandomSpeed"],
        "random_time_shift": ["RandomTimeShift"],
        "scale_conv_1d": ["ScaleConv1D"],
        "scale_lift_conv_1d": ["ScaleLiftConv1D"],
        "scaled_tanh": ["scaled_tanh"],
        "table_conv_2d": ["TableConv2D"],
        "untied_bias": ["UntiedBias"],
        "weight_normalized_conv_1d": ["WeightNormalizedConv1D"],
        "zero_mean": ["ZeroMean"],
    },
)
