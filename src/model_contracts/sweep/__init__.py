"""Owns the one streaming pass over the bytes: what plans it, runs it on every core and puts its chunks together."""
