"""From a name and a data set to a trained net: recipes, callbacks, run folders."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["metrics"],
    submod_attrs={
        "callbacks.batch_normalization_reestimation": [
            "BatchNormalizationReestimation",
            "reestimate_batch_normalization",
        ],
        "distributed.cluster": ["Cluster", "find_cluster"],
        "distributed.run": ["distribute"],
        "evaluation": ["evaluate"],
        "optimizers.momentum_sgd": ["MomentumSGD"],
        "recipes": ["Recipe", "find_recipe", "list_recipes"],
        "callbacks.rich_progress": ["RichProgress"],
        "sounds": ["measure_sounds"],
        "distributed.strategies": ["strategy"],
        "distributed.synchronized": ["synchronize_batch_normalization"],
        "train": ["train"],
    },
)
