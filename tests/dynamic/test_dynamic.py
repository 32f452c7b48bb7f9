"""Dynamic methods and their sampler: definitions, the bound on usage, resuming, wrong input."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from samplers import N, losses_of, make_examples, make_sampler, walk
from scipy.stats import chisquare
from torch.utils.data import DataLoader, TensorDataset

from drd_plugin.artifacts import ArtifactError, Subset
from drd_plugin.core.registry import UnknownName
from drd_plugin.dynamic import (
    DYNAMIC,
    RCAP,
    RS2,
    UCB,
    Choice,
    Dynamic,
    DynamicSampler,
    EpsilonGreedy,
    Examples,
    FactorCurriculum,
    Fixed,
    InfoBatch,
    Moment,
    Plan,
    dynamic_sampler,
    parse_dynamic,
)
from drd_plugin.dynamic.draw import gumbel, top
from drd_plugin.dynamic.names import is_dynamic
from drd_plugin.dynamic.schedule import rise


def one_class(representativeness, rarity):
    """Examples of one class with these values."""
    values = {"representativeness": np.asarray(representativeness), "rarity": np.asarray(rarity)}
    return Examples(np.zeros(len(rarity), int), 1, "", values)


VARIANTS = (
    "RCAP[aggregate=importance]",
    "UCB[bound=deviation]",
    "FactorCurriculum[temperature=0, unbiased=true]",
    "FactorCurriculum[penalty=log]",
    "FactorCurriculum[penalty=relative]",
    "Fixed",
)


@pytest.fixture(params=[*DYNAMIC, *VARIANTS])
def name(request):
    return request.param


def test_every_method_chooses_the_planned_number_of_distinct_examples(name):
    sampler = make_sampler(name)
    for chosen in walk(sampler, 12):
        assert len(set(chosen)) == len(chosen), name
        assert sampler.method.sizes_itself or len(chosen) == 18, name
    assert sampler.uses.sum() == sum(map(len, walk(make_sampler(name), 12))), name


def test_every_method_depends_on_its_seed_alone(name):
    torch.manual_seed(1)
    random = np.random.mtrand._rand
    before = torch.get_rng_state(), random.get_state()[1].copy()
    first, again, other = (walk(make_sampler(name, seed=seed), 12) for seed in (0, 0, 1))
    assert first == again, name
    assert first != other, name
    assert torch.equal(before[0], torch.get_rng_state()), name
    assert (before[1] == random.get_state()[1]).all(), name


def test_every_method_resumes_in_the_middle_of_an_epoch(name):
    whole = walk(make_sampler(name), 9)
    sampler = make_sampler(name)
    walk(sampler, 5)
    sampler.set_epoch(5)
    iterator = iter(sampler)
    before = [next(iterator) for _ in range(7)]
    index = torch.tensor(before)
    sampler.update(index, losses_of(index, 5))
    state = sampler.state_dict()

    resumed = make_sampler(name)
    resumed.load_state_dict(state)
    resumed.set_epoch(5)
    rest = list(resumed)
    assert before + rest == whole[5], name
    index = torch.tensor(rest)
    resumed.update(index, losses_of(index, 5))
    assert walk(resumed, 9, first=6) == whole[6:], name
    assert list(resumed) == whole[8], "a second iteration begins at the beginning"


def test_a_state_of_another_training_is_refused(name):
    sampler = make_sampler(name)
    sampler.set_epoch(0)
    state = sampler.state_dict()
    other = DynamicSampler(sampler.method, make_examples(seed=1), Plan(0.3), epochs=12)
    method = make_sampler("RS2" if name != "RS2" else "UCB")
    changed = [make_sampler(name, **field) for field in ({"seed": 1}, {"fraction": 0.5}, {"epochs": 13})]
    for stranger in (*changed, other, method):
        with pytest.raises(ArtifactError, match="state of another training"):
            stranger.load_state_dict(state)


def test_a_state_of_another_data_set_is_refused():
    data = make_examples(), replace(make_examples(), fingerprint="made:elsewhere")
    first, other = (DynamicSampler(RS2(), examples, Plan(0.3), epochs=2) for examples in data)
    with pytest.raises(ArtifactError, match="state of another training"):
        other.load_state_dict(first.state_dict())


def test_a_state_takes_the_position_of_a_training_whose_workers_read_ahead():
    sampler = make_sampler("RS2")
    sampler.set_epoch(0)
    whole = list(sampler)
    resumed = make_sampler("RS2")
    resumed.load_state_dict(sampler.state_dict(position=5))
    assert list(resumed) == whole[5:]


def test_the_sampler_serves_a_data_loader():
    sampler = make_sampler("RS2", fraction=0.5)
    data = TensorDataset(torch.arange(N))
    loader = DataLoader(data, batch_size=8, sampler=sampler, num_workers=2)
    sampler.set_epoch(0)
    first = torch.cat([batch for (batch,) in loader])
    sampler.set_epoch(1)
    assert len(loader) == 4
    second = torch.cat([batch for (batch,) in loader])
    assert sorted(torch.cat([first, second]).tolist()) == list(range(N))


@given(
    n=st.integers(2, 40),
    fraction=st.floats(0.05, 0.95),
    gamma=st.floats(0.05, 2),
    within=st.sampled_from(["class", "all"]),
    seed=st.integers(0, 1000),
)
def test_usage_never_differs_by_more_than_the_range_over_gamma_plus_one(n, fraction, gamma, within, seed):
    examples = make_examples(n, min(3, n), seed)
    if round(fraction * n) < 1:
        return
    sampler = DynamicSampler(
        FactorCurriculum(gamma=gamma, temperature=0.0, within=within),
        examples,
        Plan(fraction, full_last=0.1),
        epochs=40,
        seed=seed,
    )
    bound = 1 / gamma + 1
    for epoch in range(40):
        sampler.set_epoch(epoch)
        for c in range(examples.num_classes) if within == "class" else (None,):
            uses = sampler.uses if c is None else sampler.uses[examples.labels == c]
            assert np.ptp(uses) <= bound + 1e-9


def test_the_bound_is_tight_and_needs_the_penalty():
    examples = one_class([1.0, 0.0], [1.0, 0.0])
    bound = DynamicSampler(FactorCurriculum(gamma=0.25, temperature=0.0), examples, Plan(0.5), epochs=30)
    free = DynamicSampler(FactorCurriculum(gamma=0.0, temperature=0.0), examples, Plan(0.5), epochs=30)
    ranges = []
    for epoch in range(30):
        bound.set_epoch(epoch)
        free.set_epoch(epoch)
        ranges.append(np.ptp(bound.uses))
    assert max(ranges) == 1 / 0.25 + 1
    assert free.uses.tolist() == [30, 0]


@pytest.mark.parametrize(
    ("penalty", "gamma", "chosen"),
    [("linear", 0.4, [0, 0, 0, 1]), ("log", 1 / np.log(3.5), [0, 0, 0, 1]), ("relative", 0.6, [0, 1, 0, 0])],
)
def test_penalties_in_closed_form(penalty, gamma, chosen):
    """One of two examples has a score larger by 1; the other comes when the first one's penalty is larger by more."""
    examples = one_class([1.0, 0.0], [1.0, 0.0])
    method = FactorCurriculum(gamma=gamma, penalty=penalty, temperature=0.0)
    assert [index for (index,) in walk(DynamicSampler(method, examples, Plan(0.5), epochs=4), 4)] == chosen


