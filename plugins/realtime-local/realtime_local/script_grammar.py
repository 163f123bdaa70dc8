"""The grammar of a script, in the form recognisers read: JSGF 1.0."""

from __future__ import annotations

from collections.abc import Iterator

from realtime_local.numbers import DIGIT_WORDS, TIMES_WORDS
from realtime_local.script import DigitsSlot, ListSlot, Script, Slot
from realtime_local.script_phrases import Choice, Node, Sequence, SlotRef, Word, slots_of, words_of

__all__ = ["grammar_of", "vocabulary_of"]


def _jsgf(node: Node) -> str:
    match node:
        case Word(text):
            return text
        case SlotRef(name):
            return f"<slot_{name}>"
        case Sequence(parts):
            return " ".join(map(_jsgf, parts))
        case Choice(options, is_optional):
            inner = " | ".join(map(_jsgf, options))
            return f"[{inner}]" if is_optional else f"({inner})"


def _slot_rule(slot: Slot) -> str:
    match slot:
        case DigitsSlot(shortest=shortest, longest=longest):
            more = ""
            for _ in range(longest - shortest):
                more = f" [<digit>{more}]"
            one_by_one = " ".join(["<digit>"] * shortest) + more
            # The weights: digits are mostly said one by one, and are not to be taken for the others.
            return one_by_one if longest == 1 else f"/0.99/ {one_by_one} | /0.01/ <digits>"
        case ListSlot(forms=forms):
            return " | ".join(dict.fromkeys(" ".join(form.words) for form in forms))


def _used_slots(script: Script) -> list[str]:
    """Name the slots that are said somewhere, those first that another does not need."""
    phrases = [phrase for _, _, phrase in _sentences(script)]
    return list(dict.fromkeys(name for phrase in phrases for name in slots_of(phrase)))


def _sentences(script: Script) -> Iterator[tuple[str, str, Node]]:
    """Give everything that may be said as a whole, with the rule it belongs to."""
    for intent in script.intents:
        for phrase in intent.phrases:
            yield "intent", intent.name, phrase
    asked = dict.fromkeys(name for intent in script.intents for name in intent.asks)
    for name in asked:
        for phrase in script.slots[name].answers:
            yield "answer", name, phrase


def grammar_of(script: Script) -> str:
    """
    Write the grammar: one public rule `<sentence>`, below it a rule for every intent and every slot.

    Bare values of slots are sentences too where an intent asks for them.
    """
    rules: dict[str, list[str]] = {}
    for kind, name, phrase in _sentences(script):
        rules.setdefault(f"{kind}_{name}", []).append(_jsgf(phrase))
    lines = ["#JSGF V1.0;", "grammar script;"]
    lines.append("public <sentence> = " + " | ".join(f"<{rule}>" for rule in rules) + ";")
    lines += [f"<{rule}> = {' | '.join(options)};" for rule, options in rules.items()]
    used = [script.slots[name] for name in _used_slots(script)]
    lines += [f"<slot_{slot.name}> = {_slot_rule(slot)};" for slot in used]
    if any(isinstance(slot, DigitsSlot) for slot in used):
        lines.append(f"<digit> = {' | '.join(DIGIT_WORDS)};")
    if any(isinstance(slot, DigitsSlot) and slot.longest > 1 for slot in used):
        # However many: a grammar that counts these would be large and slow, and the matcher counts them.
        lines.append(f"<several> = ({' | '.join(TIMES_WORDS)}) <digit>;")
        lines.append("<digits> = <digit>* <several> (<digit> | <several>)*;")
    return "\n".join(lines) + "\n"


def vocabulary_of(script: Script) -> frozenset[str]:
    """Give every word of the grammar, to be looked up in a recogniser's dictionary."""
    words = {word for _, _, phrase in _sentences(script) for word in words_of(phrase)}
    for name in _used_slots(script):
        match script.slots[name]:
            case DigitsSlot(longest=longest):
                words.update(DIGIT_WORDS)
                if longest > 1:
                    words.update(TIMES_WORDS)
            case ListSlot(forms=forms):
                words.update(word for form in forms for word in form.words)
    return frozenset(words)
