"""The routing file: what is read, what is refused and how, which call goes where."""

from __future__ import annotations

import asyncio
import json
import wave
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from realtime_core import ConfigError, SemanticVAD, ServerVAD, Tool
from realtime_core.clock import LoopClock
from realtime_telephony.leg import CallInfo
from realtime_telephony.routing import Routing, load_routing, read_routing
from tests.telephony.kit import THEY_PACE, WE_PACE, StubLeg

SERVER = "[server.http]\n"
INLINE = 'credential = { provider = "openai", apiKey = "${OPENAI_API_KEY}" }\n'
DEFAULT = f"[default]\n{INLINE}"
SECRET = "correct horse battery staple"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    monkeypatch.setenv("CALLS_SECRET", SECRET)
    monkeypatch.setenv("SHORT_SECRET", "short")
    monkeypatch.setenv("ODD_SECRET", "correct horse b\udcffttery staple")
    monkeypatch.setenv("TOKEN", "vendor-token-1234567890")
    monkeypatch.setenv("SID", "AC0123456789")


def read(text: str, folder: Path | None = None) -> Routing:
    return read_routing(text, file="calls.toml", folder=folder or Path())


def refused(text: str, folder: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, folder)
    assert caught.value.__cause__ is None or "secret" not in str(caught.value.__cause__)
    return str(caught.value)


def refused_by_check(text: str, folder: Path | None = None) -> str:
    routing = read(text, folder)
    with pytest.raises(ConfigError) as caught:
        routing.check()
    return str(caught.value)


def call(leg: str = "asterisk", **known: Any) -> CallInfo:
    return CallInfo(leg=leg, call_id=known.pop("call_id", "1"), **known)


def name_of(routing: Routing, info: CallInfo) -> str | None:
    route = routing.route_for(info)
    return None if route is None else route.name


def with_routes(*conditions: str, default: bool = True) -> Routing:
    routes = "".join(f"[[route]]\n{each}\n{INLINE}" for each in conditions)
    return read(SERVER + routes + (DEFAULT if default else ""))


def with_route(lines: str) -> str:
    return f'{SERVER}[[route]]\ndialled = "1"\n{INLINE}{lines}\n'


def test_the_example_is_complete_and_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("REALTIME_CALLS_SECRET", SECRET)
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    text = (files("realtime_telephony") / "calls.example.toml").read_text("utf-8")
    routing = read(text, tmp_path)
    routing.check()
    assert [route.name for route in routing.all_routes] == ["sales", "lift", "default"]
    assert name_of(routing, call(dialled="+4930999")) == "sales"


def test_the_first_route_that_fits_takes_the_call() -> None:
    routing = with_routes('name = "a"\ndialled = "100"', 'name = "b"\ndialled = ["10*", "+49*"]')
    assert name_of(routing, call(dialled="100")) == "a"
    assert name_of(routing, call(dialled="101")) == "b"
    assert name_of(routing, call(dialled="+4930")) == "b"
    assert name_of(routing, call(dialled="+1")) == "default"
    assert name_of(routing, call()) == "default"


def test_without_a_default_route_a_call_that_fits_none_has_none() -> None:
    routing = with_routes('dialled = "100"', default=False)
    assert name_of(routing, call(dialled="200")) is None
    assert name_of(routing, call(dialled="100")) == "route1"


A_UUID = "40325ec2-5efd-4bd3-805f-53576e581d13"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('dialled = "1*"', 'dialled = ["10", "12*"]'),
        ('caller = ["1", "*"]', 'leg = "twilio"'),
        ('leg = ["twilio", "plivo"]', 'leg = "plivo"\ndialled = "1"'),
        ('uuid = "4*"', f'uuid = "{A_UUID}"'),
        ('leg = "audiosocket"', f'uuid = "{A_UUID}"'),
        ('uuid = "*"', 'leg = "audiosocket"'),
        ('leg = ["asterisk", "audiosocket", "plivo", "telnyx", "twilio"]', 'dialled = "1"'),
        ('parameters = { shop = "*" }', 'parameters = { shop = "north", tier = "gold" }'),
    ],
)
def test_a_route_that_never_gets_a_call_is_refused(earlier: str, later: str) -> None:
    text = f"{SERVER}[[route]]\n{earlier}\n{INLINE}[[route]]\n{later}\n{INLINE}"
    assert "route[2]: 'route2' never gets a call: 'route1' before it takes them all" in refused(
        text
    )


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('dialled = ["10", "12*"]', 'dialled = "1*"'),
        ('dialled = "1*"', 'caller = "1*"'),
        ('leg = "twilio"', 'leg = ["twilio", "plivo"]'),
        ('leg = "twilio"', 'dialled = "1"'),
        (f'uuid = "{A_UUID}"', 'uuid = "*"'),
        ('uuid = "*"', 'dialled = "1"'),
        (f'uuid = "{A_UUID}"', 'leg = "audiosocket"'),
        ('leg = "audiosocket"', 'dialled = "1"'),
        ('parameters = { shop = "*" }', 'parameters = { tier = "*" }'),
    ],
)
def test_a_route_that_may_get_a_call_is_taken(earlier: str, later: str) -> None:
    with_routes(earlier, later)


