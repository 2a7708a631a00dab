"""The native dialect, a superset of LibreTranslate's."""
