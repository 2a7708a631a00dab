"""Background translation of files: accepted, kept on the disk, resumed, removed."""
