"""Secrets, paths and addresses, read from the environment."""
