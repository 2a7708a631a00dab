"""Readers of the texts of programs, and of the files of translators' tools."""
