"""`realtime talk`: its options and their checks."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from realtime_core.errors import RealtimeError

if TYPE_CHECKING:  # it needs the extra
    from realtime_core.cli.wav import Recording

__all__ = ["talk"]

_LOWEST_HZ, _HIGHEST_HZ = 8000, 48000
_DIALECTS = (
    "openai_ga",
    "openai_beta",
    "azure_ga",
    "dashscope_omni",
    "dashscope_omni_nested",
    "qwen_audio",
)  # of the loopback vendor, written out so that --help does not import it
_PATIENCE_S = 60.0
_MIC_HZ = 16000
_INTERRUPT = "--interrupt-after"

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
_SOURCE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_RATE = click.IntRange(_LOWEST_HZ, _HIGHEST_HZ)
_EXAMPLES = """\b
Examples:
  realtime talk question.wav --out reply.wav --plot call.svg
  realtime talk one.wav two.wav --interrupt-after 1500
  realtime talk question.wav --provider openai     (its key in OPENAI_API_KEY)
  realtime talk --mic
"""


class _Number(click.FloatRange):
    """A number in a range, and neither nan nor inf."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"expected a number, got {value}", param, ctx)
        return number


@click.command(short_help="Talk to a model, by recordings or a microphone.", epilog=_EXAMPLES)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--mic",
    is_flag=True,
    help="Talk yourself, by microphone and speaker, instead of FILE; needs the extra `mic`. Use headphones.",
)
@click.option(
    "--interrupt-after",
    "interrupt_after",
    multiple=True,
    metavar="[N:]MS",
    help="Cut in: begin each FILE but the first MS milliseconds after the first sound of the answer before it. "
    "N:MS does so for the Nth FILE alone. May be given several times.",
)
@click.option(
    "--provider",
    metavar="SLUG",
    help="Who answers; see `realtime providers`. Default: `local`, or the loopback vendor where that is not "
    "installed.",
)
@click.option(
    "--credential",
    type=_SOURCE,
    metavar="JSON",
    help="File with a credential as a control plane stores it, - for standard input. --provider wins over "
    "its provider. Without a key in it the provider's environment variable is used.",
)
@click.option(
    "--loopback",
    is_flag=True,
    help="Put the loopback vendor behind the provider: on this machine, without a key, it says back what it "
    "hears.",
)
@click.option(
    "--dialect",
    type=click.Choice(_DIALECTS),
    metavar="NAME",
    help="Which wire the loopback vendor speaks; implies --loopback. Default: the provider's usual one. "
    f"One of {', '.join(_DIALECTS)}.",
)
@click.option(
    "--tools",
    metavar="MODULE:NAME",
    help="Tools for the model: a Tool, a sequence of them, or a function that gives one. With them comes "
    "`hang_up`, which ends the call when the goodbye was heard.",
)
@click.option(
    "--out", type=_FILE, metavar="WAV", help="Write the replies here, one after the other."
)
@click.option(
    "--record",
    type=_FILE,
    metavar="WAV",
    help="Write the call here, in stereo: the caller left, what the caller heard right.",
)
@click.option("--plot", type=_FILE, metavar="SVG", help="Draw the call here; open it in a browser.")
@click.option("--events", type=_FILE, metavar="JSONL", help="Write the events here, one a line.")
@click.option("--instructions", default="", metavar="TEXT", help="For the model.")
@click.option("--voice", metavar="NAME", help="Of the assistant, by the vendor's name.")
@click.option(
    "--input-rate",
    type=_RATE,
    metavar="HZ",
    help="Resample the recordings first; default: the first one's own rate, or 16000 for a microphone.",
)
@click.option(
    "--output-rate",
    type=_RATE,
    metavar="HZ",
    default=24000,
    show_default=True,
    help="Of the reply.",
)
@click.option(
    "--timeout",
    type=_Number(min=0, min_open=True),
    metavar="S",
    help=f"End the call after so many seconds; default: the recordings' length and {_PATIENCE_S:g} s for each; "
    "none with --mic.",
)
@click.option(
    "--pace",
    type=_Number(min=0.1, max=100),
    metavar="FACTOR",
    default=1.0,
    show_default=True,
    help="Speak and listen so many times faster than people do; vendors expect 1.",
)
@click.option("--plain", is_flag=True, help="Print lines even on a terminal.")
@click.pass_context
def talk(
    ctx: click.Context,
    files: tuple[Path, ...],
    mic: bool,
    interrupt_after: tuple[str, ...],
    provider: str | None,
    credential: Path | None,
    loopback: bool,
    dialect: str | None,
    tools: str | None,
    out: Path | None,
    record: Path | None,
    plot: Path | None,
    events: Path | None,
    instructions: str,
    voice: str | None,
    input_rate: int | None,
    output_rate: int,
    timeout: float | None,
    pace: float,
    plain: bool,
) -> None:
    """
    Say the recordings FILE... (WAV, 16-bit PCM) to a model, and show and hear what comes back.

    Each FILE is said at the pace of speech, 600 ms after the answer to the one before was heard to its end; silence is
    sent between and behind them. Exit code 0: a reply was completed; 1: none was, or the session failed; 2: wrong
    use; 130: ended by Ctrl-C, which with --mic is the usual end and gives 0.
    """
    if not all(map(find_spec, ("aiohttp", "numpy", "soxr"))):
        raise click.UsageError("realtime talk needs the extra: pip install 'realtime-core[cli]'")
    from realtime_core.cli.call import Call, Targets
    from realtime_core.cli.partner import choose_partner, read_credential
    from realtime_core.cli.toolbox import Toolbox, ToolsError, load_tools

    _check_caller(files, mic, pace)
    _check_rate("--output-rate", output_rate)
    if mic and input_rate is not None:
        _check_rate("--input-rate", input_rate)
    recordings = _recordings(files, input_rate)
    interrupts = _interrupts(interrupt_after, len(files))
    _check_targets(files, {"--out": out, "--events": events, "--record": record, "--plot": plot})
    try:
        toolbox = Toolbox(load_tools(tools) if tools else (), offers_hang_up=mic or bool(tools))
    except ToolsError as error:
        raise click.BadParameter(str(error), param_hint="--tools") from error
    cfg = read_credential(credential) if credential else {}
    if provider is not None:
        cfg["provider"] = provider
    try:
        partner = choose_partner(cfg, loopback=loopback, dialect=dialect)
    except RealtimeError as error:
        raise click.UsageError(str(error)) from error
    if timeout is None and not mic:
        spoken_s = sum(recording.duration_s for recording in recordings)
        timeout = spoken_s / pace + _PATIENCE_S * len(recordings)
    call = Call(
        recordings=recordings,
        interrupts=interrupts,
        partner=partner,
        instructions=instructions,
        voice=voice,
        toolbox=toolbox,
        input_rate_hz=recordings[0].rate_hz if recordings else input_rate or _MIC_HZ,
        output_rate_hz=output_rate,
        targets=Targets(out=out, events=events, record=record, plot=plot),
        pace=pace,
        timeout_s=timeout,
        plain=plain,
    )
    ctx.exit(call.place())