def test_a_star_takes_a_call_of_which_nothing_is_known() -> None:
    assert name_of(with_routes('dialled = "*"'), call()) == "route1"


def test_all_conditions_have_to_be_met() -> None:
    routing = with_routes(
        'leg = ["twilio", "plivo"]\ncaller = "+1*"\nparameters = { tier = ["gold", "silver"], lang = "*" }'
    )
    fits = {"tier": "gold", "lang": ""}
    assert name_of(routing, call("twilio", caller="+1555", parameters=fits)) == "route1"
    assert name_of(routing, call("telnyx", caller="+1555", parameters=fits)) == "default"
    assert name_of(routing, call("plivo", caller="+2555", parameters=fits)) == "default"
    assert name_of(routing, call("plivo", caller="+1", parameters={"tier": "tin"})) == "default"
    assert name_of(routing, call("plivo", caller="+1", parameters={"tier": "gold"})) == "default"


def test_a_uuid_is_audiosockets_alone_and_of_any_case() -> None:
    uuid = "40325ec2-5efd-4bd3-805f-53576e581d13"
    routing = with_routes(f'uuid = "{uuid.upper()}"', 'name = "any"\nuuid = "*"')
    assert name_of(routing, call("audiosocket", call_id=uuid)) == "route1"
    assert name_of(routing, call("audiosocket", call_id=uuid[:-1] + "4")) == "any"
    assert name_of(routing, call("asterisk", call_id=uuid)) == "default"


def test_a_route_holds_what_the_file_says(tmp_path: Path) -> None:
    route = read(
        with_route(
            'name = "x"\ninstructions = "Be brief."\nvoice = "marin"\ngreeting = "Hello."\ntemperature = 0.7\n'
            'vad = { silence_ms = 400, threshold = 0.4, interrupt = false }\nhang_up = false\ntransfer = { desk = "100" }\n'
            'fallback = "f.wav"\nrecord = "r"\npicture = "p"\ntool_timeout_s = 5\nstart_timeout_s = 6\nvendor = { audio = { speed = 1.1 } }'
        ),
        tmp_path,
    ).routes[0]
    options = route.options
    assert (options.system_prompt, options.voice, options.temperature) == (
        "Be brief.",
        "marin",
        0.7,
    )
    assert options.vad == ServerVAD(silence_ms=400, threshold=0.4, interrupt=False)
    assert (options.tool_timeout_s, options.start_timeout_s) == (5, 6)
    assert options.vendor == {"audio": {"speed": 1.1}}
    assert (route.greeting, route.hang_up, route.transfer) == ("Hello.", False, {"desk": "100"})
    assert (route.fallback, route.record, route.picture) == (
        tmp_path / "f.wav",
        tmp_path / "r",
        tmp_path / "p",
    )
    assert route.credential == {"provider": "openai", "apiKey": "sk-from-the-environment"}
    assert "sk-from" not in repr(route)


@pytest.mark.parametrize(
    ("line", "greeting"), [("", None), ("greeting = false", None), ("greeting = true", "")]
)
def test_a_greeting_is_wanted_or_not(line: str, greeting: str | None) -> None:
    assert read(with_route(line)).routes[0].greeting == greeting


def test_a_semantic_vad() -> None:
    vad = read(with_route('vad = { type = "semantic", eagerness = "high" }')).routes[0].options.vad
    assert vad == SemanticVAD(eagerness="high")


