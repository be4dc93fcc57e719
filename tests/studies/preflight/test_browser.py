"""The page in a real browser: filters and bars work, evil text stays text, nothing is wider than a phone's screen."""

import html
import json
import re
import shutil
import subprocess

import pytest

from tests.studies.preflight.test_page import EVIL, finding, page_of, rows_of

CHROMIUM = shutil.which("chromium")
PROBE = """
<script>
  const told = {};
  const figure = document.querySelector(".bars"), buttons = [...figure.querySelectorAll("button")];
  const count = (button) => Number(button.querySelector(".count").textContent.replaceAll(",", ""));
  const total = () => buttons.reduce((sum, each) => sum + count(each), 0);
  told.all = total();
  told.hidden = figure.scrollHeight - figure.clientHeight;
  const select = document.querySelector(".filters select");
  select.selectedIndex = 2;
  select.dispatchEvent(new Event("change", {bubbles: true}));
  told.filtered = total();
  const fullest = buttons.reduce((one, other) => (count(one) >= count(other) ? one : other));
  fullest.click();
  told.pairs = figure.querySelectorAll(".behind .pair").length;
  told.text = figure.querySelector(".behind .chosen").textContent;
  fullest.click();
  told.closed = figure.querySelectorAll(".behind .pair").length;
  told.images = document.querySelectorAll("img").length;
  told.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.documentElement.setAttribute("data-told", JSON.stringify(told));
</script>
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, as Debian has it")
@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_works_in_a_browser(tmp_path, width):
    rows = rows_of(400, sources=("one", EVIL), text=EVIL).assign(gap=lambda these: 1000 * these["gap"])  # long labels
    page = page_of(rows, [finding(column="gap", pairs=range(5), beside="match", level="bad")], EVIL)
    (tmp_path / "page.html").write_text(page.replace("</body>", PROBE + "</body>"))
    flags = [
        "--no-sandbox",
        "--headless",
        "--disable-gpu",
        f"--window-size={width},2000",
        f"--user-data-dir={tmp_path}/c",
    ]
    done = subprocess.run(
        [CHROMIUM, *flags, "--dump-dom", f"file://{tmp_path}/page.html"], capture_output=True, text=True, timeout=300
    )
    (told,) = re.findall(r'data-told="(.*?)"', done.stdout)
    found = json.loads(html.unescape(told))
    rare = rows["source"].value_counts()
    assert found["all"] == 400
    assert found["filtered"] == rare.iloc[1]
    assert 0 < found["pairs"] <= 10
    assert found["text"] == f"chosen{EVIL}"
    assert found["closed"] == found["images"] == 0
    assert found["wide"] <= 0
    assert found["hidden"] <= 0 or width == 400  # where a figure scrolls sideways
