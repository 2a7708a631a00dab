"""Our own dialect, a superset of LibreTranslate's."""
