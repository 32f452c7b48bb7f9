"""A script of DeepCore's shape: a closed parser, and look-ups by name in the modules' dictionaries."""

import argparse
import os
from datetime import datetime
from types import SimpleNamespace

import deepcore.datasets as datasets
import deepcore.methods as methods
import torch
from utils import *  # noqa: F403


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dataset", default="CIFAR10")
    parser.add_argument("--data_path", default="data")
    parser.add_argument("--model", default="ResNet18")
    parser.add_argument("--selection", default="uniform")
    parser.add_argument("--fraction", type=float, default=0.1)
    parser.add_argument("--num_exp", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--selection_batch", type=int, default=256)
    parser.add_argument("--selection_epochs", type=int, default=40)
    parser.add_argument("--selection_lr", type=float, default=0.1)
    parser.add_argument("--batch", dest="train_batch", type=int, default=256)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--save_path", default="")
    parser.add_argument("--resume", default="")
    args = parser.parse_args()
    args.device, args.gpu, args.print_freq = "cpu", None, 20
    args.selection_optimizer, args.selection_nesterov = "SGD", True
    args.selection_momentum, args.selection_weight_decay = 0.9, 5e-4
    args.optimizer, args.nesterov, args.momentum, args.weight_decay = "SGD", True, 0.9, 5e-4
    args.min_lr = 1e-4
    if args.save_path:
        os.makedirs(args.save_path, exist_ok=True)
    channel, im_size, num_classes, names, _mean, _std, train, _test = datasets.__dict__[args.dataset](args.data_path)
    args.channel, args.im_size, args.num_classes, args.class_names = channel, im_size, num_classes, names
    if args.resume:
        subset = torch.load(args.resume, map_location=args.device)["subset"]
    else:
        method = methods.__dict__[args.selection](
            train, args, args.fraction, args.seed,
            epochs=args.selection_epochs, selection_method="Entropy", balance=True, greedy="LazyGreedy",
            function="GraphCut",
        )  # fmt: skip
        subset = method.select()
    print(len(subset["indices"]))
    checkpoint = {"exp": 0, "rec": SimpleNamespace(test_step=[0], test_acc=[12.5]), "subset": subset, "sel_args": {}}
    name = f"{args.dataset}_{args.model}_{args.selection}_exp0_epoch{args.epochs}_{datetime.now()}_{args.fraction}"
    if args.save_path:
        torch.save(checkpoint, os.path.join(args.save_path, f"{name}_12.5.ckpt"))
    subset = (
        WeightedSubset(train, subset["indices"], subset["weights"])  # noqa: F405
        if "weights" in subset
        else torch.utils.data.Subset(train, subset["indices"])
    )
    next(iter(torch.utils.data.DataLoader(subset, batch_size=4)))
    print("| Best accuracy: ", 12.5)


if __name__ == "__main__":
    main()
