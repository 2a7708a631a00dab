"""The contract between training and serving: manifest, tensor names, tokenizer, checked loading."""
