"""The report: figures, tables and one HTML page, made from stored results alone."""
