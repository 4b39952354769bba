"""The page of a real run in headless Chromium: it opens, sorts, filters, links, says no error, and can be read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from support.command import contracts

DATA = Path(__file__).parents[1] / "data"
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a quant with a spoilt matrix, held against its source, opened in a browser."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if BROWSER is None:
        pytest.skip("no Chromium is installed")
    folder = tmp_path_factory.mktemp("page")
    spoilt = folder / "spoilt-Q4_K_M.gguf"
    spoilt.write_bytes(_spoilt(DATA / "tiny-qwen2-Q4_K_M.gguf"))
    done = contracts("check", spoilt, "--against", DATA / "tiny-qwen2", "-o", folder / "evidence", "--format", "html")
    assert done.code == 1, done.stderr
    (folder / "page.html").write_text(done.stdout, encoding="utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=BROWSER, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.said = []
        opened.on("console", lambda message: opened.said.append(message.text))
        opened.on("pageerror", lambda error: opened.said.append(str(error)))
        opened.on("request", lambda request: request.url.startswith("file:") or opened.said.append(request.url))
        opened.goto((folder / "page.html").as_uri())
        opened.wait_for_selector("section#run")
        yield opened
        browser.close()


def _spoilt(model: Path) -> bytes:
    from gguf import GGUFReader

    data = bytearray(model.read_bytes())
    tensor = next(one for one in GGUFReader(model).tensors if one.name == "blk.1.attn_q.weight")
    start, half = tensor.data_offset, tensor.n_bytes // 2
    data[start : start + half] = data[start + half : start + 2 * half]
    return bytes(data)


def test_the_verdict_and_its_cause_stand_first(page):
    assert page.locator("h1").inner_text() == "FALSIFIED"
    assert "blk.1.attn_q.weight" in page.locator(".causes").inner_text()


def test_the_worst_tensor_leads_the_table_and_a_click_sorts_it(page):
    first = page.locator("#tensors tbody th").first
    assert first.inner_text().startswith("blk.1.attn_q.weight")
    page.get_by_role("button", name="tensor", exact=True).click()
    assert first.inner_text().startswith("blk.0.attn_k.bias")
    assert page.locator('#tensors th[aria-sort="ascending"]').inner_text() == "tensor"
    page.get_by_role("button", name="of budget").click()
    assert first.inner_text().startswith("blk.1.attn_q.weight")


def test_a_filter_and_a_choice_narrow_the_table(page):
    page.get_by_role("searchbox").fill("ffn_down")
    assert page.locator("#tensors tbody tr").count() == 4
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox").select_option("over")
    assert page.locator("#tensors tbody tr").count() == 1
    page.get_by_role("combobox").select_option("all")


def test_a_tensor_links_to_the_gate_that_it_broke(page):
    page.locator("#tensors tbody th a", has_text="F-CONTRACT-I4-002").first.click()
    assert page.locator("#gate-F-CONTRACT-I4-002-more").is_visible()


def test_gates_open_by_the_keyboard(page):
    gate = page.get_by_role("button", name="G0-CONTAINER-001")
    gate.focus()
    page.keyboard.press("Enter")
    assert gate.get_attribute("aria-expanded") == "true"
    assert "magic" in page.locator("#gate-G0-CONTAINER-001-more").inner_text()


def test_every_layer_and_role_is_a_cell_and_the_spoilt_one_has_a_border(page):
    drawing = page.locator("#layers svg[role=img]").last
    assert "48 cells, 1 above the budget; the largest at blk.1.attn_q.weight" in drawing.get_attribute("aria-label")
    assert drawing.locator("rect").count() == 49


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_keeps_a_person_from_reading_it(page, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    page.emulate_media(color_scheme=scheme)
    found = axe.run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("width", [420, 800, 1280])
def test_no_width_makes_the_page_scroll_sideways(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/page-{width}.png", full_page=True)


def test_the_browser_said_nothing_and_asked_for_nothing(page):
    assert page.said == []
