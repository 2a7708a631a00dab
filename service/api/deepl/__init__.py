"""The dialect of DeepL's clients."""