def test_a_credential_may_stand_in_a_json_file(tmp_path: Path) -> None:
    text = f'{SERVER}[default]\ncredential = "openai.json"\n'
    stored = {"provider": "openai", "api_key": "${OPENAI_API_KEY}", "list": ["${SID}", 1]}
    (tmp_path / "openai.json").write_text(json.dumps(stored))
    default = read(text, tmp_path).default
    assert default is not None
    assert default.credential == {
        "provider": "openai",
        "api_key": "sk-from-the-environment",
        "list": ["AC0123456789", 1],
    }
    (tmp_path / "openai.json").write_text('{"provider": "openai", "apiKey": "secret" oops')
    problem = refused(text, tmp_path)
    assert problem.startswith("calls.toml, line 3: default.credential: ")
    assert "is not JSON" in problem
    assert '"secret"' not in problem
    (tmp_path / "openai.json").write_text("9" * 5000)
    assert "a number in it is too long" in refused(text, tmp_path)
    (tmp_path / "openai.json").write_text("[]")
    assert "holds JSON, but no object" in refused(text, tmp_path)
    (tmp_path / "openai.json").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in refused(text, tmp_path)
    (tmp_path / "openai.json").unlink()
    assert "cannot be read" in refused(text, tmp_path)


WRONG = [
    ("", "calls.toml: expected [server.audiosocket], [server.http] or both"),
    ("[server", "calls.toml, line 1: expected TOML: "),
    (SERVER, "calls.toml: expected [[route]] or [default]"),
    ("servr = 1\n" + SERVER + DEFAULT, "calls.toml, line 1: servr: unknown key; did you mean 'server'?"),
    ("[server]\nmost_call = 3\n" + SERVER + DEFAULT, "server.most_call: unknown key; did you mean 'most_calls'?"),
    ("[server]\nmost_calls = 0\n" + SERVER + DEFAULT, "server.most_calls: expected a whole number from 1 to 10000, got 0"),
    ("[server]\ndrain_s = '5'\n" + SERVER + DEFAULT, "server.drain_s: expected a number from 0 to 86400, got '5'"),
    ("[server]\nhttp = 5\n" + DEFAULT, "server.http: expected a table, got 5"),
    ("[server.http]\nport = 70000\n" + DEFAULT, "server.http.port: expected a whole number from 0 to 65535"),
    ("[server.http]\nhost = 'example.org'\n" + DEFAULT, "server.http.host: expected an IP address or localhost"),
    ("[server]\npublic_url = 'calls.example.org'\n" + SERVER + DEFAULT, "server.public_url: expected a URL such as wss://"),
    ("[server]\nshared_secret = 'x'\n" + SERVER + DEFAULT, "server.shared_secret: the secret does not belong into the file"),
    ("[server]\nshared_secret_env = 'GONE'\n" + SERVER + DEFAULT, "the environment variable GONE is not set"),
    ("[server]\nshared_secret_env = 'ODD_SECRET'\n" + SERVER + DEFAULT, "the environment variable ODD_SECRET, of those that a header can carry"),
    ("[server]\nshared_secret_env = 'SHORT_SECRET'\n" + SERVER + DEFAULT, "expected at least 16 characters in the environment variable SHORT_SECRET"),
    (SERVER + "[server.twilio]\nauth_token_env = 'TOKEN'\n" + DEFAULT, "server.twilio.account_sid_env: expected the name of an environment variable"),
    (SERVER + "[server.twilio]\naccount_sid_env = 'SID'\nauth_token_env = 'TOKEN'\ntoken = 1\n" + DEFAULT, "server.twilio.token: unknown key"),
    ("route = 5\n" + SERVER, "calls.toml, line 1: route: expected tables, each under [[route]], got 5"),
    (SERVER + "[[route]]\n" + INLINE, "route[1].dialled: expected a condition"),
    (SERVER + "[default]\ndialled = '1'\n" + INLINE, "default.dialled: unknown key"),
    (SERVER + "[[route]]\ndialled = '4*9'\n" + INLINE, "route[1].dialled: expected * only at the end, got '4*9'"),
    (SERVER + "[[route]]\nleg = 'sip'\n" + INLINE, "route[1].leg: expected asterisk, audiosocket, plivo, telnyx, twilio, got 'sip'"),
    (SERVER + "[[route]]\nleg = 'twilio'\nuuid = '*'\n" + INLINE, "route[1].uuid: only calls on audiosocket have one"),
    (SERVER + "[[route]]\ndialled = 5\n" + INLINE, "route[1].dialled: expected a string or a list of strings, got 5"),
    (SERVER + "[[route]]\ndialled = []\n" + INLINE, "route[1].dialled: expected at least one string, got an empty list"),
    (SERVER + "[default]\n", "default.credential: expected a table such as"),
    (SERVER + '[default]\ncredential = "\\u0000"\n', "default.credential: no file has such a name"),
    (SERVER + "[default]\ncredential = { model = 'x' }\n", "default.credential: expected a provider"),
    (SERVER + "[default]\ncredential = { provider = 'openai', apiKey = '${GONE}' }\n", "default.credential.apiKey: the environment variable GONE is not set"),
    (with_route("greeting = 5"), "route[1].greeting: expected a string, true for the usual one, or false for none"),
    (with_route("voice = ''"), "route[1].voice: expected a string that is not blank"),
    (with_route("instructions = 5"), "route[1].instructions: expected a string, got 5"),
    (with_route("hang_up = 'yes'"), "route[1].hang_up: expected true or false, got 'yes'"),
    (with_route("transfer = { desk = 100 }"), "route[1].transfer.desk: expected a string, got 100"),
    (with_route("vad = { type = 'servr' }"), "route[1].vad.type: expected one of server, semantic, got 'servr'; did you mean 'server'?"),
    (with_route("vad = { silence = 5 }"), "route[1].vad.silence: unknown key; did you mean 'silence_ms'?"),
    (with_route("voise = 'x'"), "route[1].voise: unknown key; did you mean 'voice'?"),
    (with_route("tools = 'bakery'"), "route[1].tools: expected module:name, got 'bakery'"),
    (with_route("tools = 'no_such_module:x'"), "route[1].tools: 'no_such_module:x': ModuleNotFoundError"),
    (with_route("tools = 'json:nothing'"), "route[1].tools: 'json:nothing': AttributeError"),
    (with_route("tools = 'json:__name__'"), "route[1].tools: 'json:__name__': expected a Tool, several of them, or a plain function"),
    (with_route("vendor = 5"), "route[1].vendor: expected a table, got 5"),
    (with_route("temperature = 'hot'"), "route[1].temperature: expected a number from 0 to 10, got 'hot'"),
    ("[server]\npublic_url = 'wss://[::1'\n" + SERVER + DEFAULT, "server.public_url: expected a URL such as wss://"),
    ("[server]\npublic_url = 'wss://a.example:99999'\n" + SERVER + DEFAULT, "server.public_url: expected a URL such as wss://"),
    ("[server]\npublic_url = 'wss://a .example'\n" + SERVER + DEFAULT, "server.public_url: expected a URL such as wss://"),
    (SERVER + "[server.telnyx]\napi_key_env = 'TOKEN'\nbase_url = 'api.telnyx.com'\n" + DEFAULT, "server.telnyx.base_url: expected a URL such as https://api.telnyx.com"),
    ("[server.http]\nport = 9092\n[server.audiosocket]\n" + DEFAULT, "server.http.port: expected another port than 9092, where AudioSocket listens"),
    ("[server.audiosocket]\nsilent_rate_hz = 9000\n" + DEFAULT, "server.audiosocket.silent_rate_hz: expected one of 8000, 12000, 16000"),
    ("[server.audiosocket]\nsilent_rate_hz = '8000'\n" + DEFAULT, "server.audiosocket.silent_rate_hz: expected one of 8000, 12000, 16000"),
    (SERVER + "[[route]]\nparameters = { shop = 'n*h' }\n" + INLINE, "route[1].parameters.shop: expected * only at the end, got 'n*h'"),
    (SERVER + "[[route]]\ndialled = '1'\nname = 'a'\n" + INLINE + "[[route]]\ndialled = '1'\n" + INLINE, "route[2]: 'route2' never gets a call: 'a' before it takes them all"),
    (SERVER + "[[route]]\ncaller = ['1', '*']\n" + INLINE + "[[route]]\nleg = 'twilio'\n" + INLINE, "route[2]: 'route2' never gets a call: 'route1' before it takes them all"),
    (with_route("name = 'default'") + DEFAULT, "route[1].name: 'default' is the name of another route too"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_what_is_wrong_is_refused_with_file_key_and_expectation(text: str, says: str) -> None:
    problem = refused(text)
    assert says in problem
    assert problem.startswith("calls.toml")


def test_a_secret_in_the_place_of_a_variables_name_is_not_repeated() -> None:
    problem = refused("[server]\nshared_secret_env = 'hunter2-hunter2'\n" + SERVER + DEFAULT)
    assert "expected the name of an environment variable" in problem
    assert "hunter2" not in problem


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ("[server.http]\nhost = '0.0.0.0'\n", "line 1: server.http: host 0.0.0.0 lets anybody"),
        ("[server]\npublic_url = 'wss://a.example'\n[server.http]\n", "a public_url lets anybody"),
        ("[server.http]\nhost = '::'\n[server.telnyx]\napi_key_env = 'TOKEN'\n", "lets anybody"),
        ("[server.audiosocket]\nhost = '0.0.0.0'\n", "AudioSocket has no authentication"),
        (
            "[server.audiosocket]\nhost = '0.0.0.0'\nallow_unauthenticated_audiosocket = true\n",
            "AudioSocket has no authentication",
        ),
        (
            "[server.audiosocket]\nhost = '10.0.0.1'\nallowed_peers = ['10.0.0.0/24']\n",
            "AudioSocket has no authentication",
        ),
        ("[server.audiosocket]\nallowed_peers = ['asterisk']\n", "expected networks such as"),
    ],
)
def test_beyond_loopback_nobody_listens_unprotected(server: str, says: str) -> None:
    assert says in refused(server + DEFAULT)


