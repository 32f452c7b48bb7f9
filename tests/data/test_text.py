"""Texts: their words, their networks, WordNet's glosses, and what only images can do."""

import json
from html import unescape

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from drd_plugin.artifacts import Scores, Subset
from drd_plugin.bench import Grid, Workers, find_experiment, read_results, run_grid
from drd_plugin.bench.report.bands import likelihood_bands
from drd_plugin.cli import main
from drd_plugin.core.job import Job
from drd_plugin.data import DataError, Dataset, Split, TextSplit, Vocabulary, from_texts, load, plant, take
from drd_plugin.data.text import PADDING, UNKNOWN, words_of
from drd_plugin.data.wordnet import CLASSES, DEBIAN_WORDNET, PARTS
from drd_plugin.deepcore.borrowed import DeepCoreMethod
from drd_plugin.deepcore.bridge import host_dataset
from drd_plugin.diffusion import Fit, denoiser_folder, fit_denoiser
from drd_plugin.exchange import export_subset
from drd_plugin.methods import METHODS, PUBLISHED, parse
from drd_plugin.scores import DRD, SCORES, FoldScore, Forgetting, MapScore
from drd_plugin.scoring import forecast, record, score
from drd_plugin.scoring.recording import record_into
from drd_plugin.selection import select
from drd_plugin.training import (
    NETS,
    TEXT_AUGMENTATIONS,
    Loader,
    Net,
    Recipe,
    build,
    features,
    for_texts,
    net_for,
    predict,
    train,
)
from drd_plugin.training.augment import augmentation
from drd_plugin.training.net import kind_of

TEXT_NETS = [name for name in NETS if kind_of(NETS[name]) == "texts"]
QUICK = Recipe(net="textcnn", steps=40, batch_size=32, optimizer="adamw", lr=0.02, evaluations=1)
CPU = torch.device("cpu")


def text_split(n, seed=0, vocabulary=None):
    """Texts of three classes, each with its class's keyword among words that say nothing."""
    rng = np.random.default_rng(seed)
    keywords, fillers = ["apple", "river", "engine"], [f"word{i}" for i in range(30)]
    labels = np.arange(n) % 3
    texts = [" ".join(rng.permutation([keywords[c], *rng.choice(fillers, rng.integers(1, 9))])) for c in labels]
    return from_texts("talk", texts, labels, ["fruit", "water", "machine"], vocabulary)


@pytest.fixture(scope="module")
def text_data():
    train = text_split(150)
    return Dataset(train, text_split(60, 1, train.vocabulary))


def weights_of(net):
    return torch.cat([value.flatten() for value in net.state_dict().values()])


def test_words_are_lower_case_runs_of_letters_and_digits():
    assert words_of("A well-known (2-year) plan; isn't it?") == [
        "a", "well", "known", "2", "year", "plan", "isn", "t", "it",
    ]  # fmt: skip
    assert words_of("Ein Überfluß an É") == ["ein", "überfluß", "an", "é"]
    assert words_of(" -- ; ") == []


def test_the_vocabulary_counts_texts_and_breaks_ties_by_the_alphabet():
    texts = ["b a a a", "b c", "a b d", "c"]
    vocabulary = Vocabulary.from_texts(texts)
    assert vocabulary.words == ("b", "a", "c")
    assert len(vocabulary) == 5
    assert Vocabulary.from_texts(texts, least=1).words == ("b", "a", "c", "d")
    assert Vocabulary.from_texts(texts, most=2).words == ("b", "a")
    assert Vocabulary.from_texts(texts[::-1]) == vocabulary


def test_the_length_is_that_of_95_percent_of_the_texts():
    texts = ["word " * n for n in range(1, 101)]
    assert Vocabulary.from_texts(texts).length == 96
    assert Vocabulary.from_texts(["word " * 1000] * 9).length == 256
    assert Vocabulary.from_texts(texts, length=7).length == 7
    assert Vocabulary.from_texts(["", ""]).length == 1


