"""`realtime talk`: its options and their checks."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import click

from realtime_core.errors import RealtimeError

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

_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
_SOURCE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_RATE = click.IntRange(_LOWEST_HZ, _HIGHEST_HZ)


@click.command(short_help="Stream a recording to a model and show its reply.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--provider", metavar="SLUG", help="Who answers; see `realtime providers`.")
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
    help="Put the loopback vendor behind the provider: on this machine, without a key, answering with what "
    "it hears. So it is, too, when neither --provider nor --credential is given.",
)
@click.option(
    "--dialect",
    type=click.Choice(_DIALECTS),
    metavar="NAME",
    help=f"Of the loopback vendor, which it implies; default: the provider's usual one. "
    f"One of {', '.join(_DIALECTS)}.",
)
@click.option("--out", type=_FILE, metavar="WAV", help="Write the reply here.")
@click.option("--events", type=_FILE, metavar="JSONL", help="Write the events here, one a line.")
@click.option("--instructions", default="", metavar="TEXT", help="For the model.")
@click.option("--voice", metavar="NAME", help="Of the assistant, by the vendor's name.")
@click.option(
    "--input-rate",
    type=_RATE,
    metavar="HZ",
    help="Resample the recording first; default: its own rate.",
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
    type=click.FloatRange(min=0, min_open=True),
    metavar="S",
    help=f"Bound of the whole; default: the recording's length and {_PATIENCE_S:g} s.",
)
@click.option(
    "--pace",
    type=click.FloatRange(min=0.1, max=100),
    metavar="FACTOR",
    default=1.0,
    show_default=True,
    help="Stream so many times faster than speech; vendors expect 1.",
)
@click.option("--plain", is_flag=True, help="Print lines even on a terminal.")
@click.pass_context
def talk(
    ctx: click.Context,
    file: Path,
    provider: str | None,
    credential: Path | None,
    loopback: bool,
    dialect: str | None,
    out: Path | None,
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
    Stream the recording FILE (WAV, 16-bit PCM) at the pace of speech, and show what comes back.

    After the recording silence is sent until the reply is complete. Exit code 0: a reply was completed;
    1: none was, or the session failed; 2: wrong use; 130: ended by Ctrl-C.
    """
    if not all(map(find_spec, ("aiohttp", "numpy", "soxr"))):
        raise click.UsageError("realtime talk needs the extra: pip install 'realtime-core[cli]'")
    from realtime_core.cli.call import Call
    from realtime_core.cli.partner import choose_partner, read_credential
    from realtime_core.cli.wav import WavError, read_wav

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
    recording = recording.resampled(input_rate or recording.rate_hz)
    _check_targets(file, {"--out": out, "--events": events})
    cfg = read_credential(credential) if credential else {}
    if provider is not None:
        cfg["provider"] = provider
    try:
        partner = choose_partner(cfg, loopback=loopback, dialect=dialect)
    except RealtimeError as error:
        raise click.UsageError(str(error)) from error
    call = Call(
        recording=recording,
        partner=partner,
        instructions=instructions,
        voice=voice,
        output_rate_hz=output_rate,
        out=out,
        events=events,
        pace=pace,
        timeout_s=timeout or recording.duration_s / pace + _PATIENCE_S,
        plain=plain,
    )
    ctx.exit(call.place())


def _check_targets(source: Path, targets: dict[str, Path | None]) -> None:
    """Refuse a target in no folder, or one that would overwrite the recording or the other target."""
    taken = {source.resolve()}
    for option, target in targets.items():
        if target is None:
            continue
        if not target.parent.is_dir():
            raise click.BadParameter(f"there is no folder {target.parent}", param_hint=option)
        if target.resolve() in taken:
            raise click.BadParameter(
                f"{target} is in use already; give another name", param_hint=option
            )
        taken.add(target.resolve())
