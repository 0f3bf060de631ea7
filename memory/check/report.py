"""Report of a check."""

from pydantic import BaseModel, ConfigDict, Field


class CheckedPart(BaseModel):
    """Result of one of the checks."""

    name: str
    checked: int = Field(default=0, description="How many rows, pages or messages were looked at.")
    problems: int = Field(default=0, description="How many of them are wrong.")
    repaired: int = Field(default=0, description="How many of these were set right.")
    examples: list[str] = Field(default_factory=list, description="The first problems in words.")
    note: str | None = Field(default=None, description="Why it was left out, if it was.")


class CheckReport(BaseModel):
    """Results of all checks."""

    model_config = ConfigDict(frozen=True)

    database: str = Field(description="URL without the password.")
    revision: str = Field(description="Revision of the schema.")
    banks: int
    pages: int
    messages: int
    pages_decoded: int = Field(description="Pages whose vision tokens were decoded.")
    parts: list[CheckedPart]

    @property
    def problems(self) -> int:
        """Number of problems."""
        return sum(part.problems for part in self.parts)

    @property
    def repaired(self) -> int:
        """Number of problems that were repaired."""
        return sum(part.repaired for part in self.parts)

    @property
    def sound(self) -> bool:
        """True if no problem is left."""
        return self.problems == self.repaired
