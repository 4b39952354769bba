"""Owns the run of somebody else's program: started apart, read as it prints, ended with all that it started."""
