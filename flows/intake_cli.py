"""The commands of the intake: take events, say who may push them, look after refused ones."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer

from api.tokens import TokenRegistry
from dlt_pipelines import exact_json
from dlt_pipelines.config import Settings, read_settings
from dlt_pipelines.errors import MindweaveError, UsageError
from dlt_pipelines.event_store import DeadLetter, EventStore
from dlt_pipelines.event_store.opening import has_store, open_store

tokens = typer.Typer(no_args_is_help=True, help="Say who may push events, by tokens.")
dead_letters = typer.Typer(
    no_args_is_help=True, help="List, inspect, send again or discard events that were refused."
)
Customer = Annotated[
    str | None, typer.Option("--customer", help="The customer's slug. Default: MINDWEAVE_CUSTOMER.")
]
LetterIds = Annotated[
    list[str], typer.Argument(metavar="ID...", help="As `mindweave dead-letters list` prints them.")
]


def serve(
    host: Annotated[
        str, typer.Option("--host", help="The address to listen on; 0.0.0.0 is all of them.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535)] = 8765,
    rate: Annotated[
        int, typer.Option("--rate", min=1, help="Requests a second that one token may send.")
    ] = 1000,
) -> None:
    """Take events and telemetry by HTTP, for every customer with a token, until stopped."""
    from api.server import serve

    serve(
        read_settings(),
        host,
        port,
        rate,
        lambda address: typer.echo(f"Taking events at {address}; Ctrl-C stops it.", err=True),
    )


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


@dead_letters.command("list")
def list_letters(customer: Customer = None) -> None:
    """List the events that were refused, the oldest first."""
    with _store(read_settings(customer)) as store:
        for letter in store.dead_letters():
            typer.echo(f"{letter.letter_id} {letter.received_at:%Y-%m-%d %H:%M:%S} {letter.reason}")


@dead_letters.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID")], customer: Customer = None
) -> None:
    """Print an event as its sender wrote it, content included."""
    with _store(read_settings(customer)) as store:
        [letter] = _chosen(store, [letter_id])
    typer.echo(f"refused at {letter.received_at:%Y-%m-%d %H:%M:%S}: {letter.reason}", err=True)
    typer.echo(exact_json.dump(letter.event))


@dead_letters.command()
def resend(
    letter_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Without one, all of them.")
    ] = None,
    customer: Customer = None,
) -> None:
    """Judge refused events again, and take those that fit by now."""
    from dlt_pipelines.dead_letters import send_again

    settings = read_settings(customer)
    with _store(settings) as store:
        chosen = _chosen(store, letter_ids) if letter_ids else list(store.dead_letters())
        taken = send_again(settings, store, chosen) if chosen else 0
    typer.echo(f"{taken} taken, {len(chosen) - taken} still refused")
    if taken < len(chosen):
        raise typer.Exit(1)


@dead_letters.command()
def discard(letter_ids: LetterIds, customer: Customer = None) -> None:
    """Forget refused events for ever."""
    with _store(read_settings(customer)) as store:
        chosen = _chosen(store, letter_ids)
        store.discard_letters([letter.letter_id for letter in chosen])
    typer.echo(f"{len(chosen)} discarded")


@contextmanager
def _store(settings: Settings) -> Iterator[EventStore]:
    if not has_store(settings):
        raise MindweaveError(f"nothing was ever pushed for customer {settings.customer}")
    with closing(open_store(settings)) as store:
        yield store


def _chosen(store: EventStore, letter_ids: list[str]) -> list[DeadLetter]:
    letters = {found.letter_id: found for found in store.dead_letters()}
    for letter_id in letter_ids:
        if letter_id not in letters:
            raise UsageError(
                f"no dead letter {letter_id!r}: `mindweave dead-letters list` prints their ids"
            )
    return [letters[letter_id] for letter_id in dict.fromkeys(letter_ids)]
