"""The ``paperboy`` command. Machine output goes to stdout, talk to stderr; 0 done, 1 failed, 2 usage."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Coroutine
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from adapters import logs
from bot import machine
from bot.commands import Find, parse_day
from bot.errors import PaperboyError, UserError
from bot.model import ChannelRef
from bot.query import parse as parse_query
from bot.views import advice, plain

if TYPE_CHECKING:
    from bot.app import Imported
    from bot.views import View
    from config.settings import Settings

cli = typer.Typer(
    name="paperboy",
    help="New research papers for a channel, ranked by its keywords, with the reason for each.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_NAMED = 10  # broken entries of a file that are told one by one
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def main() -> NoReturn:
    """Run the command; a mistake is one plain line and an exit code, never a traceback."""
    logs.set_up(logging.WARNING)
    try:
        cli()
    except PaperboyError as error:
        _tell(error)
        sys.exit(2 if isinstance(error, UserError) else 1)
    except BrokenPipeError:
        sys.exit(0)  # the reader has seen enough
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _tell(error: PaperboyError) -> None:
    if isinstance(error, UserError) and error.end > error.start:
        typer.echo(f"  {error.source}", err=True)
        typer.echo(f"  {' ' * error.start}{'-' * (error.end - error.start)}", err=True)
    typer.echo(
        " ".join(filter(None, ("paperboy:", error.message, plain(advice(error.hint))))), err=True
    )


def _settings() -> Settings:
    from config.settings import load

    settings, faults = load()
    if settings is None:
        raise UserError("The environment is not right.", hint=" ".join(faults))
    return settings


def utc_today() -> date:
    return datetime.now(UTC).date()


def _run(work: Coroutine[Any, Any, int]) -> NoReturn:
    raise typer.Exit(asyncio.run(work))


def _print_json(document: object) -> None:
    json.dump(document, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
    sys.stdout.flush()


def _show(view: View) -> None:
    from adapters.terminal.render import Screen

    Screen(sys.stdout, interactive=sys.stdout.isatty()).show(view)


@cli.command(epilog="Example: paperboy chat --channel reading-group")
def chat(
    channel: Annotated[
        str | None,
        typer.Option(help="The channel to sit in; a bare name is one of the terminal's."),
    ] = None,
    speak_as: Annotated[
        str | None,
        typer.Option(
            "--as", help="Speak for a channel of a platform: slack:T1:C2. Goes with --user."
        ),
    ] = None,
    user: Annotated[str | None, typer.Option(help="The person to speak as: U1.")] = None,
) -> None:
    """Sit in a channel in the terminal; reads one command a line from a pipe too."""
    if (speak_as is None) != (user is None) or (speak_as and channel):
        raise UserError(
            "--as and --user go together, without --channel.",
            hint="Write paperboy chat --as slack:T1:C2 --user U1",
        )
    _run(_chat(speak_as or channel, user))


async def _chat(name: str | None, user: str | None) -> int:
    logs.set_up(logging.ERROR)  # what a person has to know, the answers tell
    from adapters.terminal.chat import Pipe, Prompt, chat, post
    from adapters.terminal.render import Screen
    from adapters.terminal.session import ChannelSession, caller
    from bot.app import (
        PLATFORMS,
        TERMINAL,
        open_app,
        speaker,
        terminal_publisher,
        welcome,
    )
    from bot.running import serving

    ref = ChannelRef.parse(name or "main")
    if ref.platform not in PLATFORMS:
        raise UserError(
            f"There is no platform “{ref.platform}”.", hint=f"It is one of {', '.join(PLATFORMS)}."
        )
    person = caller(ref)
    if user:
        person = speaker(ref, user, person)
    settings = _settings()
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    async with (
        terminal_publisher(settings) as publisher,
        open_app(
            settings, online=True, publishers=[publisher], unheard=ref.platform != TERMINAL
        ) as app,
    ):
        session = ChannelSession(
            app.answers, person, greeting=lambda: welcome(app, person, named=name is not None)
        )
        screen = Screen(sys.stdout, interactive=sys.stdout.isatty())
        lines: Prompt | Pipe = Pipe(sys.stdin.fileno())
        if interactive:
            history = settings.data_dir / "history"
            lines = Prompt(session.completions, history=history, channel=session.channel)
        publisher.appear(lambda view: post(view, screen=screen, lines=lines))
        async with serving(app, settings, fetching=interactive):
            await chat(session, screen=screen, lines=lines)
    return 0


@cli.command(epilog="Example: PAPERBOY_OUTBOX_DIR=posts paperboy run")
def run() -> None:
    """Everything that is configured: platforms, clock, web port. Ends on SIGTERM or Ctrl-C."""
    _run(_serve())


async def _serve() -> int:
    logs.set_up(logging.INFO, machine=not sys.stderr.isatty())
    from bot.app import open_app
    from bot.running import run_until_told

    settings = _settings()
    if not (settings.outbox_dir or settings.slack.mode or settings.discord.token):
        raise UserError(
            "There is nothing to post to.",
            hint="Set the tokens of Slack or Discord (config/example.env has them all), or "
            "PAPERBOY_OUTBOX_DIR to a folder to have all posts as lines of a file there.",
        )
    async with open_app(settings, online=True, posting=True) as app:
        await run_until_told(app, settings)
    return 0


@cli.command("slack-manifest", epilog="Example: paperboy slack-manifest > manifest.yaml")
def slack_manifest(
    http: Annotated[
        str | None,
        typer.Option(help="For HTTP mode: the public address, such as https://paperboy.example."),
    ] = None,
    many: Annotated[
        bool, typer.Option("--many", help="Many workspaces add the app; goes with --http.")
    ] = False,
) -> None:
    """Print what Slack has to know of the app: paste it at *Create New App, From a manifest*."""
    from adapters.slack.manifest import as_yaml, manifest

    if many and not http:
        raise UserError("--many goes with --http.", hint="Write --http https://paperboy.example.")
    if http and not http.startswith("https://"):
        raise UserError(
            f"“{http[:80]}” is no public address.", hint="Write --http https://paperboy.example."
        )
    typer.echo(as_yaml(manifest(http or "", many=many)), nl=False)


@cli.command("discord-sync", epilog="Example: paperboy discord-sync")
def discord_sync() -> None:
    """Register the commands with Discord, where they have changed."""
    _run(_discord_sync())


async def _discord_sync() -> int:
    from bot.app import utc_now
    from bot.platforms import discord_client

    settings = _settings()
    if settings.discord.token is None:
        raise UserError("There is no token.", hint="Set PAPERBOY_DISCORD__TOKEN.")
    client = discord_client(settings.discord, settings.data_dir, utc_now)
    try:
        changed = await client.sync()
    finally:
        await client.aclose()
    where = f"server {settings.discord.server}" if settings.discord.server else "all servers"
    typer.echo(f"The commands are {'registered' if changed else 'as they were'} for {where}.")
    return 0


@cli.command(
    epilog="Example: paperboy digest --query '\"speculative decoding\"' --at 2026-06-22 --json"
)
def digest(
    channel: Annotated[
        str | None, typer.Option(help="A stored channel: main, or slack:T1:C2.")
    ] = None,
    query: Annotated[
        list[str] | None, typer.Option(help="A subscription to use instead; may be repeated.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(help="A day or time: what that day's slot had to offer.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a channel would get. Nothing is sent, stored or marked."""
    if (channel is None) == (not query):
        raise UserError(
            "A digest is for a stored channel or for queries.",
            hint='Write --channel main, or --query "speculative decoding".',
        )
    _run(_digest(channel, query or [], at, as_json=as_json))


