"""Owns the checks of the values of tensors, alone and of a pair."""
