"""Reads adapters: what one declares, whether it fits a base, and whether a model is a base with it."""
