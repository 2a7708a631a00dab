"""`.pdf`: a web page of its text, links and images by page; their place on it is not kept."""
