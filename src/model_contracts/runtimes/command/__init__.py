"""Owns the command runtime: somebody else's program, declared in YAML, run or asked over HTTP."""
