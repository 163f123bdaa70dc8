"""
Configuration files of the Asterisk of the call tests: everything on loopback, no registration, no recordings.

Extensions: `audiosocket` (application, 8 kHz), `audiosocket-slin16` and so on for every rate (channel driver),
`audiosocket-bare` (channel driver without `c(...)`: the trap), `ws-<format>` (WebSocket channel, JSON), `wsplain-<format>`
(plain text), `echo`, `prompt` (Asterisk plays a file of its own, for comparison).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["FORMATS", "configuration"]

FORMATS: Final = (
    "slin", "slin12", "slin16", "slin24", "slin32", "slin44", "slin48", "slin96", "slin192",
)  # fmt: skip
"""Linear formats of Asterisk, 8 to 192 kHz."""

# chan_pjsip does not load without res_pjsip_pubsub.
MODULES: Final = (
    "pbx_config", "res_timing_timerfd", "codec_ulaw", "codec_alaw", "codec_resample",
    "codec_g722", "codec_gsm", "format_gsm", "format_wav", "format_pcm", "bridge_simple",
    "bridge_builtin_features", "bridge_softmix", "res_sorcery_config", "res_sorcery_memory",
    "res_sorcery_astdb", "res_pjproject", "res_pjsip", "res_pjsip_session", "res_pjsip_sdp_rtp",
    "res_pjsip_pubsub", "res_pjsip_endpoint_identifier_anonymous",
    "res_pjsip_endpoint_identifier_ip", "res_pjsip_endpoint_identifier_user",
    "res_pjsip_authenticator_digest", "res_pjsip_rfc3326", "res_pjsip_dtmf_info",
    "res_pjsip_caller_id", "res_pjsip_nat", "chan_pjsip", "res_rtp_asterisk", "app_dial",
    "app_echo", "app_playback", "func_uuid", "func_uri", "func_callerid", "func_channel",
    "res_audiosocket", "app_audiosocket", "chan_audiosocket", "res_http_websocket",
    "res_websocket_client", "chan_websocket",
)  # fmt: skip


def _extensions(audiosocket_port: int, extra: str) -> str:
    peer = f"127.0.0.1:{audiosocket_port}"
    parameters = "v(dialled=${URIENCODE(${EXTEN})},caller=${URIENCODE(${CALLERID(num)})})"
    lines = [
        "[incoming]",
        "exten => audiosocket,1,Answer()",
        f" same => n,AudioSocket(${{UUID()}},{peer})",
        " same => n,Hangup()",
        f"exten => audiosocket-bare,1,Dial(AudioSocket/{peer}/${{UUID()}})",
        "exten => echo,1,Answer()",
        " same => n,Echo()",
        "exten => prompt,1,Answer()",
        " same => n(again),Playback(demo-congrats)",
        " same => n,Goto(again)",
    ]
    lines += [
        f"exten => audiosocket-{name},1,Dial(AudioSocket/{peer}/${{UUID()}}/c({name}))"
        for name in FORMATS
    ]
    for name in (*FORMATS, "ulaw", "alaw", "g722"):
        lines.append(f"exten => ws-{name},1,Dial(WebSocket/bot/c({name})f(json){parameters})")
        lines.append(
            f"exten => wsplain-{name},1,Dial(WebSocket/bot/c({name})f(plain-text){parameters})"
        )
    return "\n".join([*lines, extra, ""])


def configuration(
    *,
    inside: Path,
    modules: Path,
    sip_port: int,
    http_port: int,
    audiosocket_port: int,
    websocket_uri: str,
    rtp_ports: tuple[int, int],
    dialplan: str,
    packet_ms: int = 20,
) -> dict[str, str]:
    """
    Make the files.

    Args:
        inside: Directory of this Asterisk, as seen from within its root.
        modules: Directory of the modules, likewise.
        sip_port: UDP port for phones.
        http_port: TCP port of Asterisk's own HTTP server.
        audiosocket_port: Where our AudioSocket listener is.
        websocket_uri: Where our WebSocket server is.
        rtp_ports: First and last.
        dialplan: Further extensions.
        packet_ms: How much G.711 a packet of a phone has.

    Returns:
        Text by file name.
    """
    directories = {
        "astetcdir": inside / "etc", "astmoddir": modules, "astvarlibdir": "/var/lib/asterisk",
        "astdbdir": inside / "db", "astkeydir": inside / "keys", "astdatadir": "/usr/share/asterisk",
        "astspooldir": inside / "spool", "astrundir": inside / "run", "astlogdir": inside / "log",
    }  # fmt: skip
    return {
        **{f"{name}.conf": "[general]\n" for name in ("ccss", "cdr", "cel", "features", "udptl")},
        **{f"{name}.conf": "; empty\n" for name in ("acl", "pjproject", "sorcery", "stasis")},
        "chan_websocket.conf": "[global]\ntype=global\ncontrol_message_format=plain-text\n",
        "indications.conf": "[general]\ncountry=us\n[us]\ndescription=-\nringcadence=2000,4000\ndial=350+440\n",
        "asterisk.conf": "[directories]\n"
        + "".join(f"{name} => {path}\n" for name, path in directories.items())
        + "[options]\nhideconnect = yes\n",
        "logger.conf": "[general]\n[logfiles]\nconsole => warning,error\nfull => notice,warning,error\n",
        "modules.conf": "[modules]\nautoload=no\n" + "".join(f"load => {m}.so\n" for m in MODULES),
        "pjsip.conf": f"[udp]\ntype=transport\nprotocol=udp\nbind=127.0.0.1:{sip_port}\n"
        "[anonymous]\ntype=endpoint\ncontext=incoming\ndisallow=all\n"
        f"allow=ulaw:{packet_ms},alaw:{packet_ms},g722\n"
        "direct_media=no\ndtmf_mode=rfc4733\nmedia_address=127.0.0.1\nbind_rtp_to_media_address=yes\n",
        "rtp.conf": f"[general]\nrtpstart={rtp_ports[0]}\nrtpend={rtp_ports[1]}\n",
        "http.conf": f"[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={http_port}\n",
        "websocket_client.conf": "[bot]\ntype=websocket_client\nconnection_type=per_call_config\n"
        f"uri={websocket_uri}\nprotocols=media\nconnection_timeout=2000\n",
        "extensions.conf": _extensions(audiosocket_port, dialplan),
    }
