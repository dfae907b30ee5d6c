"""How the demo is told: acts with request, answer, and counters before and after, each figure compared."""

import json
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.api_client import Answer


class Difference(Exception):
    """A figure was not what it must be."""


@dataclass
class Story:
    """Tells acts: request, answer, counters before and after; compares, and stops at the first difference."""

    console: Console
    compared: int = 0
    _act: int = 0

    def act(self, zh: str, en: str) -> None:
        self._act += 1
        self.console.print()
        self.console.print(f"[bold]{self._act}. {zh}[/bold]\n   {en}")

    def say(self, text: str) -> None:
        self.console.print(text)

    def request(self, who: str, method: str, target: str, body: dict[str, Any] | None = None) -> None:
        shown = {name: _short(value) for name, value in (body or {}).items()}
        self.console.print(f"  → {who}  [bold]{method} {target}[/bold]")
        if shown:
            self.console.print("    " + json.dumps(shown, ensure_ascii=False), markup=False, style="dim")

    def answer(self, answer: Answer, *names: str) -> None:
        body = answer.body if isinstance(answer.body, dict) else {}
        shown = {name: body[name] for name in names if name in body}
        hit = "  (Idempotency-Hit)" if answer.hit else ""
        style = "green" if answer.status < 400 else "yellow"
        self.console.print(f"  ← [{style}]{answer.status}[/{style}]  {answer.milliseconds:.0f} ms{hit}")
        self.console.print("    " + json.dumps(shown, ensure_ascii=False), markup=False, style="dim")

    def must_be(self, what: str, found: object, wanted: object) -> None:
        self.compared += 1
        if found != wanted:
            raise Difference(f"{what} is {found!r} and must be {wanted!r}")

    def moved(self, before: dict[str, int], after: dict[str, int], **differences: int) -> None:
        """Show counters before and after, and compare each: what is not named must not have moved."""
        table = Table(show_header=True, header_style="dim", box=None, padding=(0, 2))
        for heading in ("counter", "before", "after", ""):
            table.add_column(heading, justify="left" if heading == "counter" else "right")
        for name in before:
            change = after[name] - before[name]
            if change or name in ("quantity", "remaining"):
                table.add_row(name, f"{before[name]:,}", f"{after[name]:,}", f"{change:+,}" if change else "=")
        self.console.print(table)
        for name in before:
            self.must_be(f"{name} after", after[name], before[name] + differences.get(name, 0))


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    return value[:24] + f"… ({len(value)} characters)" if isinstance(value, str) and len(value) > 60 else value
