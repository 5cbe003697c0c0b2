"""What would a GraphQL document do: read, change, or report?"""

from dataclasses import dataclass
from functools import lru_cache

from graphql import FieldNode, GraphQLError, OperationDefinitionNode, Visitor, parse, visit

READ = "query"


class UnreadableDocument(ValueError):
    """A text that is no GraphQL document, so that nobody can say what it would do."""


@dataclass(frozen=True)
class Document:
    """What a document asks for.

    Attributes
    ----------
    operations : kinds of all its operations: `query`, `mutation`, `subscription`. Which one a
        server runs another parameter says, so that all of them count.
    fields : names of all fields, those of fragments too.
    """

    operations: frozenset[str]
    fields: frozenset[str]

    @property
    def only_reads(self) -> bool:
        """Whether none of its operations changes anything, or goes on."""
        return self.operations == {READ}


@lru_cache(maxsize=256)  # a page asks the same questions again and again
def read_document(text: str) -> Document:
    """Parse a document.

    Raises
    ------
    UnreadableDocument
        For what is none, or is nested too deeply to be looked at.
    """
    found = _Found()
    try:
        visit(parse(text, no_location=True), found)
    except (GraphQLError, RecursionError) as error:
        raise UnreadableDocument(str(error)) from error
    return Document(frozenset(found.operations), frozenset(found.fields))


class _Found(Visitor):
    """Collects what a document has on the way through it."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: set[str] = set()
        self.fields: set[str] = set()

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: object) -> None:
        self.operations.add(node.operation.value)

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.fields.add(node.name.value)
