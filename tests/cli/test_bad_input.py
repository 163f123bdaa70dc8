"""Every wrong use of `realtime talk`: exit code 2, what is wrong and what to do, and nothing contacted."""

from __future__ import annotations

import errno
import importlib
import wave
from pathlib import Path
from typing import Any

import click
import pytest

from realtime_core import Agent, register, unregister
from realtime_core.cli.partner import read_credential
from tests.cli.conftest import QUESTION, Invoke

talk_module = importlib.import_module("realtime_core.cli.talk")

PROVIDER_ONLY = (
    "credential.apiKey: expected an API key, got none; put it into the credential or into the"
)

CREDENTIALS = {
    "broken.json": '{"provider": "openai", "apiKey": "sk-secret"',
    "list.json": '["sk-secret"]',
    "no-provider.json": '{"apiKey": "sk-secret"}',
    "wrong-type.json": '{"provider": "openai", "apiKey": {"value": "sk-secret"}}',
    "wrong-slug.json": '{"provider": 5, "apiKey": "sk-secret"}',
    "bad-url.json": '{"provider": "openai", "apiKey": "sk-secret", "baseUrl": "ftp://vendor"}',
    "twice.json": '{"provider": "openai", "apiKey": "sk-secret", "api_key": "sk-secret-2"}',
}


def make_wav(path: Path, *, width: int = 2, rate_hz: int = 16000, channels: int = 1) -> None:
    with wave.open(str(path), "wb") as file:
        file.setsampwidth(width)
        file.setnchannels(channels)
        file.setframerate(rate_hz)
        file.writeframes(bytes(width * channels * rate_hz // 10))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in CREDENTIALS.items():
        Path(name).write_text(text, "utf-8")
    Path("latin.json").write_bytes('{"provider": "öpenai"}'.encode("latin-1"))
    Path("song.mp3").write_bytes(b"ID3\x04song")
    Path("question.wav").write_bytes(QUESTION.read_bytes())
    make_wav(Path("deep.wav"), width=3)
    make_wav(Path("slow.wav"), rate_hz=4000)
    make_wav(Path("fast.wav"), rate_hz=96000)
    make_wav(Path("surround.wav"), channels=6)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "Missing argument 'FILE'"),
        ("nowhere.wav", "'nowhere.wav' does not exist"),
        (".", "'.' is a directory"),
        ("song.mp3", "song.mp3 is an MP3 file; expected a WAV file of 16-bit PCM, mono or stereo."),
        ("song.mp3", "Convert it: ffmpeg -i song.mp3 -c:a pcm_s16le -ac 1 -ar 16000 converted.wav"),
        ("deep.wav", "deep.wav holds 24-bit PCM; expected a WAV file of 16-bit PCM"),
        ("surround.wav", "surround.wav has 6 channels; expected a WAV file of 16-bit PCM"),
        (
            "slow.wav",
            "slow.wav has a sample rate of 4000 Hz; expected 8000 to 48000 Hz. Give --input",
        ),
        ("fast.wav", "fast.wav has a sample rate of 96000 Hz; expected 8000 to 48000 Hz."),
        (
            "question.wav --provider nobody",
            "no provider is installed for slug 'nobody'; installed: ",
        ),
        ("question.wav --provider nobody --loopback", "no provider is installed for slug 'nobody'"),
        ("question.wav --provider openai", f"{PROVIDER_ONLY} environment variable OPENAI_API_KEY"),
        ("question.wav --provider aliyun_omni", f"{PROVIDER_ONLY} environment variable DASHSCOPE_"),
        ("question.wav --credential nowhere.json", "'nowhere.json' does not exist"),
        (
            "question.wav --credential broken.json",
            "broken.json is not JSON: Expecting ',' delimiter in",
        ),
        (
            "question.wav --credential broken.json",
            'expected an object such as {"provider": "openai"',
        ),
        ("question.wav --credential list.json", "list.json holds JSON, but no object"),
        ("question.wav --credential latin.json", "latin.json is not UTF-8 text"),
        ("question.wav --credential -", "standard input is not JSON"),
        ("question.wav --credential no-provider.json", 'the credential has no "provider" slug'),
        (
            "question.wav --credential wrong-type.json",
            "credential.apiKey: expected a string, got an",
        ),
        ("question.wav --credential wrong-slug.json", "expected a slug as a string, got int"),
        (
            "question.wav --credential wrong-slug.json --loopback",
            "expected a slug as a string, got int",
        ),
        (
            "question.wav --credential bad-url.json",
            "credential.baseUrl: expected a URL with scheme wss",
        ),
        ("question.wav --credential twice.json", "credential.apiKey: given twice"),
        (
            "question.wav --dialect qwen_audio --provider openai",
            "--dialect qwen_audio is aliyun_omni's;",
        ),
        ("question.wav --dialect klingon", "'klingon' is not one of"),
        ("question.wav --out question.wav", "question.wav is in use already; give another name"),
        ("question.wav --out a --events a", "a is in use already; give another name"),
        ("question.wav --out nowhere/reply.wav", "there is no folder nowhere"),
        ("question.wav --out=", "Invalid value for --out: . is a folder"),
        ("question.wav --input-rate 4000", "4000 is not in the range 8000<=x<=48000"),
        ("question.wav --output-rate 96000", "96000 is not in the range 8000<=x<=48000"),
        (f"question.wav --plot {'x' * 300}", "cannot write xxx"),
        ("question.wav --timeout 0", "0.0 is not in the range x>0"),
        ("question.wav --timeout nan", "expected a number, got nan"),
        ("question.wav --pace inf", "inf is not in the range 0.1<=x<=100"),
        ("question.wav --pace 0", "0.0 is not in the range 0.1<=x<=100"),
        ("question.wav --pase 2", "No such option '--pase'"),
    ],
)
def test_wrong_use(arguments: str, says: str, invoke: Invoke) -> None:
    result = invoke("talk", *arguments.split())
    assert result.exit_code == 2, result.output
    assert says in " ".join(result.stderr.split())
    assert result.stdout == ""
    assert "sk-secret" not in result.output


