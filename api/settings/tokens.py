"""Settings of the tokens (JWT) of an issuer that callers may send in place of a key."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class TokenSettings(BaseModel):
    """An issuer, its keys, and the claims that say what a token permits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(min_length=1, description="Issuer (`iss`).")
    audience: str = Field(min_length=1, description="Audience (`aud`), which names this service.")
    keys_file: Path = Field(description="File with the public keys of the issuer, a JSON Web Key Set.")
    tenant_claim: str = Field(default="tenant", description="Claim that names the tenant. A token needs it.")
    role_claim: str = Field(default="role", description="Claim with the role; a token without it may read.")
    banks_claim: str = Field(default="banks", description="Claim with patterns of banks, a list or words.")
    leeway_s: float = Field(default=60.0, ge=0, le=600, description="Seconds by which clocks may differ.")
