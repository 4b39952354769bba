"""The command `contracts`: one file a sub-command; it parses and prints, and decides nothing."""
