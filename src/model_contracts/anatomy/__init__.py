"""What an artifact is beyond its container: family, canonical names, hyper-parameters, claims, pairing."""
