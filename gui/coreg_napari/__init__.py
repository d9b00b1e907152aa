"""The napari plugin of coreg: align, review, correct and sign off a registration."""
