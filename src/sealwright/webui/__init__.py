"""Templates, styles, forms and the guards of pages: shared by the console and, later, mail in the browser."""