def test_numbers_are_padded_cut_and_unknown():
    vocabulary = Vocabulary(("the", "cat"), 3)
    numbers = vocabulary.numbers(["Cat", "the cat, the CAT", "a cat", "", "?!"])
    assert numbers.dtype == torch.int32
    assert numbers.tolist() == [[[row]] for row in ([3, 0, 0], [2, 3, 2], [1, 3, 0], [1, 0, 0], [1, 0, 0])]


@pytest.mark.parametrize(("words", "length"), [(("a", "a"), 3), (("a",), 0)])
def test_impossible_vocabularies_are_refused(words, length):
    with pytest.raises(DataError, match="needs distinct words and a length of at least 1"):
        Vocabulary(words, length)


def test_a_text_split_is_a_split(text_data):
    split = text_data.train
    assert isinstance(split, TextSplit)
    assert (split.kind, split.in_memory, len(split), split.num_classes) == ("texts", True, 150, 3)
    assert split.shape == (1, 1, split.vocabulary.length)
    assert split.form == (len(split.vocabulary), split.vocabulary.length)
    assert split.class_counts.tolist() == [50, 50, 50]
    assert torch.equal(split.images, split.vocabulary.numbers(split.texts))
    assert "word1" not in repr(split)


def test_words_of_the_test_set_are_unknown():
    train = from_texts("t", ["red ball", "red box", "blue ball"], [0, 1, 0])
    test = from_texts("t", ["green ball", "green box"], [0, 1], vocabulary=train.vocabulary)
    assert "green" not in train.vocabulary.words
    assert test.images.flatten(1)[:, 0].tolist() == [UNKNOWN, UNKNOWN]
    assert test.vocabulary is train.vocabulary


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a", None], [0, 1], "expected strings, got None at position 1"),
        (["a", "b", 3.0], [0, 1, 1], "expected strings, got 3.0 at position 2"),
        (["a", "b"], [0, 1, 1], "as many labels as texts and at least one, got 3 labels and 2 texts"),
        ([], [], "at least one, got 0 labels and 0 texts"),
        (["a", "b"], [0, 2], "no example of 1"),
        (["a", "b"], ["x", 1], "expected class names as labels, got 1 at position 1"),
        ("ab", [0, 1], "expected a list of texts, got a str"),
    ],
)
def test_unusable_texts_are_refused(texts, labels, message):
    with pytest.raises(DataError, match=message):
        from_texts("x", texts, labels)


def test_texts_and_numbers_belong_together(text_data):
    split = text_data.train
    fields = {"labels": split.labels, "classes": split.classes, "vocabulary": split.vocabulary}
    with pytest.raises(DataError, match=r"expected int32 texts, got torch\.uint8: build the split with from_texts"):
        TextSplit("x", split.images.to(torch.uint8), texts=split.texts, **fields)
    with pytest.raises(DataError, match=r"expected numbers of the shape \(149, 1, 1, 9\) for 149 texts"):
        TextSplit("x", split.images, texts=split.texts[1:], **fields)


def test_train_and_test_are_of_one_kind_and_vocabulary(text_data, tiny):
    with pytest.raises(DataError, match="read by another vocabulary than the training split: give from_texts"):
        Dataset(
            text_data.train, from_texts("talk", text_data.test.texts, text_data.test.labels, text_data.test.classes)
        )
    length = text_data.train.vocabulary.length
    pictures = Split(
        "p",
        torch.zeros(len(text_data.train), 1, 1, length, dtype=torch.uint8),
        text_data.train.labels,
        text_data.train.classes,
    )
    with pytest.raises(DataError, match=r"texts \(1, 1, 9\), the test split 3 and images \(1, 1, 9\); they must agree"):
        Dataset(text_data.train, pictures)


def test_the_fingerprint_sees_texts_labels_and_vocabulary():
    texts, labels = ["a b", "a c", "b a", "c"], [0, 1, 0, 1]
    one = from_texts("x", texts, labels).fingerprint
    assert one == from_texts("x", list(texts), np.array(labels)).fingerprint
    rare = from_texts("x", [*texts[:3], "d"], labels)
    both_unknown = Vocabulary(("a",), 2)
    others = [
        rare.fingerprint,
        from_texts("x", texts[::-1], labels[::-1]).fingerprint,
        from_texts("x", texts, [1, 0, 1, 0]).fingerprint,
        from_texts("x", texts, labels, vocabulary=both_unknown).fingerprint,
        from_texts("x", rare.texts, labels, vocabulary=both_unknown).fingerprint,
    ]
    assert len({one, *others}) == 6


