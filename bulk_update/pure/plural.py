"""One thing, or several: what is said to people has its nouns right."""


def counted(number: int, one: str, several: str = "") -> str:
    """Write a number with what it counts: `1 row`, `2,000 rows`. `several`: [`one` with an s]."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"