def _check_caller(files: tuple[Path, ...], mic: bool, pace: float) -> None:
    if not files and not mic:
        raise click.UsageError(
            "Missing argument 'FILE'; give a recording, or --mic to talk yourself"
        )
    if files and mic:
        raise click.UsageError("--mic takes the place of FILE; give one of them")
    if mic and pace != 1:
        raise click.BadParameter("a microphone has the pace of speech", param_hint="--pace")


def _check_rate(option: str, rate_hz: int) -> None:
    if rate_hz % 50:
        raise click.BadParameter(
            f"expected a multiple of 50 Hz, so that 20 ms are whole samples, got {rate_hz}",
            param_hint=option,
        )


def _recordings(files: tuple[Path, ...], input_rate: int | None) -> list[Recording]:
    """Read them, all at one rate."""
    from realtime_core.cli.wav import WavError, read_wav

    recordings: list[Recording] = []
    for file in files:
        try:
            recording = read_wav(file)
        except (WavError, OSError) as error:
            raise click.BadParameter(str(error), param_hint="FILE") from error
        if input_rate is None and not _LOWEST_HZ <= recording.rate_hz <= _HIGHEST_HZ:
            raise click.BadParameter(
                f"{file.name} has a sample rate of {recording.rate_hz} Hz; expected {_LOWEST_HZ} to "
                f"{_HIGHEST_HZ} Hz. Give --input-rate 16000 to have it resampled.",
                param_hint="FILE",
            )
        rate_hz = input_rate or (recordings[0].rate_hz if recordings else recording.rate_hz)
        recordings.append(recording.resampled(rate_hz))
    return recordings


def _interrupts(values: tuple[str, ...], count: int) -> dict[int, float]:
    """Read `MS` and `N:MS`; give how long the answer before a file is listened to, by its number from 0."""
    if values and count < 2:
        raise click.BadParameter("needs a second FILE to interrupt with", param_hint=_INTERRUPT)
    of_all: float | None = None
    of_one: dict[int, float] = {}
    for value in values:
        number, colon, ms = value.rpartition(":")
        try:
            listens_ms = float(ms)
            nth = int(number) if colon else None
        except ValueError:
            listens_ms, nth = -1.0, None
        if not 0 <= listens_ms < float("inf") or not (nth is None or 2 <= nth <= count):
            raise click.BadParameter(
                f"expected MS, or N:MS with N from 2 to {count}, got {value!r}",
                param_hint=_INTERRUPT,
            )
        if nth is None:
            of_all = listens_ms
        else:
            of_one[nth - 1] = listens_ms
    everywhere = {} if of_all is None else dict.fromkeys(range(1, count), of_all)
    return everywhere | of_one


def _check_targets(sources: tuple[Path, ...], targets: dict[str, Path | None]) -> None:
    """Refuse a target that cannot be written, or would overwrite a recording or another target."""
    taken = {source.resolve() for source in sources}
    for option, target in targets.items():
        if target is None:
            continue
        if not target.parent.is_dir():
            raise click.BadParameter(f"there is no folder {target.parent}", param_hint=option)
        try:
            if target.is_dir():  # an empty name is the current one
                raise click.BadParameter(f"{target} is a folder", param_hint=option)
            if not target.exists():  # what is there already was looked at by its type
                target.touch()
                target.unlink()
        except OSError as error:
            raise click.BadParameter(
                f"cannot write {target}: {error.strerror}", param_hint=option
            ) from error
        if target.resolve() in taken:
            raise click.BadParameter(
                f"{target} is in use already; give another name", param_hint=option
            )
        taken.add(target.resolve())