def test_a_part_keeps_texts_and_numbers_together(text_data):
    split = text_data.train
    part = take(split, 60)
    assert isinstance(part, TextSplit)
    assert (len(part), part.made_from, part.vocabulary) == (60, split.fingerprint, split.vocabulary)
    assert torch.equal(part.images, split.vocabulary.numbers(part.texts))
    label_of = dict(zip(split.texts, split.labels, strict=True))
    assert [label_of[text] for text in part.texts] == part.labels.tolist()


def test_wrong_labels_can_be_planted_and_corruption_cannot(text_data):
    planted = plant(text_data.train, wrong_labels=0.2)
    assert isinstance(planted.split, TextSplit)
    assert planted.split.texts == text_data.train.texts
    assert np.array_equal(planted.split.labels != text_data.train.labels, planted.wrong)
    assert planted.split.made_from == text_data.train.fingerprint != planted.split.fingerprint
    with pytest.raises(DataError, match="talk holds texts, and only images can be corrupted: plant wrong labels"):
        plant(text_data.train, corrupted=0.1)


def test_the_loader_gives_numbers_as_they_are(text_data):
    index = torch.tensor([7, 3, 149])
    [(positions, numbers)] = Loader(text_data.train, CPU).over([index])
    assert numbers.dtype == torch.int64
    assert torch.equal(positions, index)
    assert torch.equal(numbers, text_data.train.images[index].long())


def batch(length=12, numbers=50):
    """Texts of one word to all, of random words."""
    chance = torch.Generator().manual_seed(0)
    texts = torch.randint(UNKNOWN, numbers, (length, 1, 1, length), generator=chance)
    return texts.masked_fill(torch.arange(length) > torch.arange(length).view(-1, 1, 1, 1), PADDING)


@pytest.mark.parametrize("name", TEXT_NETS)
def test_every_text_net_gives_logits_and_features(name):
    net = build(name, 50, 12, 5, seed=0, kind="texts").eval()
    with torch.no_grad():
        penultimate = net.backbone(batch())
        assert torch.allclose(net(batch()), net.head(penultimate))
    assert penultimate.shape == (12, net.head[1].in_features)
    assert net.head[1].out_features == 5
    assert net.backbone.embedding.weight[PADDING].count_nonzero() == 0


@pytest.mark.parametrize("name", TEXT_NETS)
@pytest.mark.parametrize("mode", [torch.inference_mode, torch.enable_grad])
def test_padding_changes_nothing(name, mode):
    net = build(name, 50, 12, 5, seed=0, kind="texts").eval()
    with mode():
        expected = net(batch())
        assert torch.allclose(net(F.pad(batch(), (0, 9))), expected, atol=1e-5)
        for i in range(12):
            alone = batch()[i : i + 1, ..., : i + 1]
            assert torch.allclose(net(alone), expected[i : i + 1], atol=1e-5)


@pytest.mark.parametrize("name", TEXT_NETS)
def test_words_and_their_order_matter(name):
    net = build(name, 50, 12, 5, seed=0, kind="texts").eval()
    text = torch.tensor([[[[5, 9, 2, 30]]]])
    with torch.no_grad():
        logits = net(text)
        assert not torch.allclose(net(text.flip(3)), logits, atol=1e-4)
        for place in range(4):
            changed = text.clone()
            changed[..., place] = 41
            assert not torch.allclose(net(changed), logits, atol=1e-4)


