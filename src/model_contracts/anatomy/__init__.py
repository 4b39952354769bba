"""What an artifact is, beyond its container: its family, canonical tensor names, hyper-parameters, claims, and its pairing with a source."""