def test_the_curriculum_goes_from_frequent_to_rare():
    ramp = np.linspace(0, 1, 100)
    examples = one_class(1 - ramp, ramp)
    sampler = DynamicSampler(FactorCurriculum(gamma=0.0, temperature=0.0), examples, Plan(0.1), epochs=10)
    rarity = []
    for epoch in range(10):
        sampler.set_epoch(epoch)
        rarity.append(ramp[sampler.index].mean())
    assert sorted(sampler.index.tolist()) == list(range(90, 100))
    assert rarity[0] == pytest.approx(np.mean(ramp[:10]))
    assert (np.diff(rarity) > -1e-9).all()


def test_the_curriculum_notes_its_level_and_the_rarity_of_an_epoch():
    ramp = np.linspace(0, 1, 11)
    notes = FactorCurriculum(schedule="linear").notes(one_class(1 - ramp, ramp), np.array([10, 4]), 0.25)
    assert notes == pytest.approx({"level": 0.25, "rarity": 0.7})


def test_unbiased_weights_sum_to_the_same_for_every_example_up_to_its_last_use():
    plan = Plan(0.3, slope=0.5)
    sampler = DynamicSampler(FactorCurriculum(unbiased=True, gamma=0.1), make_examples(), plan, epochs=50)
    received, even, last = np.zeros(N), 0.0, np.zeros(N)
    for epoch in range(50):
        sampler.set_epoch(epoch)
        index = sampler.index.numpy()
        even += len(index) / N
        received[index] += sampler.weights[index].numpy()
        last[index] = even
    assert received == pytest.approx(last, rel=1e-5)
    assert received.mean() == pytest.approx(even, rel=0.1)


