"""Attention maps as pictures, pages and arrays; knows no model and no server."""