def test_textcnn_is_the_largest_of_each_convolution():
    backbone = build("textcnn", 50, 12, 5, seed=0, kind="texts").backbone
    words = [4, 7, 7, 20]
    vectors = [*backbone.embedding.weight[words], *torch.zeros(2, 32)]
    expected = []
    for reach, convolution in enumerate(backbone.convolutions, start=1):
        windows = [torch.stack(vectors[start : start + reach], 1) for start in range(4)]
        outputs = [(convolution.weight * window).sum((1, 2)) + convolution.bias for window in windows]
        expected.append(torch.stack(outputs).amax(0).clamp_min(0))
    computed = backbone(torch.tensor([*words, 0, 0, 0]).view(1, 1, 1, 7))
    assert torch.allclose(computed[0], torch.cat(expected), atol=1e-6)


@pytest.mark.parametrize("name", TEXT_NETS)
def test_texts_are_learned_the_same_way_twice(name, text_data):
    recipe = Recipe(
        net=name, steps=40, batch_size=32, optimizer="adamw", lr=0.02, augment="word_dropout", evaluations=1
    )
    one, two, other = (
        train(text_data.train, recipe, seed_order=seed, test=text_data.test, device="cpu") for seed in (0, 0, 1)
    )
    assert torch.equal(weights_of(one.net), weights_of(two.net))
    assert not torch.equal(weights_of(one.net), weights_of(other.net))
    assert one.acc_last == two.acc_last > 90
    assert one.net.backbone.embedding.weight[PADDING].count_nonzero() == 0
    assert (
        predict(one.net, text_data.test, "cpu").argmax(1).eq(torch.from_numpy(text_data.test.labels)).float().mean()
        > 0.9
    )
    assert features(one.net, text_data.test, "cpu").shape == (60, one.net.head[1].in_features)


@pytest.mark.parametrize("name", TEXT_NETS)
def test_bfloat16_learns_too(name, text_data):
    recipe = Recipe(net=name, steps=30, optimizer="adamw", lr=0.02, precision="bfloat16", evaluations=1)
    assert train(text_data.train, recipe, test=text_data.test, device="cpu").acc_last > 80


def test_nets_for_the_other_kind_are_refused(text_data, tiny):
    with pytest.raises(ValueError, match="convnet takes images, not texts: give one of textcnn, text_attention"):
        train(text_data.train, Recipe())
    with pytest.raises(ValueError, match="textcnn takes texts, not images: give one of convnet, "):
        train(tiny, QUICK)
    with pytest.raises(ValueError, match="takes texts, not images"):
        build("textcnn", 1, 8, 3, 0)
    with pytest.raises(ValueError, match="takes images, not texts"):
        net_for(text_data.train, "lenet", 0)


def test_augmentations_of_the_other_kind_are_refused(text_data, tiny):
    with pytest.raises(ValueError, match="shift is not one of texts: give one of none, word_dropout"):
        train(text_data.train, Recipe(net="textcnn", augment="shift"))
    with pytest.raises(ValueError, match="word_dropout is not one of images: give one of none, shift, "):
        train(tiny, Recipe(augment="word_dropout"))


def test_a_proxy_that_does_not_fit_leaves_nothing_behind(text_data, tmp_path):
    with pytest.raises(ValueError, match="takes images, not texts"):
        record_into(tmp_path / "out", text_data.train, {"Forgetting": Forgetting()}, Recipe(epochs=1), 0, Job("cpu"))
    assert not (tmp_path / "out").exists()


def test_a_function_can_be_marked_as_one_for_texts():
    @for_texts
    def bag(numbers, length, num_classes):
        """A bag of words."""
        return Net(nn.Sequential(nn.Flatten(), nn.EmbeddingBag(numbers, 4)), 4, num_classes)

    assert (kind_of(bag), kind_of(NETS["lenet"]), bag.__doc__) == ("texts", "images", "A bag of words.")


