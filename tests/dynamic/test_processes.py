"""Samplers and trainings that two processes share, begun by `torchrun` and by `torch.multiprocessing`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from samplers import make_sampler, walk

from drd_plugin.dynamic import dynamic_sampler
from drd_plugin.training import Recipe, train

SUPPORT = Path(__file__).parents[1] / "support"
METHODS = ("InfoBatch", "FactorCurriculum")
RECIPE = {"net": "lenet", "epochs": 6, "batch_size": 16, "lr": 0.05, "evaluations": 3}

SAMPLING = """
import sys, torch, torch.distributed as dist
sys.path.insert(0, {support!r})
from samplers import losses_of, make_sampler

dist.init_process_group("gloo")
for name in {methods!r}:
    sampler, chosen = make_sampler(name), []
    for epoch in range(6):
        sampler.set_epoch(epoch)
        index = torch.tensor(list(sampler))
        chosen.append(index.tolist())
        assert len(sampler) == len(index)
        sampler.update(index, losses_of(index, epoch))
    state = sampler.state_dict(position=4)
    torch.save({{"chosen": chosen, "state": state}}, {out!r} + f"/{{name}}-{{dist.get_rank()}}.pt")
dist.destroy_process_group()
"""

TRAINING = """
import torch, torch.distributed as dist
from pathlib import Path
from drd_plugin.artifacts.files import save_tensors
from drd_plugin.core.team import join_team
from drd_plugin.data import Split, load
from drd_plugin.dynamic import dynamic_sampler
from drd_plugin.training import Recipe, train

team = join_team(torch.device("cpu"))
assert (team.processes, dist.get_world_size()) == (2, 2)
whole = load("digits").train
few = Split("few", whole.images[:150], whole.labels[:150], whole.classes)
trained = train(few, Recipe(**{recipe!r}), sampler=dynamic_sampler(few, "InfoBatch", 1.0), team=team)
if team.leads:
    save_tensors(trained.net.state_dict(), Path({out!r}) / "net.safetensors")
"""

TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone")

SPAWNING = """
import json, sys, torch.distributed as dist, torch.multiprocessing as mp
sys.path.insert(0, {support!r})
from samplers import make_sampler

def work(rank):
    sampler = make_sampler("RS2")  # before there are several processes
    dist.init_process_group("gloo", init_method="file://" + {out!r} + "/meet", rank=rank, world_size=2)
    sampler.set_epoch(0)
    with open({out!r} + f"/{{rank}}.json", "w") as file:
        json.dump(list(sampler), file)
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(work, nprocs=2)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A script in a fresh interpreter, with the arguments before it; its folder."""

    def start(script, *arguments):
        out = tmp_path_factory.mktemp("out")
        fields = {"support": str(SUPPORT), "methods": METHODS, "recipe": RECIPE, "out": str(out)}
        (out / "script.py").write_text(script.format(**fields))
        alone = {key: text for key, text in os.environ.items() if key not in ("RANK", "WORLD_SIZE", "LOCAL_RANK")}
        command = [sys.executable, *arguments, str(out / "script.py")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=alone)
        assert done.returncode == 0, done.stderr
        return out

    return start


@pytest.fixture(scope="module")
def sampled(run):
    """The folder of two processes that drew samples."""
    return run(SAMPLING, *TORCHRUN)


def test_processes_that_initialise_torch_distributed_by_themselves_share_an_epoch(run):
    out = run(SPAWNING)
    first, second = (json.loads((out / f"{rank}.json").read_text()) for rank in (0, 1))
    assert sorted(first + second) == sorted(walk(make_sampler("RS2"), 1)[0])
    assert len(first) == len(second)


@pytest.mark.parametrize("name", METHODS)
def test_two_processes_see_each_example_of_an_epoch_once(name, sampled):
    both = [torch.load(sampled / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1)]
    first, second = (process["chosen"] for process in both)
    alone = walk(make_sampler(name), 6)
    for mine, yours, whole in zip(first, second, alone, strict=True):
        assert not set(mine) & set(yours)
        assert sorted(mine + yours) == sorted(whole), "the same epochs as one process has"
    state, other = (process["state"] for process in both)
    assert state.keys() == other.keys()
    for key, value in state.items():
        assert torch.equal(value, other[key]) if isinstance(value, torch.Tensor) else value == other[key], key

    resumed = make_sampler(name)
    resumed.load_state_dict(state)
    resumed.set_epoch(5)
    taken = set(first[5][:4]) | set(second[5][:4])
    assert set(resumed) == set(alone[5]) - taken, "one process goes on where two were"


def test_two_processes_train_as_one(few, run):
    out = run(TRAINING, *TORCHRUN)
    alone = train(few, Recipe(**RECIPE), sampler=dynamic_sampler(few, "InfoBatch", 1.0)).net.state_dict()
    for name, value in load_file(out / "net.safetensors").items():
        assert torch.allclose(value, alone[name], atol=1e-4), name
