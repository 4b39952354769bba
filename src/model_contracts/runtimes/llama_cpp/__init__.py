"""Owns the llama.cpp runtime: libllama as a wheel carries it, and its server."""