def test_word_dropout_loses_a_tenth_of_the_words_and_no_padding():
    texts, lose = batch(200), augmentation("word_dropout", "texts")
    one, two, other = (lose(texts, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert torch.equal(one == PADDING, texts == PADDING)
    changed = one != texts
    assert set(one[changed].tolist()) == {UNKNOWN}
    words = (texts > UNKNOWN).sum()
    assert abs(float(changed.sum() / words) - 0.1) < 4 * (0.09 / float(words)) ** 0.5
    assert torch.equal(TEXT_AUGMENTATIONS["none"](texts, torch.Generator()), texts)


def test_every_fold_watches_texts(text_data):
    folds = [kind() for kind in SCORES.values() if issubclass(kind, FoldScore)]
    recipe = Recipe(net="textcnn", epochs=12, batch_size=32, optimizer="adamw", lr=0.02, augment="word_dropout")
    recorded = record(text_data.train, folds, proxy=recipe, device="cpu", progress=False)
    for fold, scores in zip(folds, recorded, strict=True):
        assert np.isfinite(scores.values).all(), fold
        assert len(scores) == 150


@pytest.mark.parametrize("method", ["Random", "EL2N", "Moderate", "CCS", "BWS", "D2", "DRoP"])
def test_subsets_of_texts_are_selected_and_trained_on(method, text_data):
    proxy = QUICK.for_epochs(10)
    subset = select(text_data.train, method, 0.4, recipe=QUICK, proxy=proxy, device="cpu", progress=False)
    assert (len(subset), subset.fingerprint) == (60, text_data.train.fingerprint)
    assert train(text_data.train, QUICK, subset=subset, test=text_data.test, device="cpu").acc_last > 50


@pytest.mark.parametrize("name", [name for name, kind in SCORES.items() if issubclass(kind, MapScore)])
def test_scores_of_images_refuse_texts_before_anything_is_written(name, text_data, tmp_path):
    if name == "Uniform":
        assert len(score(text_data.train, name, progress=False)) == 150
        return
    for out in (None, tmp_path / "out"):
        with pytest.raises(DataError, match=f"{name} takes images, and talk holds texts: take a score that watches"):
            score(text_data.train, name, out=out, device="cpu", progress=False)
    assert not (tmp_path / "out").exists()


def test_a_map_score_of_another_package_takes_images_by_default(text_data):
    class Brightness(MapScore):
        higher_is_harder = True

        def prepare(self, *args, **kwargs):
            raise AssertionError

    assert Brightness.takes == ("images",)
    assert Forgetting().why_not(text_data.train) == ""
    with pytest.raises(DataError, match="Brightness takes images, and talk holds texts"):
        score(text_data.train, Brightness(), progress=False)


def test_methods_say_why_they_cannot_take_texts(text_data, digits):
    reasons = {name: method.why_not(text_data.train, QUICK, "cpu") for name, method in METHODS.items()}
    assert {name for name, reason in reasons.items() if reason} == {"DRD", "ELBO"}
    assert reasons["DRD"] == "DRD takes images, and talk holds texts"
    assert not any(method.why_not(digits.train, QUICK, "cpu") for method in PUBLISHED.values())
    assert parse("DRD+CCS").why_not(text_data.train, QUICK, "cpu") == reasons["DRD"]
    assert DeepCoreMethod("deepcore:GraNd", "GraNd").why_not(text_data.train, QUICK, "cpu") == (
        "DeepCore takes images, and talk holds texts"
    )


@pytest.mark.parametrize(
    "attempt",
    [
        lambda split, out: fit_denoiser(split, out, Fit(epochs=1)),
        lambda split, out: denoiser_folder("auto", split),
        lambda split, out: forecast(split, DRD(), CPU),
        lambda split, out: host_dataset(split),
        lambda split, out: likelihood_bands(split, Scores("DRD", np.ones((150, 1)), split.labels, True, "x")),
    ],
    ids=["fit", "denoiser", "forecast", "deepcore", "bands"],
)
def test_work_on_images_refuses_texts(attempt, text_data, tmp_path):
    with pytest.raises(DataError, match="takes images, and talk holds texts"):
        attempt(text_data.train, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_subset_of_texts_is_exported_as_numbers(text_data, tmp_path):
    subset = Subset(np.arange(5), 150, "made", text_data.train.fingerprint)
    with pytest.raises(DataError, match="an export as list or links takes images, and talk holds texts"):
        export_subset(subset, tmp_path / "list", "list", text_data.train)
    export_subset(subset, tmp_path / "subset.json", "json", text_data.train)
    assert json.loads((tmp_path / "subset.json").read_text()) == [0, 1, 2, 3, 4]


def synset(number, part, gloss, offset=1740):
    return f"{offset:08d} {number:02d} {PARTS[part][0]} 01 thing 0 001 @ 00001740 n 0000 | {gloss}  \n"


HEAD = "".join(f"  {line} WordNet 3.0 Copyright 2006 by Princeton University.  \n" for line in range(1, 30))


@pytest.fixture
def root(tmp_path):
    """Twelve glosses of each class, one of them twice, and another gloss that a noun and a verb share."""
    folder = tmp_path / "wordnet"
    folder.mkdir()
    for part in PARTS:
        numbers = [i for i, name in enumerate(CLASSES) if name.startswith(f"{part}.")]
        lines = [synset(i, part, f'kind {CLASSES[i]} and number {n}; "it is so"') for i in numbers for n in range(12)]
        (folder / f"data.{part}").write_text(HEAD + "".join(lines))
    repeated = synset(4, "noun", 'kind noun.act and number 0 - "it is so"')
    with (folder / "data.noun").open("a") as file:
        file.write(repeated + synset(5, "noun", "a made thing"))
    with (folder / "data.verb").open("a") as file:
        file.write(synset(30, "verb", "A made thing"))
    return folder


def test_glosses_are_read_and_a_tenth_is_held_out(root):
    data = load("wordnet_glosses", root)
    assert (len(data.train), len(data.test)) == (486, 55)
    assert data.train.classes == CLASSES
    assert len(set(CLASSES)) == 45
    together = data.train.class_counts + data.test.class_counts
    assert together.tolist() == [13 if name == "noun.animal" else 12 for name in CLASSES]
    assert set(data.test.class_counts) <= {1, 2}
    for split in (data.train, data.test):
        for text, label in zip(split.texts, split.labels, strict=True):
            assert text == "a made thing" or text.startswith(f"kind {CLASSES[label]} and number ")
    assert load("wordnet_glosses", root).train.fingerprint == data.train.fingerprint


def test_no_gloss_comes_twice(root):
    data = load("wordnet_glosses", root)
    texts = [tuple(words_of(text)) for text in (*data.train.texts, *data.test.texts)]
    assert len(set(texts)) == len(texts)
    labels = dict(zip((*data.train.texts, *data.test.texts), (*data.train.labels, *data.test.labels), strict=True))
    assert labels["a made thing"] == 5  # nouns come before verbs
    assert "A made thing" not in labels


def test_the_folder_above_dict_is_accepted(root):
    before = load("wordnet_glosses", root).train.fingerprint
    root.rename(root.parent / "dict")
    assert load("wordnet_glosses", root.parent).train.fingerprint == before


def test_missing_files_say_how_to_get_them(root, monkeypatch):
    (root / "data.verb").unlink()
    with pytest.raises(DataError, match=r"found no data.noun, data.verb, .* in .*wordnet.*: install .* wordnet-base"):
        load("wordnet_glosses", root)
    monkeypatch.setattr("drd_plugin.data.wordnet.DEBIAN_WORDNET", root / "nothing")
    with pytest.raises(DataError, match=r"in .*nothing or .*nothing/dict: install .* WNdb-3.0.tar.gz .* as the root"):
        load("wordnet_glosses")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text + "00001740 29 v 01 be 0 000\n", r"data.verb is damaged in line 211: .* '00001740 29 v"),
        (lambda text: text + synset(29, "verb", " "), "damaged in line 211"),
        (lambda text: text + synset(4, "verb", "a gloss"), "expected a synset of one of verb's files, with a gloss"),
        (lambda text: text + synset(29, "noun", "a gloss"), "damaged in line 211"),
        (lambda text: text + synset(45, "verb", "a gloss"), "damaged in line 211"),
        (lambda text: text + "\n", "damaged in line 211"),
        (lambda text: text[:-20], "data.verb is cut off after line 209"),
        (lambda text: "", "data.verb is cut off after line 0"),
        (lambda text: text.replace(" 43 v ", " 42 v "), "have 0 glosses of verb.weather, expected at least 2 of each"),
        (lambda text: text + "\udcff", "data.verb cannot be read"),
    ],
)
def test_damaged_files_are_named(root, damage, message):
    path = root / "data.verb"
    path.write_bytes(damage(path.read_text()).encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=message):
        load("wordnet_glosses", root)


