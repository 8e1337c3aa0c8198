"""The guide: short pages on what people want to do, found by a word, in the terminal or as one page for the browser."""
