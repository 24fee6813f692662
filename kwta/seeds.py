"""Seeds: one range for all generators."""

MAX_SEED = 2**32 - 1  # the generators of Python, NumPy, torch and scikit-learn all take the seeds 0..MAX_SEED
