"""Owns checks that need a session: what a tokenizer or a model answers, on generated inputs."""
