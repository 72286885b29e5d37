"""The script of the page of predictions, in a browser: it filters, sorts, and shows heat maps."""

from __future__ import annotations

import json
import re
import subprocess
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from mindzoo.tests.support import browser
from mindzoo.utils.answers import page
from mindzoo.utils.answers.answer import Answer
from mindzoo.utils.answers.page import About

BROWSER = browser.chromium()
ANSWERS = [
    Answer("10.png", (("red", 0.6), ("<b>", 0.4)), True, "map"),
    Answer("9.png", fault="is damaged"),
    Answer("2.png", (("<b>", 0.9), ("red", 0.1)), False, "map"),
    Answer("1.png", (("red", 0.8), ("<b>", 0.2)), False),
]
# Does what a person does, and leaves what there is to see then as the page.
PERSON = """<script>
const seen = {};
const names = () => [...document.querySelectorAll(".tile")].filter((one) => !one.hidden).map((one) => one.querySelector("h2").textContent);
const pressed = () => document.querySelectorAll('[aria-pressed="true"]').length;
const choose = (id, value) => {
  document.getElementById(id).value = value;
  document.getElementById(id).dispatchEvent(new Event("change"));
};
for (const order of ["most", "least", "name", "class", "given"]) { choose("order", order); seen[order] = names(); }
for (const option of document.getElementById("class").options) { choose("class", option.value); seen[option.text] = names(); }
choose("class", "unsure");
seen.count = document.getElementById("count").textContent;
choose("class", "");
document.getElementById("heat").click();
seen.pressed = [pressed()];
document.querySelector("button.frame").click();
seen.pressed.push(pressed());
document.body.textContent = "SEEN" + JSON.stringify(seen) + "END";
</script></body>"""


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_a_person_filters_sorts_and_looks_at_heat_maps(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 8))
    page.write(tmp_path / "page.html", ANSWERS, About("Net", "bright"), lambda _: picture, lambda _: picture)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    (tmp_path / "person.html").write_text(text.replace("</body>", PERSON), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    words = [str(BROWSER), *flags, (tmp_path / "person.html").as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    found = re.search("SEEN(.*)END", done.stdout)
    assert found, done.stderr
    assert json.loads(unescape(found[1])) == {
        "most": ["2.png", "1.png", "10.png", "9.png"],
        "least": ["10.png", "1.png", "2.png", "9.png"],
        "name": ["1.png", "2.png", "9.png", "10.png"],
        "class": ["2.png", "1.png", "10.png", "9.png"],
        "given": ["10.png", "9.png", "2.png", "1.png"],
        "all (4)": ["10.png", "9.png", "2.png", "1.png"],
        "unsure (1)": ["10.png"],
        "red (2)": ["10.png", "1.png"],
        "could not be read (1)": ["9.png"],
        "<b> (1)": ["2.png"],
        "count": "1 of 4 images",
        "pressed": [2, 1],
    }
