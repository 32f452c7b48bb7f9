"""Each score beside the public code that computes it, on the same logits."""

import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from borrow import borrowed, folder
from dynamics import Dynamics

from drd_plugin.artifacts import Scores
from drd_plugin.scores import AUM, DUAL, EL2N, TDDS, DynUnc, Forgetting, Moderate

__all__ = ["SCORE_CHECKS"]


def values(ours: Scores, theirs: np.ndarray, factor: float = 1.0, note: str = "") -> tuple[bool, str]:
    """Whether scores agree: the greatest difference, and the tenth that each would keep."""
    theirs = np.asarray(theirs, np.float64) / factor
    gap = float(np.abs(ours.values - theirs).max())
    scale = max(1e-12, float(np.abs(theirs).max()))
    k = len(ours) // 10
    sign = 1 if ours.higher_is_harder else -1
    hardest = [set(np.argsort(sign * each, kind="stable")[-k:]) for each in (ours.values, theirs)]
    times = f" (theirs by {factor:g})" if factor != 1 else ""
    same = "the same values" if gap == 0 else f"values{times} at most {gap:.1e} apart"
    text = f"{same}; of the hardest tenth {len(hardest[0] & hardest[1])} of {k} are the same{note}"
    return gap <= 1e-4 * scale, text


def aum_package(d: Dynamics, _: Path) -> tuple[bool, str]:
    """The `aum` package of PyPI."""
    from aum import AUMCalculator

    calculator = AUMCalculator(tempfile.mkdtemp(), compressed=True)
    for logits, order in zip(d.train, d.order, strict=True):
        calculator.update(logits[order], d.labels[order], order.tolist())
    theirs = [calculator.sums[i] / calculator.counts[i] for i in range(len(d.labels))]
    return values(d.ours(AUM()), theirs)


def _ccs(d: Dynamics, checkouts: Path, name: str, **settings: object) -> dict:
    """A function of CCS that goes through a log of training steps."""
    script = folder(checkouts, "Coverage-centric-coreset-selection") / "generate_importance_score.py"
    log = [
        {"epoch": epoch, "idx": order, "output": d.train[epoch][order].log_softmax(1)}
        for epoch, order in enumerate(d.order)
    ]
    results: dict = {}
    dataset = [(i, (None, label)) for i, label in enumerate(d.labels.tolist())]
    function = getattr(borrowed(script, name, num_classes=d.train.shape[2], print=_quiet), name)
    function(log, dataset, results, **settings)
    return results


