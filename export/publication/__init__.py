"""The folder of a bundle: staged with its graphs, described by its card, and published."""
