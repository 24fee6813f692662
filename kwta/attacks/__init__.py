"""Attacks on networks: they propose inputs within a threat, and never judge themselves.

An attack is a frozen spec; `propose(spec, net, x, labels, threat, generator)` runs it.
"""
