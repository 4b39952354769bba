"""Owns the checks of which tensors there are, of what types and shapes, alone and of a pair."""
