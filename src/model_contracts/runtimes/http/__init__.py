"""Owns talk with a server on loopback: JSON questions, OpenAI's routes, streams of events."""
