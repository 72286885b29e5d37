"""The report as one page that can be sent: it loads nothing from anywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mindzoo.utils.pages.frame import document, escaped

STYLE = """
section { margin: 24px 0; padding: 20px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
h2 { margin: 0 0 12px; font-size: 17px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 12px 6px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
td.seconds { text-align: right; }
td.said { overflow-wrap: anywhere; min-width: 180px; }
@media (min-width: 700px) { td.step { white-space: nowrap; } }
.passed { color: #16803c; } .failed { color: #d1242f; font-weight: 600; } .left { color: var(--dim); }
@media (prefers-color-scheme: dark) { .passed { color: #4ac26b; } .failed { color: #ff7b72; } }
"""


def text(content: Mapping[str, Any]) -> str:
    """The page of a report, see `protocol.report`."""
    counts = ", ".join(f"{count} {result}" for result, count in content["counts"].items())
    described = (
        f"mindzoo {content['mindzoo']}, commit {content['commit'] or 'not known'}, on {content['device']}"
        f"{' with small networks' if content['small'] else ''}; {content['started']}, {content['seconds']:.0f} s: {counts}"
    )
    main = f"""<section><h2>Steps</h2><div class="box" tabindex="0" role="group" aria-label="Steps"><table>
<tr><th>Step</th><th>Result</th><th>What was found</th><th>Seconds</th></tr>
{"".join(map(_row, content["steps"]))}</table></div></section>
<section><h2>Versions</h2><div class="box" tabindex="0" role="group" aria-label="Versions"><table>
{"".join(_version(name, value) for name, value in content["versions"].items())}</table></div></section>
"""
    return document("mindzoo selftest", described, main, style=STYLE)


def _row(step: Mapping[str, Any]) -> str:
    result = step["result"]
    return (
        f'<tr><td class="step">{escaped(step["name"])}</td><td class="{result.split()[0]}">{result}</td>'
        f'<td class="said">{escaped(step["said"])}</td><td class="seconds">{step["seconds"]:.1f}</td></tr>\n'
    )


def _version(name: str, value: object) -> str:
    return f"<tr><th>{escaped(name)}</th><td>{escaped(str(value)) or '-'}</td></tr>\n"
