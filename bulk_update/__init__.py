"""Change Velt activity logs in bulk."""

__version__ = "0.1.0"
