"""INSTALLATION: a published model is found, downloaded, imported and put in its place.

Sources know their index and nothing of HTTP; transfers know HTTP and nothing of models.
"""
