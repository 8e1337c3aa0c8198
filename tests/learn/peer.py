"""The authors' trees, by scikit-learn: the peer of our own."""

from sklearn.ensemble import GradientBoostingClassifier

__all__ = ["authors_trees"]


def authors_trees(seed: int) -> GradientBoostingClassifier:
    """Gradient boosting with the settings of Wang & Jain (doi:10.1038/s41467-019-13511-9)."""
    return GradientBoostingClassifier(
        n_estimators=300,
        max_depth=2,
        learning_rate=0.1,
        max_features="sqrt",
        min_samples_leaf=0.001,
        min_samples_split=0.001,
        random_state=seed,
    )
