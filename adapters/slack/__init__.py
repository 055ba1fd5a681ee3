"""Slack: digests, answers, forms and the home tab."""
