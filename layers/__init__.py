"""Keras layers that know symmetry. Backend-neutral: TensorFlow, JAX and torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["groups"],
    submod_attrs={
        "group_average_pooling_2d": ["GroupAveragePooling2D"],
        "group_conv_2d": ["GroupConv2D"],
        "group_dropout": ["GroupDropout"],
        "group_global_average_pooling_2d": ["GroupGlobalAveragePooling2D"],
        "group_max_pooling_2d": ["GroupMaxPooling2D"],
        "group_pooling": ["GroupPooling"],
        "group_upsampling_2d": ["GroupUpSampling2D"],
        "groups": ["Group", "get_group"],
        "local_response_normalization": ["LocalResponseNormalization"],
        "scaled_tanh": ["scaled_tanh"],
        "table_conv_2d": ["TableConv2D"],
        "untied_bias": ["UntiedBias"],
    },
)