def test_rs2_uses_all_before_any_twice_and_no_epoch_has_an_example_twice():
    sampler = DynamicSampler(RS2(), make_examples(), Plan(0.35), epochs=40)
    for epoch in range(40):
        sampler.set_epoch(epoch)
        assert np.ptp(sampler.uses) <= 1


def test_random_choices_are_uniform():
    sampler = make_sampler("RandomDynamic", epochs=400)
    for epoch in range(400):
        sampler.set_epoch(epoch)
    assert chisquare(sampler.uses).pvalue > 0.001
    assert sampler.uses.std() == pytest.approx(np.sqrt(400 * 0.3 * 0.7), rel=0.3)


def test_infobatch_leaves_out_below_the_mean_and_keeps_the_sum():
    method, examples = InfoBatch(ratio=0.5), make_examples()
    state = method.begin(examples)
    loss = np.where(np.arange(N) < 40, 0.1, 2.0).astype(np.float32)
    method.observe(state, np.arange(N), loss)
    choice = method.choose(state, examples, Moment(1, 0.1, 0.1, 18, np.zeros(N, int), np.random.default_rng(0)))
    weights = np.zeros(N)
    weights[choice.index] = choice.weights
    assert (weights[40:] == 1).all()
    assert sorted(weights[:40]) == [0] * 20 + [2] * 20
    assert weights.sum() == N

    average = np.zeros(N)
    for epoch in range(2000):
        rng = np.random.default_rng(epoch)
        choice = method.choose(state, examples, Moment(1, 0.1, 0.1, 18, np.zeros(N, int), rng))
        average[choice.index] += choice.weights / 2000
    assert average == pytest.approx(np.ones(N), abs=0.12), "the expected gradient is that of all examples"


def test_infobatch_begins_and_ends_with_all():
    sampler = make_sampler("InfoBatch", epochs=16)
    sizes = list(map(len, walk(sampler, 16)))
    assert sizes[0] == N
    assert sizes[14:] == [N, N]
    assert all(size < N for size in sizes[1:14])


@pytest.mark.parametrize("epochs", [5, 7, 10, 16, 20, 200])
def test_infobatch_closes_when_the_official_code_does(epochs):
    """Which counts epochs from 1 and stops pruning in those above delta times their number."""
    sizes = list(map(len, walk(make_sampler("InfoBatch", epochs=epochs), epochs)))
    assert [size == N for size in sizes] == [e == 0 or e + 1 > 0.875 * epochs for e in range(epochs)]


def test_the_curriculum_ends_where_the_full_epochs_begin():
    plan = Plan(0.3, full_last=0.25)
    assert [plan.pruned_progress(progress) for progress in (0.0, 0.375, 0.75, 0.9)] == [0, 0.5, 1, 1]
    ramp = np.linspace(0, 1, 100)
    examples = one_class(1 - ramp, ramp)
    method = FactorCurriculum(gamma=0.0, temperature=0.0, schedule="linear")
    sampler = DynamicSampler(method, examples, replace(plan, fraction=0.1), epochs=8)
    for epoch in range(8):
        sampler.set_epoch(epoch)
        rare = sorted(sampler.index.tolist()) == list(range(90, 100))
        assert len(sampler.index) == 100 if epoch >= 6 else rare == (epoch > 3), "λ > 1/2 from the middle of six on"