@pytest.mark.parametrize(
    "server",
    [
        "[server]\nshared_secret_env = 'CALLS_SECRET'\n[server.http]\nhost = '0.0.0.0'\n",
        "[server.http]\nhost = '0.0.0.0'\n[server.twilio]\naccount_sid_env = 'SID'\nauth_token_env = 'TOKEN'\n",
        "[server.http]\nhost = '0.0.0.0'\n[server.plivo]\nauth_id_env = 'SID'\nauth_token_env = 'TOKEN'\n",
        "[server.audiosocket]\nhost = '0.0.0.0'\nallow_unauthenticated_audiosocket = true\nallowed_peers = '10.0.0.0/8'\n",
        "[server.http]\nhost = '::1'\n",
        "[server.http]\nhost = 'localhost'\n",
    ],
)
def test_with_protection_it_may_listen_anywhere(server: str) -> None:
    assert read(server + DEFAULT).default is not None


def test_vendors_give_accounts_and_signatures() -> None:
    vendors = (
        "[server.twilio]\naccount_sid_env = 'SID'\nauth_token_env = 'TOKEN'\n"
        "api_key_sid_env = 'SID'\napi_key_secret_env = 'CALLS_SECRET'\n"
        "[server.telnyx]\napi_key_env = 'TOKEN'\n"
        "[server.plivo]\nauth_id_env = 'SID'\nauth_token_env = 'TOKEN'\n"
    )
    settings = read(SERVER + vendors + DEFAULT).server
    assert sorted(settings.accounts) == ["plivo", "telnyx", "twilio"]
    assert sorted(settings.signatures) == ["plivo", "twilio"]
    assert "vendor-token" not in repr(settings)
    assert SECRET not in repr(settings)