def test_glosses_have_no_size(root):
    with pytest.raises(DataError, match="wordnet_glosses holds texts, which have no size in pixels, got 32"):
        load("wordnet_glosses", root, 32)


@pytest.mark.skipif(not DEBIAN_WORDNET.is_dir(), reason="Debian's package wordnet-base is not installed")
def test_debians_glosses_have_a_fixed_fingerprint():
    data = load("wordnet_glosses")
    assert (len(data.train), len(data.test), data.train.num_classes) == (105_325, 11_703, 45)
    assert data.train.fingerprint == "wordnet_glosses:0b47be9fc76e20e7"
    assert (len(data.train.vocabulary), data.train.vocabulary.length) == (20_002, 27)
    assert data.train.vocabulary.words[:3] == ("a", "of", "the")
    assert not set(data.train.texts) & set(data.test.texts)
    shares = data.train.class_counts / len(data.train) - data.test.class_counts / len(data.test)
    assert np.abs(shares).max() < 1e-4
    numbered = set(data.train.vocabulary.words)
    rare = next(word for text in data.test.texts for word in words_of(text) if word not in numbered)
    assert sum(rare in words_of(text) for text in data.train.texts if rare in text.lower()) < 5


def test_a_grid_leaves_out_what_needs_images(root, tmp_path):
    grid = Grid(
        "talk", ("Random", "DRD", "AUM"), (0.5,), (0,), {"name": "wordnet_glosses", "root": str(root)},
        recipe=QUICK, proxy=QUICK.for_epochs(2),
    )  # fmt: skip
    store = run_grid(grid, Workers(tmp_path / "out", device="cpu", workers=1, progress=False))
    assert set(store.frame()["method"]) == {"Random", "AUM", "Full"}
    assert store.left_out == {"DRD": "DRD takes images, and wordnet_glosses holds texts"}
    assert "DRD takes images" in read_results(tmp_path / "out").text


