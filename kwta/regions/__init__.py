"""Exact linear regions of k-WTA and ReLU networks on lines and planes of the input space."""
