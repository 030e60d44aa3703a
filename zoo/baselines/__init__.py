"""Hand-made features and classical classifiers."""
