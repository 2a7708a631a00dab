"""Stored glossaries: kept per API key, used by their name or id."""
