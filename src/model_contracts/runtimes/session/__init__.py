"""Owns a session: a child process with a time and a memory limit, its messages, and answers held to what was asked."""
