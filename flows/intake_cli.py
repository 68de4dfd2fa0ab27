"""The commands of the intake: who may push events."""

from contextlib import closing
from typing import Annotated

import typer

from api.tokens import TokenRegistry
from dlt_pipelines.config import read_settings

tokens = typer.Typer(no_args_is_help=True, help="Say who may push events, by tokens.")
Customer = Annotated[
    str | None, typer.Option("--customer", help="The customer's slug. Default: MINDWEAVE_CUSTOMER.")
]


@tokens.command()
def create(
    customer: Customer = None,
    label: Annotated[str, typer.Option("--label", help="Who will use it.")] = "",
) -> None:
    """Print a new token, once; it writes into one customer's log."""
    settings = read_settings(customer)
    with closing(_registry()) as registry:
        token = registry.create(settings.customer, label)
    typer.echo(token)
    typer.echo(
        f"This token of customer {settings.customer} is shown only now: keep it as a secret.",
        err=True,
    )


@tokens.command("list")
def list_tokens(
    customer: Annotated[
        str | None, typer.Option("--customer", help="Only this customer's.")
    ] = None,
) -> None:
    """List the tokens, never what they are."""
    with closing(_registry()) as registry:
        for token in registry.list(customer):
            line = f"{token.token_id} {token.customer} created {token.created_at:%Y-%m-%d %H:%M}"
            if token.revoked_at:
                line += f" revoked {token.revoked_at:%Y-%m-%d %H:%M}"
            typer.echo(f"{line} {token.label}".rstrip())


@tokens.command()
def revoke(token_id: Annotated[str, typer.Argument(metavar="ID")]) -> None:
    """Refuse a token from now on."""
    with closing(_registry()) as registry:
        registry.revoke(token_id)
    typer.echo(f"{token_id} is revoked")


def _registry() -> TokenRegistry:
    return TokenRegistry(read_settings().home / "tokens.sqlite")
