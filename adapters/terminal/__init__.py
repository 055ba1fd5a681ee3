"""The embedded default: a channel in the terminal."""
