"""Files: the only package that opens them. One module per kind of file."""