def test_the_greedy_part_has_the_largest_losses():
    method, examples = EpsilonGreedy(epsilon=0.25, alpha=1.0), make_examples()
    state = method.begin(examples)
    method.observe(state, np.arange(N), np.arange(N, dtype=np.float32))
    index = method.choose(state, examples, Moment(1, 0.1, 0.1, 20, np.zeros(N, int), np.random.default_rng(0))).index
    assert set(range(45, 60)) <= set(index.tolist())
    assert len(set(index.tolist()) - set(range(45, 60))) == 5


def test_moving_averages_in_closed_form():
    method, examples = UCB(alpha=0.25, c=2.0), make_examples()
    state = method.begin(examples)
    for loss in (4.0, 2.0, 3.0):
        method.observe(state, np.array([7]), np.array([loss], np.float32))
    mean = [4.0]
    variance = 0.0
    for loss in (2.0, 3.0):
        variance = 0.75 * variance + 0.25 * (loss - mean[-1]) ** 2
        mean.append(0.75 * mean[-1] + 0.25 * loss)
    assert state["mean"][7] == pytest.approx(mean[-1])
    assert state["variance"][7] == pytest.approx(variance)


@pytest.mark.parametrize(("bound", "power"), [("variance", 1), ("deviation", 0.5)])
def test_ucb_takes_examples_without_a_loss_first_and_then_the_largest_bounds(bound, power):
    sampler = DynamicSampler(UCB(c=1.0, bound=bound), make_examples(), Plan(0.5), epochs=10)
    chosen = walk(sampler, 2)
    assert sorted(chosen[0] + chosen[1]) == list(range(N))
    sampler.set_epoch(2)
    state = sampler._state
    bound = state["mean"] + state["variance"] ** power
    assert set(sampler.index.tolist()) == set(np.argsort(-bound, kind="stable")[:30].tolist())
    state["variance"][:] = np.random.default_rng(0).random(N) * 9
    largest = np.argsort(-(state["mean"] + state["variance"] ** power), kind="stable")[:30]
    moment = Moment(2, 0.2, 0.2, 30, sampler.uses, np.random.default_rng(0))
    assert set(sampler.method.draw(state, moment).tolist()) == set(largest.tolist())


def test_a_bandits_choice_holds_for_some_epochs():
    chosen = walk(make_sampler("UCB[every=3]"), 6)
    assert set(chosen[0]) == set(chosen[1]) == set(chosen[2]) != set(chosen[3])
    assert set(chosen[3]) == set(chosen[5])


def test_rcap_shares_by_the_root_of_the_summed_loss():
    method, examples = RCAP(), Examples(np.repeat([0, 1, 2], [40, 40, 20]), 3, "")
    state = method.begin(examples)
    loss = np.repeat([0.9, 0.1, 0.4], [40, 40, 20]).astype(np.float32)
    method.observe(state, np.arange(100), loss)
    index = method.choose(state, examples, Moment(1, 0.1, 0.1, 40, np.zeros(100, int), np.random.default_rng(0))).index
    shares = np.sqrt(np.array([40 * 0.9, 40 * 0.1, 20 * 0.4]) * np.array([0.4, 0.4, 0.2]))
    assert np.bincount(examples.labels[index]) == pytest.approx(40 * shares / shares.sum(), abs=1)
    assert state["loss"].max() <= np.log(3)


def test_gumbel_keys_sample_like_a_softmax():
    keys, counts = np.log(np.array([0.1, 0.2, 0.3, 0.4])), np.zeros(4)
    rng = np.random.default_rng(0)
    for _ in range(4000):
        counts[top(gumbel(keys, 1.0, rng), 1, rng)] += 1
    assert chisquare(counts, 4000 * np.exp(keys)).pvalue > 0.001


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_the_top_is_the_top(keys, data):
    k = data.draw(st.integers(0, len(keys)))
    index = top(np.array(keys, float), k, np.random.default_rng(0))
    assert sorted(np.array(keys)[index].tolist()) == sorted(keys)[len(keys) - k :]
    assert len(set(index.tolist())) == k