def test_a_grid_with_a_net_for_images_is_refused_before_it_scores(root, tmp_path):
    grid = Grid("talk", ("AUM",), (0.5,), (0,), {"name": "wordnet_glosses", "root": str(root)}, nets=("lenet",))
    with pytest.raises(ValueError, match="lenet takes images, not texts"):
        run_grid(grid, Workers(tmp_path / "out", device="cpu", progress=False))
    assert not (tmp_path / "out").exists()


def test_the_main_experiment_has_a_size_of_texts():
    grid = find_experiment("main", "wordnet_glosses").grid
    assert kind_of(NETS[grid.recipe.net]) == kind_of(NETS[grid.proxy.net]) == "texts"
    assert set(find_experiment("main", "digits").grid.methods) - set(grid.methods) == {"DRD"}


def test_the_commands_take_texts(root, tmp_path, capsys):
    data = ["--dataset", "wordnet_glosses", "--root", str(root), "--device", "cpu"]
    recipe = ["--net", "textcnn", "--batch-size", "64", "--optimizer", "adamw", "--lr", "0.02"]
    out = str(tmp_path / "forgetting")
    main(["score", "Forgetting", *data, *recipe, "--epochs", "3", "--out", out])
    main(["record", *data, *recipe, "--epochs", "3", "--scores", "AUM", "--features", "--out", str(tmp_path / "all")])
    subset = str(tmp_path / "subset.json")
    main([
        "select", "--scores", out, "--strategy", "BWS[selector=train]", "--fraction", "0.5", "--out", subset,
        "--root", str(root), "--device", "cpu", *recipe, "--steps", "5",
    ])  # fmt: skip
    capsys.readouterr()
    main(["train", *data, *recipe, "--steps", "5", "--subset", subset])
    rows, factors = str(tmp_path / "all" / "features.safetensors"), tmp_path / "factors"
    main(["factors", *data, "--features", rows, "--steps", "5", "--out", str(factors)])
    sheet = unescape((factors / "factors.md").read_text())
    assert any(text in sheet for text in load("wordnet_glosses", root).train.texts)
    assert not (factors / "factors.png").exists()
    assert "of 486 examples" in capsys.readouterr().out
    main(["list"])
    listing = capsys.readouterr().out
    for name in ("wordnet_glosses", "textcnn", "text_attention"):
        assert name in listing


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["score", "DRD", "--out", "out"], "DRD takes images, and wordnet_glosses holds texts"),
        (["score", "ELBO", "--out", "out", "--dry-run"], "ELBO takes images, and wordnet_glosses holds texts"),
        (["fit", "--out", "out"], "a denoiser takes images, and wordnet_glosses holds texts"),
        (["timestep"], "a diffusion model takes images, and wordnet_glosses holds texts"),
        (["train"], "the net convnet takes images, not texts"),
        (["train", "--net", "textcnn", "--size", "8"], "have no size in pixels, got 8"),
    ],
)
def test_commands_for_images_say_so(root, tmp_path, monkeypatch, command, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"drd-plugin: .*{message}"):
        main([*command, "--dataset", "wordnet_glosses", "--root", str(root), "--device", "cpu"])


