"""Owns the checks of packed weights: parts, promises, scales and codes, and which engines take them."""
