"""Owns the checks that custom invariants stand on: what a person chose of tensors, keys and files."""
