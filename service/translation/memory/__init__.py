"""The translation memory: translations that people have made, kept in a file."""
