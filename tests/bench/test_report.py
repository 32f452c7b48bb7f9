"""The report: what it says, and what a browser makes of it."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from playwright.sync_api import sync_playwright

from drd_plugin.artifacts import ArtifactError
from drd_plugin.bench import Grid, RunStore, dataset_of, find_experiment, report_page, run_experiment
from drd_plugin.bench.report.bands import likelihood_bands
from drd_plugin.bench.report.drd import what_drd_sees
from drd_plugin.bench.studies.cross_evaluation import CrossEvaluation
from drd_plugin.bench.studies.stability import Stability
from drd_plugin.cli import main
from drd_plugin.scoring import score
from drd_plugin.training import Recipe

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRD = "DRD[draws=2,B=2,noises=2,search=staged,solver=dpmsolver++,solver_steps=2,distance=mse]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small experiment with everything in it."""
    folder = tmp_path_factory.mktemp("report")
    experiment = find_experiment("main", "digits")
    recipe = replace(experiment.grid.recipe, net="lenet", steps=4)
    grid = replace(
        experiment.grid, methods=("Random", "Forgetting", f"{DRD}+Window"), fractions=(0.1, 0.3), seeds=(0, 1),
        recipe=recipe, proxy=recipe.for_epochs(2),
    )  # fmt: skip
    run_experiment(replace(experiment, grid=grid), out=folder / "out", device="cpu", workers=1, progress=False)
    return folder / "out"


@pytest.fixture
def unpainted(monkeypatch):
    """Pages are put together without the seconds that it takes to paint their pictures."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)


@pytest.fixture(scope="module")
def page(folder):
    main(["report", str(folder), "--device", "cpu"])
    return folder / "report.html"


def test_the_report_has_all_parts(page):
    text = page.read_text()
    for part in (
        "<h1>main on digits</h1>", "Figure 4 of the DRD paper", "drd-plugin bench main --size digits",
        "<dt>Seeds</dt><dd>0, 1</dd>", "<dd>digits (digits:a2bec4f78cc38cdc)</dd>", "Difference from Random in points",
        ">Accuracy and cost</h2>", ">Timesteps</h2>", ">What DRD sees</h2>", ">Reliability</h2>", ">Provenance</h2>",
        "<summary>Where it ran</summary>", "<summary>How networks and proxies were trained</summary>",
        "<summary>What was compared</summary>", "Forgetting(proxies=1, variant=toneva) + Hardest()",
    ):  # fmt: skip
        assert part in text
    assert text.count("Forgetting(proxies=1") == 1  # in the fold alone
    assert text.count("data:image/png;base64,") == 2 * (1 + 1 + 3)
    assert not re.search(r"""(src|href|srcset)=["']https?:""", text)


@pytest.mark.usefixtures("unpainted")
def test_a_report_says_what_is_not_at_hand(folder, tmp_path):
    bare = shutil.copytree(folder, tmp_path / "results" / "bare", ignore=shutil.ignore_patterns("scores", "subsets"))
    text = report_page(bare)
    assert "The scores of DRD are not at hand: give their folder with --scores." in text
    assert "Difference from Random" in text
    identity = json.loads((folder / "grid.json").read_text())
    (bare / "grid.json").write_text(json.dumps({**identity, "dataset": {"name": "digits", "examples": 100}}))
    text = report_page(bare, scores=folder / "scores")
    assert "The images are not at hand" in text
    assert ">Timesteps</h2>" in text


@pytest.mark.usefixtures("unpainted")
def test_scores_of_another_data_set_are_left_out_with_a_sentence(folder, tmp_path):
    scores = shutil.copytree(folder / "scores", tmp_path / "scores")
    [own] = scores.glob("DRD-*")
    foreign = shutil.copytree(own, scores / "of-others")
    plan = json.loads((foreign / "plan.json").read_text())
    (foreign / "plan.json").write_text(json.dumps({**plan, "fingerprint": "other:data"}))
    note = "Not shown: 1 other score of DRD in their folder, of another data set or with other settings."
    text = report_page(folder, scores)
    assert note in text
    assert text.count("data:image/png;base64,") == 10
    shutil.rmtree(own)
    text = report_page(folder, scores)
    assert f"The scores of DRD are not at hand, or not finished. {note}" in text
    assert ">Timesteps</h2>" not in text


