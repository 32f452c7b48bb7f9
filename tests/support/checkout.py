"""The checkout that the tests run against, a small data set, and DeepCore's arguments."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from drd_plugin.deepcore import Args
from drd_plugin.methods import PUBLISHED

STANDIN = Path(__file__).parent / "standin"
CHECKOUT = Path(os.environ.get("DEEPCORE_PATH", STANDIN)).resolve()

NAMES = [*PUBLISHED, "DRD+CCS", "Forgetting+BWS", "EL2N+Window"]


class Shapes(torch.utils.data.Dataset):
    """n images whose brightness tells one of three classes of unequal size, with torchvision's attributes."""

    classes = ("dark", "grey", "light")

    def __init__(self, n=130, transform=None, size=28):
        rng = np.random.default_rng(n)
        self.targets = torch.from_numpy(rng.permutation(np.arange(n) * np.arange(n) % 7 % 3))
        brightness = 90 * self.targets.numpy()[:, None, None]
        self.data = torch.from_numpy(rng.integers(0, 60, (n, size, size)) + brightness).byte()
        self.transform = transform or transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.4], [0.3])])

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        return self.transform(Image.fromarray(self.data[i].numpy())), int(self.targets[i])


def args_of(**changed):
    common = {"model": "LeNet", "selection_batch": 32, "workers": 0, "channel": 1, "im_size": (28, 28)}
    return Args(**{**common, "num_classes": 3, "selection_lr": 0.05, "lr": 0.05, "epochs": 2, **changed})


def python(program, *path, cwd=None):
    """Runs a program in a fresh interpreter with these folders on PYTHONPATH."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
    return subprocess.run([sys.executable, "-c", program], env=variables, cwd=cwd, capture_output=True, text=True)


def launcher(folder, *arguments, own=()):
    """The arguments of `drd-plugin` for the checkout's main.py on the digits."""
    script = [
        "--dataset", "Digits", "--model", "LeNet", "--num_exp", "1", "--epochs", "1", "--selection_epochs", "1",
        "--data_path", str(folder / "data"), "--workers", "0", "--seed", "1", *arguments,
    ]  # fmt: skip
    return ["deepcore", str(CHECKOUT / "main.py"), *own, "--", *script]


def launch(folder, *arguments, own=()):
    """`drd-plugin deepcore main.py` on the digits in a fresh interpreter."""
    command = [sys.executable, "-m", "drd_plugin", *launcher(folder, *arguments, own=own)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def result_of(path, accuracies=(50.0, 62.5, 60.0), **more):
    """A checkpoint with the content that DeepCore's main.py saves."""
    steps = list(range(len(accuracies)))
    rec = SimpleNamespace(train_step=steps, test_step=steps, test_acc=list(accuracies), ckpts=[0])
    subset = {"indices": np.arange(30), "scores": torch.zeros(300)}
    torch.save({"exp": 0, "epoch": 2, "rec": rec, "subset": subset, "sel_args": {"epochs": 3}} | more, path)