@pytest.mark.parametrize("shape", ["cosine", "sigmoid", "linear"])
def test_schedules_rise_from_0_to_1(shape):
    level = [rise(shape, p) for p in np.linspace(0, 1, 21)]
    assert level[0] == pytest.approx(0)
    assert level[10] == pytest.approx(0.5)
    assert level[20] == pytest.approx(1)
    assert (np.diff(level) > 0).all()


def test_plans_in_closed_form():
    plan = Plan(0.4, slope=0.5, full_last=0.2)
    assert [plan.size(100, p) for p in (0, 0.4, 0.8, 0.99)] == [20, 40, 100, 100]
    assert Plan(0.4).size(100, 0.99) == 40


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fraction": 0}, "in \\(0, 1\\]"),
        ({"fraction": 30}, "0.3"),
        ({"fraction": 0.8, "slope": 0.5}, "1.2"),
        ({"fraction": 0.3, "full_last": 1.0}, "full_last"),
        ({"fraction": 0.3, "slope": -1.0}, "stay in"),
    ],
)
def test_impossible_plans_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Plan(**fields)


def test_an_epoch_without_examples_is_refused():
    for plan in (Plan(0.01), Plan(0.08, slope=0.9), Plan(0.08, slope=-0.9)):
        with pytest.raises(ValueError, match="has none: give a larger fraction"):
            DynamicSampler(RS2(), make_examples(10), plan, epochs=2)


def test_epochs_go_forward_and_need_their_number():
    sampler = DynamicSampler(RS2(), make_examples(), Plan(0.3))
    with pytest.raises(ValueError, match="give set_epoch the progress"):
        sampler.set_epoch(0)
    sampler = make_sampler("RS2", epochs=3)
    sampler.set_epoch(2)
    with pytest.raises(ValueError, match="lies behind"):
        sampler.set_epoch(1)
    with pytest.raises(ValueError, match="epoch 3 of 3"):
        sampler.set_epoch(3)


def test_a_nan_loss_is_refused_by_the_examples_position():
    sampler = make_sampler("InfoBatch")
    sampler.set_epoch(0)
    sampler.update(torch.tensor([3, 8]), torch.tensor([0.1, float("nan")]))
    with pytest.raises(FloatingPointError, match=r"\[8\]"):
        sampler.set_epoch(1)


@dataclass(frozen=True)
class Wrong(Dynamic):
    """Chooses what its fields say."""

    index: tuple = (0, 1)
    weights: tuple = (1.0, 1.0)
    total: float = 2.0

    def choose(self, state, examples, moment):
        return Choice(np.array(self.index), np.array(self.weights), self.total)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"index": (0, 0)}, "distinct positions"),
        ({"index": (0, 60)}, "0..59"),
        ({"index": (), "weights": ()}, "at least one"),
        ({"weights": (1.0,)}, "weight for each of 2"),
        ({"weights": (1.0, -1.0)}, "non-negative"),
        ({"weights": (1.0, float("nan"))}, "finite"),
        ({"weights": (1.0, 1.5)}, "promised weights with sum 2, and gave 2.5"),
    ],
)
def test_choices_that_cannot_be_used_are_refused(fields, message):
    sampler = DynamicSampler(Wrong(**fields), make_examples(), Plan(0.3), epochs=2)
    with pytest.raises(ValueError, match=message):
        sampler.set_epoch(0)


def test_values_must_fit_the_data_set():
    with pytest.raises(ValueError, match="expected rarity of 4 examples"):
        Examples(np.zeros(4, int), 1, "", {"rarity": np.zeros(5)})
    with pytest.raises(ValueError, match=r"not finite \(the first: \[2\]\)"):
        Examples(np.zeros(4, int), 1, "", {"rarity": np.array([0, 1, np.nan, 2])})


