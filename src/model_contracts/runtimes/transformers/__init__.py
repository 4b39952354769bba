"""Owns the transformers runtime: how an artifact becomes a model of torch, and what is asked of it."""