@pytest.fixture
def saved(tmp_path):
    datasets = pytest.importorskip("datasets")

    def save(columns, parts, kinds=None):
        features = {name: datasets.Value("string") for name in columns}
        features["kind"] = datasets.ClassLabel(names=["x", "y"])
        tables = {
            part: datasets.Dataset.from_dict(rows, features=datasets.Features({**features, **(kinds or {})}))
            for part, rows in parts.items()
        }
        datasets.DatasetDict(tables).save_to_disk(tmp_path / "saved")
        return tmp_path / "saved"

    return save


def test_hugging_face_texts_from_disk(saved):
    words = {"title": [f"t{i}" for i in range(10)], "body": [f"a long body of number {i}" for i in range(10)]}
    parts = {
        "train": {**words, "kind": [0, 1] * 5},
        "test": {"title": ["a long title indeed, longer than any body"], "body": ["a body"], "kind": [-1]},
        "validation": {"title": ["t", "u"], "body": ["a short body", "unheard"], "kind": [1, 0]},
    }
    data = load("hf:saved", saved(["title", "body"], parts))
    assert isinstance(data.train, TextSplit)
    assert (data.train.name, data.train.classes) == ("hf:saved", ("x", "y"))
    assert data.train.texts == tuple(words["body"])
    assert data.test.texts == ("a short body", "unheard")
    assert data.test.labels.tolist() == [1, 0]
    assert data.test.vocabulary is data.train.vocabulary
    assert "unheard" not in data.train.vocabulary.words


def test_hugging_face_texts_without_a_test_part(saved):
    rows = {"text": [f"text {i % 4} of {i}" for i in range(20)], "kind": [0, 1] * 10}
    folder = saved(["text"], {"train": rows})
    data = load("hf:saved", folder)
    assert (len(data.train), len(data.test)) == (16, 4)
    assert {*data.train.texts, *data.test.texts} == set(rows["text"])
    with pytest.raises(DataError, match="hf:saved holds texts, which have no size in pixels, got 32"):
        load("hf:saved", folder, 32)


def test_hugging_face_sets_with_broken_or_no_texts(saved):
    datasets = pytest.importorskip("datasets")
    folder = saved([], {"train": {"x": list(range(20)), "kind": [0, 1] * 10}}, {"x": datasets.Value("int64")})
    with pytest.raises(DataError, match=r"found no column of images or strings among .*'x'"):
        load("hf:saved", folder)


def test_a_missing_text_is_named(saved):
    rows = {"text": ["a", "b", "c", None] * 5, "kind": [0, 1] * 10}
    with pytest.raises(DataError, match="hf:saved, train: row 3 has no text in the column text"):
        load("hf:saved", saved(["text"], {"train": rows}))
