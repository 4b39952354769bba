"""Turning one artifact into another: ours, streamed from declared data, and commands under test."""
