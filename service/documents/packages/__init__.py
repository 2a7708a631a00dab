"""ZIP archives of XML: what office documents and e-books are. Knows no format."""