def test_what_cannot_be_reported_is_refused(folder, tmp_path):
    with pytest.raises(ArtifactError, match="holds no runs"):
        report_page(tmp_path)
    with pytest.raises(ArtifactError, match=r"there is no folder .*nowhere of scores"):
        report_page(folder, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="unknown device 'abacus'"):
        report_page(folder, device="abacus")
    begun = tmp_path / "begun"
    begun.mkdir()
    shutil.copy(folder / "grid.json", begun)
    with pytest.raises(ArtifactError, match="no finished runs yet"):
        report_page(begun)
    (begun / "grid.json").write_text('{"source": "deepcore"}')
    with pytest.raises(ArtifactError, match="runs of another tool"):
        report_page(begun)


@pytest.mark.usefixtures("unpainted")
def test_a_folder_may_be_named_from_the_current_directory(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert ">Timesteps</h2>" in report_page(Path(), device="cpu")
    monkeypatch.chdir(folder.parent)
    assert ">Timesteps</h2>" in report_page(Path(folder.name), device="cpu")


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize("study", [CrossEvaluation(parts=2), Stability()], ids=["cross", "stability"])
def test_other_studies_have_a_report(study, workers):
    recipe = Recipe(net="lenet", steps=4)
    dataset = {"name": "digits", "examples": 100}
    grid = Grid("small", ("AUM[proxies=2]",), (0.3,), (0, 1), dataset, recipe, recipe.for_epochs(1))
    study.run(grid, workers)
    text = report_page(workers.out)
    assert "<dd>digits, examples 100 (digits:" in text
    assert ">Reliability</h2>" in text
    assert "<td>AUM[proxies=2]</td><td>AUM(" in re.sub(r"\s*(</?t[dr]>)\s*", r"\1", text)
    assert ">Accuracy and cost</h2>" not in text
    assert text.count("<figure") == (2 if isinstance(study, CrossEvaluation) else 1)


@pytest.mark.usefixtures("unpainted")
def test_what_was_planted_is_planted_again(tmp_path):
    dataset, planted = {"name": "digits", "examples": 100}, {"wrong_labels": 0.1}
    noisy = dataset_of({**dataset, **planted}).train
    drd = "DRD[timestep=22,draws=1,solver=dpmsolver++,solver_steps=2,distance=mse]"
    scores = score(noisy, drd, out=tmp_path / "scores" / "drd", device="cpu", progress=False)
    provenance = json.dumps({"method": [scores.provenance["score"]]})
    row = {"kind": "wrong_labels", "share": 0.1, "fingerprint": noisy.fingerprint, "provenance": provenance}
    [section] = what_drd_sees(tmp_path, pd.DataFrame([row]), dataset, device="cpu")
    assert [picture.caption for picture in section.pictures] == ["most likely", "in the middle", "least likely"]


@pytest.mark.usefixtures("unpainted")
def test_the_name_of_a_method_may_hold_a_colon(tmp_path, make_run):
    store = RunStore(tmp_path, {"dataset": {"name": "digits"}})
    foreign = {name: [{"name": "GraNd", "epochs": 10}] for name in ("deepcore:GraNd", "ours: GraNd")}
    for name, spec in {"Full": None, "Random": None, **foreign}.items():
        store.append(make_run(name, 1.0 if name == "Full" else 0.3, 0, 50, spec=spec))
    text = re.sub(r"\s*(</?t[dr]>)\s*", r"\1", report_page(tmp_path))
    [fold] = re.findall(r"<summary>What was compared</summary>(.*?)</details>", text, re.DOTALL)
    for name in foreign:
        assert f"<td>{name}</td><td>GraNd(epochs=10)</td>" in fold
    assert re.search(r"<td>Random</td><td>Uniform\(", fold)
    assert fold.count("<tr><td>") == 3


@pytest.mark.usefixtures("unpainted")
def test_markup_in_a_name_is_text(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "results" / "copy", ignore=shutil.ignore_patterns("scores", "subsets"))
    about = json.loads((copy / "about.json").read_text())
    (copy / "about.json").write_text(json.dumps({**about, "about": "<script>alert(1)</script>"}))
    assert "<script>alert" not in report_page(copy)


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
    distances = (bands.images - bands.reconstructions).square().flatten(2).mean(2)
    assert distances[:, 4:].mean() > distances[:, :2].mean()
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
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser, page, **options):
    """The page in a new tab, with what went wrong and the addresses that it requested."""
    tab = browser.new_context(**options).new_page()
    errors, addresses = [], []
    tab.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: addresses.append(request.url))
    tab.on("requestfailed", lambda request: errors.append(request.url))
    tab.goto(page.as_uri())
    return tab, errors, addresses