def test_peers_of_audiosocket_are_admitted_by_network() -> None:
    text = "[server.audiosocket]\nallowed_peers = ['10.0.0.5', '10.1.0.0/16', 'fd00::/8']\n"
    admits = read(text + DEFAULT).server.audiosocket
    assert admits is not None
    allowed = ("10.0.0.5", "10.1.2.3", "::ffff:10.0.0.5", "fd00::1%eth0")
    assert all(map(admits.admits, allowed))
    assert not any(map(admits.admits, ("10.0.0.6", "::1", "", "asterisk")))


def test_check_makes_an_agent_of_every_route() -> None:
    read(SERVER + DEFAULT).check()
    no_such = "[default]\ncredential = { provider = 'opnai' }\n"
    problem = refused_by_check(SERVER + no_such)
    assert problem.startswith(
        "calls.toml, line 3: default.credential: no provider is installed for slug 'opnai'"
    )
    wrong = (
        "[default]\ncredential = { provider = 'openai', apiKey = '${SID}', dialTimeoutMs = 'x' }\n"
    )
    problem = refused_by_check(SERVER + wrong)
    assert "credential.dialTimeoutMs" in problem
    assert "AC0123" not in problem


def test_check_names_an_option_and_not_the_credential() -> None:
    problem = refused_by_check(with_route("vendor = { since = 2026-01-31 }"))
    assert problem.startswith(
        "calls.toml, line 2: route[1]: Options.vendor: expected values that JSON"
    )


