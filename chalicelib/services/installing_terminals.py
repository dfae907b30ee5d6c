"""Terminals that read physical cards: installed at an institution by an authority, and disabled."""

from dataclasses import replace
from datetime import datetime

from chalicelib.domain.access import Actor
from chalicelib.domain.attempt import Attempt
from chalicelib.domain.errors import TerminalNotFound
from chalicelib.domain.outcomes import Done, Mark, Page
from chalicelib.domain.terminal import Terminal
from chalicelib.services.once import once
from chalicelib.services.ports import Catalogue, Chance, Marks
from chalicelib.services.staffing import must_be_responsible, must_look_at


def install_terminal(
    catalogue: Catalogue,
    marks: Marks,
    chance: Chance,
    institution_id: str,
    name: str,
    public_key: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Terminal]:
    """Trust the terminal's key for card reads at this institution. Raises InstitutionNotFound, OutOfScope."""

    def act() -> Terminal:
        must_be_responsible(catalogue, institution_id, actor)
        terminal = Terminal(
            terminal_id=chance.short_id(),
            institution_id=institution_id,
            name=name,
            public_key=public_key,
            made_at=now,
            made_by=actor.operator_id,
        )
        catalogue.terminals.add(terminal, Mark(attempt, terminal, now))
        return terminal

    return once(marks, attempt, Terminal, now, act)


def disable_terminal(
    catalogue: Catalogue,
    marks: Marks,
    institution_id: str,
    terminal_id: str,
    *,
    actor: Actor,
    attempt: Attempt,
    now: datetime,
) -> Done[Terminal]:
    """Takes effect everywhere within 60 s. Raises InstitutionNotFound, OutOfScope, TerminalNotFound."""

    def act() -> Terminal:
        must_be_responsible(catalogue, institution_id, actor)
        before = catalogue.terminals.read(terminal_id)
        if before is None or before.institution_id != institution_id:
            raise TerminalNotFound()
        after = replace(before, disabled_at=before.disabled_at or now, version=before.version + 1)
        catalogue.terminals.change(after, Mark(attempt, after, now))
        return after

    return once(marks, attempt, Terminal, now, act)


def list_terminals(
    catalogue: Catalogue, institution_id: str, limit: int, cursor: str | None, *, actor: Actor
) -> Page[Terminal]:
    """Raises InstitutionNotFound, OutOfScope."""
    must_look_at(catalogue, institution_id, actor)
    return catalogue.terminals.page(institution_id, limit, cursor)