def test_a_fixed_subset_stays_and_must_fit():
    subset = Subset(np.arange(18), N, "Random", "made:up", np.linspace(1, 2, 18))
    sampler = DynamicSampler(Fixed(subset), make_examples(), Plan(0.3, full_last=0.25), epochs=4)
    chosen = walk(sampler, 4)
    assert [sorted(epoch) for epoch in chosen] == 3 * [list(range(18))] + [list(range(N))]
    sampler = DynamicSampler(Fixed(subset), make_examples(), Plan(0.3), epochs=4)
    sampler.set_epoch(0)
    assert sampler.weights.sum() == pytest.approx(18)
    with pytest.raises(ArtifactError, match="Random"):
        DynamicSampler(Fixed(Subset(np.arange(18), N, "Random", "other:one")), make_examples(), Plan(0.3))
    with pytest.raises(ValueError, match="has 18 examples, but the epoch is to have 30"):
        DynamicSampler(Fixed(subset), make_examples(), Plan(0.5), epochs=2).set_epoch(0)


def test_names():
    assert parse_dynamic("UCB[c=2, every=5]") == UCB(c=2, every=5)
    assert is_dynamic("RS2")
    assert is_dynamic("UCB[c=2]")
    assert not is_dynamic("Random")
    assert not is_dynamic("EL2N[epoch=5]+BWS[selector=train]")
    with pytest.raises(UnknownName, match="did you mean 'RS2'"):
        parse_dynamic("rs2")
    with pytest.raises(UnknownName, match="gama"):
        parse_dynamic("FactorCurriculum[gama=1]")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("InfoBatch[ratio=1.0]", "ratio in"),
        ("EpsilonGreedy[epsilon=1.5]", "epsilon is a share"),
        ("UCB[alpha=0.0]", "alpha in"),
        ("UCB[every=0]", "every must be at least 1"),
        ("RCAP[beta=0.0]", "beta is a temperature"),
        ("FactorCurriculum[gamma=-1.0]", "gamma must be at least 0"),
        ("FactorCurriculum[schedule=cosin]", "did you mean 'cosine'"),
    ],
)
def test_fields_are_checked(wrong, message):
    with pytest.raises(ValueError, match=message):
        parse_dynamic(wrong)


BEGUN = "no epoch was begun, so that there are no examples: call set_epoch"


@pytest.mark.parametrize(
    "use",
    [
        list,
        len,
        iter,
        lambda sampler: list(DataLoader(TensorDataset(torch.arange(N)), sampler=sampler)),
        lambda sampler: sampler.weights_of(torch.arange(3)),
        lambda sampler: sampler.update(torch.arange(3), torch.rand(3)),
    ],
)
def test_a_sampler_that_no_epoch_was_begun_of_says_so(name, use):
    with pytest.raises(ValueError, match=BEGUN):
        use(make_sampler(name))


@pytest.mark.parametrize("epoch", [-1, 0.0, None, "0", True, [0]])
def test_an_epoch_is_a_number_from_zero(epoch):
    with pytest.raises(ValueError, match="expected the number of an epoch, from 0"):
        make_sampler("RS2").set_epoch(epoch)


@pytest.mark.parametrize("progress", ["0.5", float("nan"), 1.0, -0.1, [0.5]])
def test_a_progress_is_a_share(progress):
    with pytest.raises(ValueError, match=r"expected a progress in \[0, 1\)"):
        make_sampler("RS2").set_epoch(0, progress)


@pytest.mark.parametrize("epochs", [0, -1, 2.5, "3", True])
def test_the_number_of_epochs_is_checked_before_anything_is_computed(epochs, tiny, monkeypatch):
    monkeypatch.setattr("drd_plugin.dynamic.make.ScoreCache", None)
    with pytest.raises(ValueError, match="expected at least one epoch"):
        dynamic_sampler(tiny, "FactorCurriculum", 0.5, epochs=epochs)
    with pytest.raises(ValueError, match="expected at least one epoch"):
        DynamicSampler(RS2(), make_examples(), Plan(0.5), epochs=epochs)


