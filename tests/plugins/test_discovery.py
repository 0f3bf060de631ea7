"""Finding the plug-ins of a group."""

import threading
from typing import Any

import pytest
from support.plugins import InstallPlugin

from foxing.encoder import CODECS, CodecError, CodecOptions, CodecPlugin, load_codec
from foxing.memory import Memory
from foxing.memory.codec_source import CodecSource
from foxing.renderer import PluginError, Plugins

CALLED = "checked"


def check(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise PluginError(f"'{name}' is no text")
    return f"{CALLED} {value}"


@pytest.fixture
def plugins() -> Plugins[str]:
    return Plugins("foxing.test_things", check)


def test_plugins_are_found_when_they_are_installed(plugins: Plugins[str], install_plugin: InstallPlugin) -> None:
    assert plugins.names() == []
    with pytest.raises(PluginError, match=r"no installed package declares 'one' in foxing.test_things"):
        plugins.get("one")
    install_plugin(plugins, "one", "1")
    install_plugin(plugins, "bad", 2)
    assert plugins.names() == ["bad", "one"]
    assert [(item.name, item.value) for item in plugins.working()] == [("one", "checked 1")]
    assert [(item.name, item.reason) for item in plugins.broken()] == [("bad", "'bad' is no text")]
    with pytest.raises(PluginError, match=r"'bad' in foxing.test_things, from the package .*, cannot be used"):
        plugins.get("bad")


def test_the_first_package_keeps_a_name(plugins: Plugins[str], install_plugin: InstallPlugin) -> None:
    install_plugin(plugins, "one", "1", package="a")
    install_plugin(plugins, "one", "2", package="b")
    assert plugins.get("one").value == "checked 1"
    assert [(item.name, item.package) for item in plugins.broken()] == [("one", "b-1")]


def test_a_plugin_is_imported_once_by_several_threads(install_plugin: InstallPlugin) -> None:
    checked: list[str] = []

    def slow(name: str, value: object) -> object:
        checked.append(name)
        return value

    plugins: Plugins[Any] = Plugins("foxing.test_things", slow)
    install_plugin(plugins, "one", 1)
    threads = [threading.Thread(target=plugins.get, args=("one",)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert checked == ["one"]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("text", "names a str, not a foxing.encoder.CodecPlugin"),
        (CodecPlugin("other", "Misnamed.", lambda *_: None, CodecOptions), "give both the same name"),
        (
            CodecPlugin("odd", "No options.", lambda *_: None, dict),
            "not a subclass of foxing.encoder.CodecOptions",
        ),
        (CodecPlugin("odd", "Without a loader.", None, CodecOptions), "its load is not a function"),
    ],
)
def test_a_codec_that_is_not_one_is_named_with_the_reason(
    install_plugin: InstallPlugin, value: Any, reason: str
) -> None:
    install_plugin(CODECS, "odd", value)
    with pytest.raises(CodecError, match=reason):
        load_codec("odd")
    assert load_codec("native", "cpu").name == "native"


def test_options_reach_the_codec_that_they_are_for(install_plugin: InstallPlugin, database_url: str) -> None:
    class Options(CodecOptions):
        size: int = 1

    given: list[Options] = []

    def load(device: str, options: Options) -> Any:
        given.append(options)
        return load_codec("native", device)

    install_plugin(CODECS, "sized", CodecPlugin("sized", "For tests.", load, Options, bundled=True))
    both = {"native": {}, "sized": {"size": 2}}
    CodecSource("native", "cpu", both).named("sized")
    CodecSource("sized", "cpu", Options(size=3)).current()
    CodecSource("sized", "cpu", Options(size=4)).named("native")
    assert [options.size for options in given] == [2, 3]
    wrong = {"sized": {"size": "many"}}
    with (
        Memory(database_url, codec="sized", device="cpu", codec_options=wrong) as memory,
        pytest.raises(CodecError, match="the option 'size' of the codec 'sized'"),
    ):
        memory.check()