def ccs_aum(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """CCS's accumulated margin."""
    theirs = _ccs(d, checkouts, "training_dynamics_metrics")["accumulated_margin"].numpy()
    return values(d.ours(AUM("probabilities")), theirs, d.epochs, "; theirs is a sum over epochs")


def ccs_forgetting(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """CCS's count."""
    theirs = _ccs(d, checkouts, "training_dynamics_metrics")["forgetting"].numpy()
    return values(d.ours(Forgetting("ccs")), theirs)


def ccs_el2n(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """CCS's sum over ten epochs."""
    theirs = _ccs(d, checkouts, "EL2N", max_epoch=10)["el2n"].numpy()
    return values(d.ours(EL2N(first_epochs=10, outputs="train", aggregate="sum")), theirs)


def toneva(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """Toneva's counts, from a dictionary of losses, accuracies and margins of each presentation."""
    script = folder(checkouts, "example_forgetting") / "order_examples_by_forgetting.py"
    theirs = borrowed(script, "compute_forgetting_statistics", "sort_examples_by_forgetting", print=_quiet)
    correct = (d.train.argmax(2) == d.labels).long().T.tolist()
    diagnostics = {i: [[0.0] * d.epochs, row, [0.0] * d.epochs] for i, row in enumerate(correct)}
    _, unlearned, _, first = theirs.compute_forgetting_statistics(diagnostics, d.epochs)
    order, counts = theirs.sort_examples_by_forgetting([unlearned], [first], d.epochs)
    by_example = np.empty(len(order))
    by_example[order] = counts
    never = int((d.train.argmax(2) != d.labels).all(dim=0).sum())
    return values(d.ours(Forgetting()), by_example, note=f"; {never} were never learned")


def data_diet(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """data_diet's counts, where a never-learned example has infinity."""
    script = folder(checkouts, "data_diet") / "data_diet/forgetting.py"
    theirs = borrowed(script, "init_forget_stats", "update_forget_stats", SimpleNamespace=SimpleNamespace)
    stats = theirs.init_forget_stats(SimpleNamespace(num_train_examples=len(d.labels)))
    for logits, order in zip(d.train, d.order, strict=True):
        correct = (logits[order].argmax(1) == d.labels[order]).int().numpy()
        stats = theirs.update_forget_stats(stats, order.numpy(), correct)
    counts = stats.num_forgets.copy()
    counts[stats.never_correct] = d.epochs
    return values(d.ours(Forgetting()), counts, note=f"; {len(stats.never_correct)} never learned, infinite there")


def deepcore_forgetting(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """DeepCore's counts over ten epochs."""
    script = folder(checkouts, "DeepCore") / "deepcore/methods/forgetting.py"
    after_loss = borrowed(script, "Forgetting.after_loss").after_loss
    watch = SimpleNamespace(forgetting_events=torch.zeros(len(d.labels)), last_acc=torch.zeros(len(d.labels)))
    for epoch, order in enumerate(d.order[:10]):
        after_loss(watch, d.train[epoch][order], None, d.labels[order], order.numpy(), epoch)
    return values(d.ours(Forgetting("deepcore")), watch.forgetting_events.numpy())


def _bws(d: Dynamics, checkouts: Path) -> SimpleNamespace:
    """What BWS measures after each epoch, of a "model" that gives the logits."""
    script = folder(checkouts, "BWS") / "experiment/make_all_measure.py"
    from collections import defaultdict

    theirs = borrowed(script, "MakeAllMeasure.write_results", "MakeAllMeasure.calc_measures", defaultdict=defaultdict)
    zeros = defaultdict(lambda: np.zeros((d.epochs, len(d.labels))))
    watch = SimpleNamespace(
        model=torch.nn.Identity(), device="cpu", label_size=d.train.shape[2], results=zeros,
        measures=defaultdict(lambda: np.zeros((d.epochs, len(d.labels)))),
    )  # fmt: skip
    for epoch in range(1, d.epochs + 1):
        watch.measure_loader = [(d.evaluated[epoch - 1], d.labels)]
        theirs.write_results(watch, epoch)
        theirs.calc_measures(watch, epoch)
    return watch


def bws_forgetting(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """BWS's count over evaluations."""
    return values(d.ours(Forgetting("bws")), _bws(d, checkouts).measures["forgetting"][-1])


def bws_el2n(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """BWS's error norm after epoch 20."""
    return values(d.ours(EL2N(epoch=20)), _bws(d, checkouts).results["l2norm"][19])


def moderate(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """Moderate's distances."""
    theirs = borrowed(folder(checkouts, "2023_ICLR_Moderate-DS") / "selection.py", "get_median", "get_distance")
    return values(d.ours(Moderate()), theirs.get_distance(d.features, d.labels.numpy()))


def dyn_unc(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """Dyn-Unc's own script, run on files of probabilities; it keeps three quarters."""
    with tempfile.TemporaryDirectory() as place:
        history = Path(place, "pred_prob_history")
        history.mkdir()
        for epoch, probabilities in enumerate(d.probabilities):
            np.savetxt(history / f"{epoch}.txt", probabilities)
        Path(place, "list").write_text("".join(f"{i}\n" for i in range(len(d.labels))))
        script = folder(checkouts, "Dataset-Pruning") / "ImageNet/get_coreset.py"
        flags = ["--input", place, "--dataset_file_list", f"{place}/list", "--fraction", "0.75", "--window", "10"]
        subprocess.run([sys.executable, script, *flags, "--output", f"{place}/kept"], check=True, capture_output=True)
        theirs = set(map(int, Path(place, "kept").read_text().split()))
    ours = set(np.argsort(d.ours(DynUnc()).values)[-len(theirs) :].tolist())
    return ours == theirs, f"{len(ours & theirs)} of {len(theirs)} kept examples are the same"


def tdds(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """TDDS's own script's function."""
    from scipy.special import softmax

    epochs, script = 20, folder(checkouts, "Dataset-Pruning-TDDS") / "importance_evaluation.py"
    with tempfile.TemporaryDirectory() as place:
        args = SimpleNamespace(window_size=10, trajectory_len=epochs, decay=0.9, mask_path=f"{place}/")
        generate = borrowed(script, "generate", args=args, softmax=softmax, os=__import__("os"), print=_quiet).generate
        logits = np.stack([d.train[e][d.order[e]].numpy() for e in range(epochs)])
        generate(logits, None, d.order[:epochs].numpy())
        order, scores = (np.load(f"{place}/{name}_win10_ep{epochs}.npy") for name in ("data_mask", "score"))
    by_example = np.empty(len(order))
    by_example[order] = scores
    return values(d.ours(TDDS(first_epochs=epochs)), by_example)


def _quiet(*_: object) -> None:
    """Says nothing."""


def dual(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """DUAL's function."""
    script = folder(checkouts, "dual-pruning") / "exp_cifar/importance_evaluation.py"
    theirs, _ = borrowed(script, "dual").dual(torch.from_numpy(d.probabilities)[:20])
    return values(d.ours(DUAL(first_epochs=20)), theirs.numpy(), 10)


def dual_dyn_unc(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """DUAL's copy of Dyn-Unc, which includes the last epoch."""
    script = folder(checkouts, "dual-pruning") / "exp_cifar/importance_evaluation.py"
    theirs, _ = borrowed(script, "dynunc").dynunc(torch.from_numpy(d.probabilities))
    return values(d.ours(DynUnc(first_epochs=d.epochs)), theirs.numpy(), 10)


def dual_aum(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """DUAL's copy of AUM: the margins are set to zero in every epoch, so that the last epoch's remain."""
    script = folder(checkouts, "dual-pruning") / "exp_cifar/importance_evaluation.py"
    theirs, _ = borrowed(script, "aum", targets=d.labels).aum(d.train)
    return values(d.ours(AUM("probabilities")), theirs.numpy(), note="; theirs is the last epoch's margin alone")


def dual_tdds(d: Dynamics, checkouts: Path) -> tuple[bool, str]:
    """DUAL's copy of TDDS: the window does not slide, and logarithms are of logits."""
    script = folder(checkouts, "dual-pruning") / "exp_cifar/importance_evaluation.py"
    theirs, _ = borrowed(script, "tdds").tdds(20, 10, d.train)
    return values(d.ours(TDDS(first_epochs=20)), theirs, note="; theirs never slides, and takes logarithms of logits")


CCS, DUALS = "Coverage-centric-coreset-selection", "dual-pruning"
SCORE_CHECKS = [
    ("AUM", "logits (default)", "aum", aum_package, True),
    ("AUM", "probabilities", CCS, ccs_aum, True),
    ("AUM", "probabilities", DUALS, dual_aum, False),
    ("Forgetting", "toneva (default)", "example_forgetting", toneva, True),
    ("Forgetting", "toneva (default)", "data_diet", data_diet, True),
    ("Forgetting", "ccs", CCS, ccs_forgetting, True),
    ("Forgetting", "deepcore", "DeepCore", deepcore_forgetting, True),
    ("Forgetting", "bws", "BWS", bws_forgetting, True),
    ("EL2N", "epoch 20, eval (default: a tenth of the epochs)", "BWS", bws_el2n, True),
    ("EL2N", "first 10 epochs, train, sum", CCS, ccs_el2n, True),
    ("Moderate", "median (default)", "2023_ICLR_Moderate-DS", moderate, True),
    ("DynUnc", "without the last epoch (default)", "Dataset-Pruning", dyn_unc, True),
    ("DynUnc", "with the last epoch", DUALS, dual_dyn_unc, True),
    ("TDDS", "T = 20, J = 10", "Dataset-Pruning-TDDS", tdds, True),
    ("TDDS", "T = 20, J = 10", DUALS, dual_tdds, False),
    ("DUAL", "T = 20, J = 10", DUALS, dual, True),
]
"""Score, variant, public code, comparison, and whether the definitions are the same."""
