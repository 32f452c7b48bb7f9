"""The report: what it says, and what a browser makes of it."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from drd_plugin.artifacts import ArtifactError
from drd_plugin.bands import likelihood_bands
from drd_plugin.bench.experiment import find_experiment
from drd_plugin.bench.lab import Lab
from drd_plugin.bench.report import report
from drd_plugin.bench.results import run_experiment
from drd_plugin.cli import main
from drd_plugin.engine import score

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRD = "DRD[draws=2,B=2,noises=2,search=staged,solver=dpmsolver++,solver_steps=2,distance=mse]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small experiment with everything in it."""
    folder = tmp_path_factory.mktemp("report")
    wanted = find_experiment("main", "digits")
    recipe = replace(wanted.grid.recipe, net="lenet", steps=4)
    grid = replace(
        wanted.grid, methods=("Random", "Forgetting", f"{DRD}+Window"), fractions=(0.1, 0.3), seeds=(0, 1),
        recipe=recipe, proxy=recipe.for_epochs(2),
    )  # fmt: skip
    run_experiment(replace(wanted, grid=grid), Lab(folder / "out", device="cpu", workers=1, progress=False))
    return folder / "out"


@pytest.fixture(scope="module")
def page(folder):
    main(["report", str(folder), "--device", "cpu"])
    return folder / "report.html"


def test_the_report_has_all_parts(page):
    text = page.read_text()
    for part in (
        "<h1>main on digits</h1>", "Figure 4 of the DRD paper", "drd-plugin bench main --size digits",
        "Difference from Random in points", "<h2>Timesteps</h2>", "<h2>What DRD sees</h2>", "<h2>Reliability</h2>",
        "Where it ran", "How networks were trained", "What was compared",
    ):  # fmt: skip
        assert part in text
    assert text.count("data:image/png;base64,") == 6
    assert not re.search(r"""(src|href|srcset)=["']https?:""", text)


def test_a_report_says_what_is_not_at_hand(folder, tmp_path):
    bare = shutil.copytree(folder, tmp_path / "results" / "bare", ignore=shutil.ignore_patterns("scores", "subsets"))
    text = report(bare)
    assert "What DRD sees" not in text
    assert "Difference from Random" in text
    with pytest.raises(ArtifactError, match="holds no runs"):
        report(tmp_path)
    identity = json.loads((folder / "grid.json").read_text())
    (bare / "grid.json").write_text(json.dumps({**identity, "dataset": {"name": "digits", "examples": 100}}))
    assert "The images are not at hand" in report(bare, scores=folder / "scores")


def test_markup_in_a_name_is_text(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "results" / "copy", ignore=shutil.ignore_patterns("scores", "subsets"))
    about = json.loads((copy / "about.json").read_text())
    (copy / "about.json").write_text(json.dumps({**about, "about": "<script>alert(1)</script>"}))
    assert "<script>alert" not in report(copy)


def test_bands_go_from_the_most_likely_to_the_least(digits, folder):
    scores = score(digits.train, DRD, out=next((folder / "scores").glob("DRD-*")), device="cpu", progress=False)
    bands = likelihood_bands(digits.train, scores, per_band=2, device="cpu")
    assert bands.images.shape == bands.reconstructions.shape == (10, 6, 1, 8, 8)
    assert bands.names == ("most likely", "", "in the middle", "", "least likely", "")
    for c, positions in enumerate(bands.positions):
        assert set(digits.train.labels[positions]) == {c}
        assert (np.diff(scores.values[positions]) >= 0).all()
        own = scores.values[digits.train.labels == c]
        assert scores.values[positions[0]] == own.min()
        assert scores.values[positions[-1]] == own.max()
    apart = (bands.images - bands.reconstructions).square().flatten(2).mean(2)
    assert apart[:, 4:].mean() > apart[:, :2].mean()
    with pytest.raises(ArtifactError, match="expected DRD scores"):
        likelihood_bands(digits.train, score(digits.train, "Uniform", progress=False))
    with pytest.raises(ArtifactError, match="made for"):
        likelihood_bands(digits.test, scores)
    with pytest.raises(ValueError, match="fewer than the 1000 of a band"):
        likelihood_bands(digits.train, scores, per_band=1000)


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser, page, **options):
    """The page in a new tab, with what went wrong and what was asked of a network."""
    tab = browser.new_context(**options).new_page()
    wrong, asked = [], []
    tab.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    return tab, wrong, asked


def test_a_browser_shows_the_report_and_its_pictures(browser, page):
    tab, wrong, asked = opened(browser, page)
    assert tab.title() == "main on digits"
    assert tab.locator("h2").all_inner_texts()[:3] == ["Results", "Timesteps", "What DRD sees"]
    images = tab.locator("img")
    assert images.count() == 3
    assert all(images.evaluate_all("all => all.map(of => of.complete && of.naturalWidth > 100 && of.alt.length > 20)"))
    assert not wrong
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_a_click_on_a_heading_sorts(browser, page):
    tab, wrong, _ = opened(browser, page)
    table = tab.locator("table").first
    column = table.locator("thead th").nth(1)

    def numbers():
        cells = table.locator("tbody tr td:nth-child(2)").all_inner_texts()
        return [float(text.split("±")[0]) for text in cells if text]

    before = numbers()
    column.locator("button").click()
    assert numbers() == sorted(before)
    assert column.get_attribute("aria-sort") == "ascending"
    column.locator("button").press("Enter")
    assert numbers() == sorted(before, reverse=True)
    assert column.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr").last.inner_text().startswith("Full")  # has nothing in that column
    table.locator("thead th").first.locator("button").click()
    names = table.locator("tbody tr td:first-child").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    assert not wrong


def test_a_phone_does_not_scroll_sideways(browser, page):
    tab, _, _ = opened(browser, page, viewport={"width": 390, "height": 844})
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.locator("table").first.is_visible()


def test_a_dark_page_is_dark_with_its_own_pictures(browser, page):
    shown = {}
    for scheme in ("light", "dark"):
        tab, _, _ = opened(browser, page, color_scheme=scheme)
        shown[scheme] = (
            tab.evaluate("getComputedStyle(document.body).backgroundColor"),
            tab.locator("img").first.evaluate("of => of.currentSrc"),
        )
    assert shown["light"][0] == "rgb(255, 255, 255)"
    assert shown["dark"][0] != shown["light"][0]
    assert shown["dark"][1] != shown["light"][1]
