"""What an atom looks like: one file per feature set, each with one class named in ``FEATURE_SET``."""
