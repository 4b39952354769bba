"""Owns the founding system's own files: its playbooks read as ours, its evidence read and reported as it is."""