async def _digest(name: str | None, queries: list[str], at: str | None, *, as_json: bool) -> int:
    from bot.app import open_app, planned

    ref = ChannelRef.parse(name) if name else None
    async with open_app(_settings(), readonly=True) as app:
        view = await planned(app, ref, queries, at)
    if as_json:
        _print_json(machine.digest(view))
    else:
        _show(view)
    return 0


@cli.command(epilog="Example: paperboy fetch arxiv --since 2026-09-01")
def fetch(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="arxiv, huggingface, a journal; all where none is named."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Bring in everything since that day; it is no news.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the sources once for what is new, politely."""
    day = parse_day(since, utc_today()) if since else None
    _run(_fetch(sources or [], day, as_json=as_json))


async def _fetch(names: list[str], since: date | None, *, as_json: bool) -> int:
    from adapters.terminal.render import progress
    from bot.app import open_app

    with progress("Fetching") as bar:
        async with open_app(_settings(), online=True) as app:
            done = await app.refresh.fetch(
                names, since, lambda f: bar.update(f.read, None, f"{f.name}: {f.read:,} papers")
            )
    for fetched in done:
        if fetched.error:
            typer.echo(f"{fetched.name}: {fetched.error}", err=True)
        if not as_json:
            typer.echo(
                f"{fetched.name}: {fetched.read:,} papers read, {len(fetched.new):,} new, "
                f"{len(fetched.changed):,} changed"
            )
    if as_json:
        _print_json({"sources": [machine.fetched(f) for f in done]})
    return 1 if any(f.error for f in done) else 0


@cli.command(epilog="Example: paperboy search '\"tool use\" -survey' --limit 5")
def search(
    query: Annotated[str, typer.Argument(help="In the keyword language.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many hits.")] = 10,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Ask arXiv and Hugging Face themselves.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find papers, as the verb search does."""
    _run(_search(query, limit, everywhere=everywhere, as_json=as_json))


async def _search(words: str, limit: int, *, everywhere: bool, as_json: bool) -> int:
    from bot.app import open_app

    wanted = Find(parse_query(words), limit=limit, everywhere=everywhere)
    async with open_app(_settings(), readonly=True, online=everywhere) as app:
        found = await app.papers.look(wanted, utc_today())
        if as_json:
            _print_json(machine.search(found))
        else:
            _show(await app.papers.show_found(found, buttons=False))
    return 0


@cli.command("import", epilog="Example: paperboy import ~/dumps/*.jsonl.gz")
def import_(
    paths: Annotated[
        list[Path], typer.Argument(help="Dumps: arXiv, Hugging Face, JSON Lines; gz too.")
    ],
    ids: Annotated[
        bool, typer.Option("--ids", help="Also list the papers' ids in the JSON.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring papers from files into the library; the kind is told by content, not by name."""
    _run(_import(paths, with_ids=ids, as_json=as_json))


async def _import(paths: list[Path], *, with_ids: bool, as_json: bool) -> int:
    from adapters.terminal.render import progress
    from bot.app import import_file, open_app

    done: list[Imported] = []
    async with open_app(_settings()) as app:
        for path in paths:
            with progress(f"Importing {path.name}") as bar:
                imported = await import_file(
                    app, path, lambda d: bar.update(d.consumed, d.size, f"{d.read:,} papers")
                )
            done.append(imported)
            _tell_import(imported, quiet=as_json)
    if as_json:
        _print_json({"sources": [i.as_json(with_ids=with_ids) for i in done]})
    return 1 if any(i.dump.error for i in done) else 0


def _tell_import(imported: Imported, *, quiet: bool) -> None:
    dump = imported.dump
    for skipped in dump.skipped[:_NAMED]:
        typer.echo(f"{dump.path.name}: left out {skipped.what}: {skipped.why}", err=True)
    if dump.skipped_count > _NAMED:
        typer.echo(f"{dump.path.name}: {dump.skipped_count - _NAMED:,} more left out", err=True)
    if dump.error:
        typer.echo(dump.error, err=True)
    if not quiet:
        typer.echo(
            f"{dump.path.name}: {dump.read:,} papers read, {len(imported.new):,} new, "
            f"{len(imported.changed - imported.new):,} changed"
        )


@cli.command(epilog="Example: paperboy check")
def check() -> None:
    """Say of each part whether it is well, or what to do."""
    _run(_check())


async def _check() -> int:
    from bot.check import examine

    faults = 0
    for line in await examine(_settings()):
        faults += not line.well
        typer.echo(f"{'ok' if line.well else 'NO'}  {line.what}: {line.said}")
    return 1 if faults else 0


@cli.command(epilog="Example: paperboy export > settings.json")
def export() -> None:
    """Print the settings of all channels as one JSON document."""
    _run(_export())


async def _export() -> int:
    from bot.app import open_app

    async with open_app(_settings(), readonly=True) as app:
        _print_json(await app.channels.export_all())
    return 0


@cli.command(epilog="Example: paperboy restore settings.json")
def restore(
    path: Annotated[Path, typer.Argument(help="What export printed; - reads standard input.")],
) -> None:
    """Bring back settings that export printed; channels of the same name are replaced."""
    _run(_restore(path))


async def _restore(path: Path) -> int:
    from bot.app import open_app

    document = _read_document(path)
    async with open_app(_settings()) as app:
        count = await app.channels.restore(document, "restore")
    typer.echo(f"{count} channel{'s' if count != 1 else ''} restored", err=True)
    return 0


def _read_document(path: Path) -> object:
    hint = "Write: paperboy restore settings.json, with a file that export wrote."
    try:
        words = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8")
        return json.loads(words)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no JSON document.", hint=hint) from error