def test_a_file_that_cannot_be_read_is_told(folder: Path, invoke: Invoke) -> None:
    folder.joinpath("loop.wav").symlink_to("loop.wav")
    result = invoke("talk", "loop.wav")
    assert result.exit_code == 2
    assert "loop.wav" in result.stderr


def test_without_the_libraries_of_the_extra_it_names_the_extra(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(talk_module, "find_spec", lambda name: None)
    result = invoke("talk", "question.wav")
    assert result.exit_code == 2
    assert "pip install 'realtime-core[cli]'" in result.stderr


def test_a_credential_that_cannot_be_read_is_told(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.suffix == ".json":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    result = invoke("talk", "question.wav", "--credential", "list.json")
    assert result.exit_code == 2
    assert "list.json cannot be read: Permission denied; expected an object" in result.stderr


def test_a_standard_input_that_is_closed_holds_no_credential(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(click.BadParameter, match="standard input is not JSON"):
        read_credential(Path("-"))


def test_the_loopback_vendor_speaks_for_its_own_providers_only(invoke: Invoke) -> None:
    def silent(cfg: Any, options: Any) -> Agent:
        raise NotImplementedError

    register(silent, "silent")
    try:
        result = invoke("talk", QUESTION, "--loopback", "--provider", "silent")
    finally:
        unregister("silent")
    assert result.exit_code == 2
    assert "the loopback vendor speaks for openai, aliyun_omni, not for 'silent'" in result.stderr


def test_without_any_wheel_it_says_what_to_install(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_core.cli.partner.registered_providers", list)
    result = invoke("talk", QUESTION)
    assert result.exit_code == 2
    assert "pip install 'realtime-local[espeak]'" in result.stderr
    assert "pip install realtime-openai, or pip install realtime-aliyun" in result.stderr


def test_a_folder_that_takes_no_file_is_told_before_the_call(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    result = invoke("talk", "question.wav", "--loopback", "--record", "call.wav")
    assert result.exit_code == 2
    assert "--record: cannot write call.wav: Permission denied" in result.stderr


@pytest.mark.parametrize("option", ["--out", "--record", "--plot", "--events"])
def test_looking_whether_a_file_can_be_written_leaves_it_alone(
    option: str, folder: Path, invoke: Invoke
) -> None:
    (folder / "kept").write_bytes(b"before")
    invoke("talk", "question.wav", option, "kept", "--provider", "nobody")
    invoke("talk", "question.wav", option, "new", "--provider", "nobody")
    assert (folder / "kept").read_bytes() == b"before"
    assert not (folder / "new").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_the_other_files(invoke: Invoke) -> None:
    result = invoke(
        *("talk", "question.wav", "--loopback", "--out", "/dev/full"),
        *("--plot", "call.svg", "--events", "e.jsonl"),
    )
    assert result.exit_code == 1
    assert "the end: cannot write /dev/full: No space left" in Path("call.svg").read_text("utf-8")
    assert "files written                  e.jsonl, call.svg\n" in result.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("option", ["--out", "--events"])
def test_a_full_disk_ends_the_conversation(option: str, invoke: Invoke) -> None:
    result = invoke("talk", "question.wav", "--loopback", option, "/dev/full")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: cannot write /dev/full: No space left on device; the conversation was ended\n"
    )
    assert "session close                  by the client" in result.stdout
    assert "files written" not in result.stdout


def test_the_command_that_converts_runs_as_it_stands(invoke: Invoke) -> None:
    folder = Path("my recordings")
    folder.mkdir()
    make_wav(folder / "deep.wav", width=3)
    result = invoke("talk", folder / "deep.wav")
    assert "ffmpeg -i 'my recordings/deep.wav' -c:a pcm_s16le" in result.stderr


def test_a_quiet_recording_is_warned_about(invoke: Invoke) -> None:
    make_wav(Path("quiet.wav"))
    result = invoke("talk", "quiet.wav", "--loopback", "--timeout", 0.3)
    assert result.exit_code == 1
    assert "warning: the recording is very quiet (at most -90 dBFS)" in result.stderr


def test_a_misspelt_key_is_warned_about(folder: Path, invoke: Invoke) -> None:
    folder.joinpath("c.json").write_text(
        '{"provider": "openai", "apiKey": "k", "modell": "gpt", "baseUrl": "ws://127.0.0.1:9"}',
        "utf-8",
    )
    result = invoke("talk", "question.wav", "--credential", "c.json")
    assert result.exit_code == 1
    assert (
        "warning: credential: unknown key 'modell' is ignored; did you mean 'model'?"
        in result.stderr
    )
    assert "cannot connect to 127.0.0.1:9" in result.stderr
