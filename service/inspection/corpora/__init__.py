"""Files of many inspected texts: NumPy, Pharaoh alignments, contributions for inseq."""
