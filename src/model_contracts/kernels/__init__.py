"""Decode and reduce over blocks: moments, pair measures and digests in one streaming pass over the bytes."""
