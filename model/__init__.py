"""The network and its training: the only torch in the project beside the export."""