def test_a_sampler_is_made_of_a_dynamic_method(tiny):
    for method in (3, None, Plan(0.5)):
        with pytest.raises(ValueError, match="expected a dynamic method or its name"):
            dynamic_sampler(tiny, method, 0.5, epochs=3)
    with pytest.raises(ValueError, match="a seed is a non-negative integer"):
        dynamic_sampler(tiny, "RS2", 0.5, epochs=3, seed=-1)


def losses_after(index, losses):
    """The losses that InfoBatch knows after one report."""
    sampler = make_sampler("InfoBatch")
    sampler.set_epoch(0)
    sampler.update(index, losses)
    return sampler.state_dict()["method.loss"]


LOSSES = torch.tensor([3.0, 1.0, 2.0])


@pytest.mark.parametrize("index", [torch.tensor([5, 0, 9]), [5, 0, 9], np.array([5, 0, 9]), torch.tensor([5.0, 0, 9])])
@pytest.mark.parametrize(
    "losses",
    [
        LOSSES[:, None], LOSSES.int(), LOSSES.double(), LOSSES.bfloat16(), LOSSES.clone().requires_grad_(),
        LOSSES.numpy(), LOSSES.tolist(), LOSSES[:, None].tolist(),
    ],
)  # fmt: skip
def test_losses_of_any_type_are_observed(index, losses):
    observed = losses_after(index, losses)
    assert torch.equal(observed[[5, 0, 9]], LOSSES)
    assert observed.isinf().sum() == N - 3


@pytest.mark.parametrize(
    ("index", "losses", "message"),
    [
        ([5, 0, 9], torch.tensor(0.5), r"reduction='none'.*got losses \(\)"),
        ([5, 0, 9], 0.5, r"got losses \(\)"),
        ([5, 0, 9], torch.rand(2), r"got losses \(2,\)"),
        ([5, 0, 9], torch.rand(3, 2), r"got losses \(3, 2\)"),
        ([5, 0, 9], torch.rand(1, 3), r"got losses \(1, 3\)"),
        ([5, 0, 9], torch.rand(3, 1, 1), r"got losses \(3, 1, 1\)"),
        ([5, 0, 9], torch.ones(3, dtype=torch.complex64), "the loss of each example"),
        ([5, 0, 9], "abc", "numbers"),
        ([5, 0, 9], [1, None, [2]], "numbers"),
        ([-1, 0, 9], LOSSES, r"in 0\.\.\d+, got -1 at position 0"),
        ([5, 0, N], LOSSES, f"got {N} at position 2"),
        ([5, 0, 5], LOSSES, "got 5 a second time at position 2"),
        ([0.5, 0, 9], LOSSES, "expected integer positions"),
        (torch.tensor([[5], [0], [9]]), LOSSES, "got an array of the shape"),
        (torch.tensor(5), LOSSES, "expected integer positions"),
    ],
)
def test_losses_that_belong_to_no_examples_are_refused_at_once(index, losses, message):
    with pytest.raises(ValueError, match=message):
        losses_after(index, losses)


def test_logits_belong_to_the_examples_too():
    sampler = make_sampler("InfoBatch")
    sampler.set_epoch(0)
    with pytest.raises(ValueError, match=r"got losses \(3,\) and logits \(2, 4\)"):
        sampler.update(torch.arange(3), LOSSES, torch.rand(2, 4))


def test_weights_of_examples_that_are_none_are_refused():
    sampler = make_sampler("InfoBatch")
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        sampler.update(sampler.index, sampler.index.float())
    for index in ([-1], [N]):
        with pytest.raises(ValueError, match=rf"expected positions in 0\.\.{N - 1}, got {index[0]}"):
            sampler.weights_of(torch.tensor(index))


@pytest.mark.parametrize("labels", [[0, 1, 2], [0, -1], [0.5, 1], [0, None], [[0], [1]], [], None, "01"])
def test_examples_have_a_class_each(labels):
    with pytest.raises(ValueError, match=r"labels|label"):
        Examples(labels, 2)


def test_examples_own_their_labels():
    labels = np.array([0, 1, 1])
    examples = Examples(labels, 2)
    labels[:] = 0
    assert examples.labels.tolist() == [0, 1, 1]
    assert Examples(torch.tensor([0, 1, 1]), 2).labels.dtype == np.int64
