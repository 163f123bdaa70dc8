"""Voices by model family, as Model Studio's pages list them; names are case-sensitive."""

from __future__ import annotations

__all__ = ["default_voice", "known_voices"]

_TURBO = "Cherry,Serena,Ethan,Chelsie"
_FLASH_3 = (
    "Cherry,Ethan,Nofish,Jennifer,Ryan,Katerina,Elias,Jada,Dylan,Sunny,Li,Marcus,Roy,Peter,Rocky,"
    "Kiki,Eric,Serena,Chelsie,Momo,Vivian,Moon,Maia,Kai,Bella,Aiden,Eldric Sage,Mia,Mochi,Bellona,"
    "Vincent,Bunny,Neil,Arthur,Nini,Ebona,Seren,Pip,Stella,Bodega,Sonrisa,Alek,Dolce,Sohee,"
    "Ono Anna,Lenn,Emilien,Andre,Radio Gol"
)
_OMNI_35 = (
    "Tina,Cindy,Liora Mira,Sunnybobi,Raymond,Ethan,Theo Calm,Serena,Harvey,Maia,Evan,Qiao,Momo,Wil,"
    "Angel,Li Cassian,Mia,Joyner,Gold,Katerina,Ryan,Jennifer,Aiden,Mione,Sunny,Dylan,Eric,Peter,"
    "Joseph Chen,Marcus,Li,Kiki,Rocky,Sohee,Lenn,Ono Anna,Sonrisa,Bodega,Emilien,Andre,Radio Gol,"
    "Alek,Rizky,Roya,Arda,Hana,Dolce,Jakub,Griet,Eliška,Marina,Siiri,Ingrid,Sigga,Bea,Chloe"
)
_AUDIO_30 = "longanqian,longanlingxin,longanlingxi,longanxiaoxin,longanlufeng"
_AUDIO_31 = (
    f"{_AUDIO_30},longanqian_v3.1,longanhuan_v3.1,longanlingxin_v3.1,longanfengyue_v3.1,"
    "xunanchuan,beth_v3.1,betty_v3.1,cally_v3.1"
)
# Prefix of the model, default voice, voices; the 3.8 list is not published in full.
_FAMILIES: tuple[tuple[str, str, str | None], ...] = (
    ("qwen3.8-omni", "Tina", None),
    ("qwen3.5-omni", "Tina", _OMNI_35),
    ("qwen3-omni", "Cherry", _FLASH_3),
    ("qwen-omni-turbo", "Chelsie", _TURBO),
    ("qwen-audio-3.1", "longanqian_v3.1", _AUDIO_31),
    ("qwen-audio", "longanqian", _AUDIO_30),
)


def default_voice(model: str) -> str:
    """Return the voice the vendor uses when a session names none."""
    return next((voice for prefix, voice, _ in _FAMILIES if model.startswith(prefix)), "Tina")


def known_voices(model: str) -> frozenset[str] | None:
    """Return the voices of a model's family; None when no complete list is known."""
    for prefix, _, voices in _FAMILIES:
        if model.startswith(prefix):
            return None if voices is None else frozenset(voices.split(","))
    return None
