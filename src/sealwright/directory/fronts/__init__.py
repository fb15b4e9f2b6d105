"""Protocol fronts of the directory, one module each."""