@pytest.mark.long
def test_a_browser_shows_the_report_and_its_pictures(browser, page):
    tab, errors, addresses = opened(browser, page)
    assert tab.title() == "main on digits"
    headings = ["Results", "Accuracy and cost", "Timesteps", "What DRD sees", "Reliability", "Provenance"]
    assert tab.locator("h2").all_inner_texts() == headings
    assert tab.locator("nav a").all_inner_texts() == headings
    for link in tab.locator("nav a").all():
        assert tab.locator(link.get_attribute("href")).count() == 1
    images = tab.locator("img")
    assert images.count() == 5
    assert all(
        images.evaluate_all(
            "all => all.map(image => image.complete && image.naturalWidth > 100 && image.alt.length > 20)"
        )
    )
    assert not errors
    assert [url for url in addresses if not url.startswith(("file:", "data:"))] == []


@pytest.mark.long
def test_a_click_on_a_heading_sorts(browser, page):
    tab, errors, _ = opened(browser, page)
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
    assert column.get_attribute("scope") == "col"
    table.locator("thead th").first.locator("button").click()
    names = table.locator("tbody tr td:first-child").all_inner_texts()
    assert names == sorted(names, key=str.lower)
    assert not errors


@pytest.mark.long
def test_costs_add_up_from_the_cheapest_on(browser, page):
    tab, _, _ = opened(browser, page)
    rows = tab.locator("#accuracy-and-cost tbody tr").all()
    cells = [row.locator("td").all_inner_texts() for row in rows]
    assert len(cells) == 7  # three methods at two fractions, and all data
    spent = np.array([[float(text) for text in row[-4:]] for row in cells])
    assert np.allclose(spent[:, :3].sum(1), spent[:, 3], atol=0.2)
    assert (np.diff(spent[:, 3]) >= 0).all()
    total = tab.locator("#accuracy-and-cost th").last
    total.locator("button").click()
    total.locator("button").click()
    totals = [float(text) for text in tab.locator("#accuracy-and-cost tbody td:last-child").all_inner_texts()]
    assert totals == sorted(spent[:, 3], reverse=True)


@pytest.mark.long
def test_a_phone_does_not_scroll_sideways(browser, page):
    tab, _, _ = opened(browser, page, viewport={"width": 390, "height": 844})
    tab.evaluate("document.querySelectorAll('details').forEach(fold => fold.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.locator("table").first.is_visible()
    wide = (
        "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX == 'auto')"
    )
    assert tab.locator(".scroll").evaluate_all(f"boxes => ({wide})(boxes).length") > 0


@pytest.mark.long
def test_a_dark_page_is_dark_with_its_own_pictures(browser, page):
    colours = {}
    for scheme in ("light", "dark"):
        tab, _, _ = opened(browser, page, color_scheme=scheme)
        colours[scheme] = (
            tab.evaluate("getComputedStyle(document.body).backgroundColor"),
            tab.locator("img").first.evaluate("image => image.currentSrc"),
        )
    assert colours["light"][0] == "rgb(255, 255, 255)"
    assert colours["dark"][0] != colours["light"][0]
    assert colours["dark"][1] != colours["light"][1]
