"""The credential of the model in the box: no key, but which parts it is made of."""

from __future__ import annotations

from attrs import frozen

from realtime_core.credentials import Credential, secret, setting

__all__ = ["LocalConfig"]


@frozen(kw_only=True)
class LocalConfig(Credential):
    """What a tenant stores for the model in the box. Everything has a default."""

    replier: str = setting(
        "script",
        "Who decides what is answered: script, chat, parrot, or your own as package.module:factory.",
    )
    script: str = setting(
        "restaurant",
        "Script to follow: the path of a TOML file, or restaurant for the shipped one.",
    )
    synthesiser: str | None = setting(
        None,
        "Who speaks: flite, espeak-ng, espeak-library, or your own as package.module:factory; "
        "null takes the first found.",
    )
    detector: str = setting(
        "webrtc", "Who hears speech: webrtc, silero, or your own as package.module:factory."
    )
    recogniser: str | None = setting(
        None,
        "Who understands: null for pocketsphinx, or your own as package.module:factory, called with the "
        "grammar or null.",
    )
    chat_base_url: str = setting(
        "http://127.0.0.1:11434/v1", "Chat-completions server of the chat replier."
    )
    chat_model: str = setting("", "Model of the chat replier.")
    chat_api_key: str = secret("Key of the chat replier's server.", env="REALTIME_CHAT_API_KEY")
    chat_temperature: float | None = setting(
        None,
        "Of the chat replier, where Options.temperature says nothing; null leaves it to the server.",
    )
