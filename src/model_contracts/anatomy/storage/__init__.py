"""Weights of several stored tensors: recognised, their parts held, their values given a shape."""
