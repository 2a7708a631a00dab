"""Connections of clients: accepted, limited in number and time, read and answered."""
