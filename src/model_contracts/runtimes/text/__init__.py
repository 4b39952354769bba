"""Owns text without a model: tokenizers and chat templates of an artifact, in a child process."""
