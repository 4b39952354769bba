"""Owns the checks of containers: what readers compared, headers that must be refused, what lies beside."""
