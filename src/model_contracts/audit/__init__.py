"""Evidence held to the signs of `contracts/audit/`: which green verdicts prove nothing, which red ones blame wrong."""
