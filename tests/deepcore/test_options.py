"""Options without flags."""

import json
import re

import pytest
from checkout import Shapes, args_of

from drd_plugin.core.registry import UnknownName
from drd_plugin.deepcore import configure, method_class


def test_options_from_a_call_come_before_those_of_the_file(tmp_path, monkeypatch, no_options, caplog):
    caplog.set_level("INFO", "drd_plugin")
    (tmp_path / "options.toml").write_text('[CCS]\nstrata = 7\ncutoff = 0.1\n["EL2N+CCS"]\nstrata = 3\n')
    monkeypatch.setenv("DRD_PLUGIN_CONFIG", str(tmp_path / "options.toml"))
    configure("CCS", strata=9)
    method = method_class("CCS")(Shapes(60), args_of(save_path=str(tmp_path)), 0.2, 0, epochs=1)
    assert (method.method.strategy.strata, method.method.strategy.cutoff) == (9, 0.1)
    method.select()
    assert "Strata(variant='official', strata=9, cutoff=0.1" in caplog.text
    stored = json.loads(next(tmp_path.glob("CCS_0.2_seed0_*.subset.json")).read_text())
    assert '"strata": 9' in json.dumps(stored)
    caplog.clear()
    method.select()
    assert "Strata" not in caplog.text, "once in a script"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[CCS]\nstrate = 7\n", "did you mean 'strata'"),
        ("[CSS]\nstrata = 7\n", "did you mean 'CCS'"),
        ("CCS = 7\n", "expected a table for each selection, got CCS = 7"),
        ("[CCS\n", "cannot be read as TOML"),
        ('[CCS]\nstrata = "many"\n', "strata"),
    ],
)
def test_options_that_are_wrong_are_named(tmp_path, monkeypatch, no_options, content, message):
    (tmp_path / "options.toml").write_text(content)
    monkeypatch.setenv("DRD_PLUGIN_CONFIG", str(tmp_path / "options.toml"))
    with pytest.raises(ValueError, match=re.escape(message)):
        method_class("CCS")(Shapes(60), args_of(), 0.2, 0, epochs=1)


def test_a_wrong_option_is_refused_at_once(no_options):
    with pytest.raises(UnknownName, match="unknown setting of CCS 'draws'"):
        configure("CCS", draws=3)
