"""The outside: sources, stores and platforms, each behind a port of the core."""
