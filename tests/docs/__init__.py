"""The documents: their commands run, their tables and links hold, their samples parse."""
