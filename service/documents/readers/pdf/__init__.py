"""`.pdf`: its text as a web page; where it stood on the paper is not kept."""