def test_a_secret_written_out_is_refused_unless_the_file_says_so() -> None:
    inline = "[default]\ncredential = { provider = 'openai', api_key = 'sk-in-the-file' }\n"
    problem = refused_by_check(SERVER + inline)
    assert "default.credential.api_key: a secret stands in the file" in problem
    assert "${OPENAI_API_KEY}" in problem
    assert "sk-in-the-file" not in problem
    read("[server]\nsecrets_in_this_file = true\n" + SERVER + inline).check()


def test_a_table_of_secrets_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_KEY", "sk-of-the-gateway")
    credential = "[default]\ncredential = {{ provider = 'openai', headers = {{ X-Key = '{}' }} }}\n"
    taken = read(SERVER + credential.format("${GATEWAY_KEY}"))
    taken.check()
    assert taken.default is not None
    assert taken.default.credential["headers"] == {"X-Key": "sk-of-the-gateway"}
    problem = refused_by_check(SERVER + credential.format("sk-in-the-file"))
    assert "default.credential.headers: a secret stands in the file" in problem


def test_check_looks_at_files_and_folders(tmp_path: Path) -> None:
    stereo = tmp_path / "stereo.wav"
    with wave.open(str(stereo), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
    (tmp_path / "text.wav").write_text("no sound")
    with wave.open(str(tmp_path / "long.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(100)
        file.writeframes(bytes(2 * 100 * 61))
    for line, says in [
        ('fallback = "gone.wav"', "route[1].fallback: "),
        ('fallback = "text.wav"', "route[1].fallback: "),
        (
            'fallback = "stereo.wav"',
            "route[1].fallback: expected 16-bit PCM in mono, got 2 channels of 16 bits in",
        ),
        ('fallback = "long.wav"', "route[1].fallback: "),
        ('record = "gone"', "route[1].record: there is no folder"),
        ('picture = "gone"', "route[1].picture: there is no folder"),
    ]:
        assert says in refused_by_check(with_route(line), tmp_path)


PLIVO = "[server.plivo]\nauth_id_env = 'SID'\nauth_token_env = 'TOKEN'\n"
TELNYX = "[server.telnyx]\napi_key_env = 'TOKEN'\n"
URL = "https://example.com/dial.xml"


@pytest.mark.parametrize(
    ("vendors", "conditions", "target", "says"),
    [
        (PLIVO, "leg = 'plivo'", "+15550100", "for calls on plivo expected the https URL"),
        (PLIVO, "leg = 'plivo'", "https://[", "for calls on plivo expected the https URL"),
        (PLIVO + TELNYX, "leg = ['telnyx', 'plivo']", "+15550100", "for calls on plivo"),
        (PLIVO + TELNYX, "leg = ['telnyx', 'plivo']", URL, "for calls on telnyx expected a number"),
        (TELNYX, "leg = 'telnyx'", "the boss", "for calls on telnyx expected a number"),
        (PLIVO, "dialled = '100'", "+15550100", "for calls on plivo"),  # nobody else transfers
        (PLIVO + TELNYX, "dialled = '100'", "the boss", "for calls on telnyx"),
    ],
)
def test_check_finds_a_target_that_the_vendor_cannot_take(
    vendors: str, conditions: str, target: str, says: str
) -> None:
    route = f"[[route]]\n{conditions}\n{INLINE}"
    problem = refused_by_check(SERVER + vendors + route + f"transfer = {{ sales = '{target}' }}\n")
    assert f"route[1].transfer.sales: {says}" in problem
    assert target not in problem


@pytest.mark.parametrize(
    ("vendors", "conditions", "target"),
    [
        (PLIVO, "leg = 'plivo'", URL),
        (TELNYX, "leg = 'telnyx'", "+15550100"),
        (PLIVO + TELNYX, "dialled = '100'", "+15550100"),  # right on one of them
        (PLIVO, "leg = 'asterisk'", "+15550100"),  # not offered there
        (PLIVO, "uuid = '1*'", "+15550100"),
        ("", "leg = 'plivo'", "+15550100"),  # without an account there is no transfer
    ],
)
def test_check_takes_a_target_that_may_be_right(vendors: str, conditions: str, target: str) -> None:
    route = f"[[route]]\n{conditions}\n{INLINE}"
    read(SERVER + vendors + route + f"transfer = {{ sales = '{target}' }}\n").check()


def test_check_looks_whether_a_folder_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    problem = refused_by_check(with_route('record = "."'), tmp_path)
    assert "route[1].record: nothing can be written into" in problem


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: expected a file that can be read"):
        load_routing(tmp_path / "gone.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe4")
    with pytest.raises(ConfigError, match=r"latin\.toml, line 1: expected UTF-8"):
        load_routing(tmp_path / "latin.toml")
    (tmp_path / "calls.toml").write_text(SERVER + DEFAULT)
    assert load_routing(tmp_path / "calls.toml").default is not None


TOOLS = """
from realtime_core import Tool

hours = Tool(name="hours")
several = [Tool(name="cakes"), Tool(name="menu")]
own_end = Tool(name="hang_up")

def of_call(call):
    return Tool(name=f"for_{call.dialled}")

def wrong(call):
    return 5
"""


@pytest.fixture
def tools_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "bakery_tools.py").write_text(TOOLS)
    monkeypatch.delitem(sys.modules, "bakery_tools", raising=False)
    return tmp_path


def test_a_module_that_ends_the_program_is_an_error(tools_module: Path) -> None:
    (tools_module / "quitting_tools.py").write_text("raise SystemExit('no licence')")
    problem = refused(with_route('tools = "quitting_tools:x"'), tools_module)
    assert "route[1].tools: 'quitting_tools:x': SystemExit: no licence" in problem


async def test_tools_come_from_modules_beside_the_file(tools_module: Path) -> None:
    lines = 'transfer = { desk = "1" }\ntools = ["bakery_tools:hours", "bakery_tools:several", "bakery_tools:of_call"]'
    route = (await asyncio.to_thread(read, with_route(lines), tools_module)).routes[0]
    leg = StubLeg(WE_PACE, LoopClock())
    leg.info = call(dialled="100")
    agent = route.agent_for(leg, route.control_for(leg))
    names = [tool.name for tool in agent.options.tools]
    assert names == ["hours", "cakes", "menu", "for_100", "hang_up"]  # this leg cannot transfer
    assert agent.options.input_sample_rate == agent.options.output_sample_rate == 8000
    other = route.control_for(StubLeg(THEY_PACE, LoopClock())).tools
    assert [tool.name for tool in other] == ["hang_up", "transfer"]
    assert all(isinstance(tool, Tool) for tool in agent.options.tools)


def test_tools_of_the_same_name_are_found_before_the_first_call(tools_module: Path) -> None:
    twice = with_route('tools = ["bakery_tools:hours", "bakery_tools:hours"]')
    assert "route[1]: Options.tools: expected each name once, got two tools 'hours'" in (
        refused_by_check(twice, tools_module)
    )
    ours = 'tools = "bakery_tools:own_end"\n'
    assert "two tools 'hang_up'" in refused_by_check(with_route(ours), tools_module)
    read(with_route(f"{ours}hang_up = false"), tools_module).check()


async def test_a_function_that_gives_no_tools_is_an_error_of_its_call(tools_module: Path) -> None:
    config = with_route('tools = "bakery_tools:wrong"')
    route = (await asyncio.to_thread(read, config, tools_module)).routes[0]
    leg = StubLeg(WE_PACE, LoopClock())
    with pytest.raises(ConfigError, match="tools bakery_tools:wrong: expected a Tool"):
        route.agent_for(leg, route.control_for(leg))


def test_names_of_files_hold_nothing_a_peer_could_choose(tmp_path: Path) -> None:
    route = read(with_route('name = "a/b"')).routes[0]
    path = route.file_for(tmp_path, call(call_id="../../etc/x y\n" + "z" * 300), ".wav")
    assert path is not None
    assert path.parent == tmp_path
    assert path.suffix == ".wav"
    assert len(path.name) <= 204
    assert "-a_b-asterisk-.._.._etc_x_y_z" in path.name
    assert route.file_for(None, call(), ".wav") is None
