"""Names and paths inside SQL, where values cannot be bound."""


def identifier(name: str) -> str:
    """Quote the name of a column or table."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """Quote a text, such as a path."""
    return "'" + str(text).replace("'", "''") + "'"
