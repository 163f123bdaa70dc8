"""
Sentences that the shipped script answers, and such as are none of its business.

Ten of each, to judge it by; thirty others of each, to set the recogniser's threshold with. No sentence is in both.
"""

from __future__ import annotations

from typing import Final

ON_SCRIPT: Final = (
    "what time is it",
    "book a table for two",
    "transfer me to a human",
    "what is the weather today",
    "i want to cancel my order",
    "can you repeat that please",
    "my account number is five two seven",
    "please stop talking",
    "how much does it cost",
    "good bye",
)
OFF_SCRIPT: Final = (
    "hello there how are you",
    "how do i get to the station",
    "no thanks i will call later",
    "the quick brown fox jumps over the lazy dog",
    "my sister bought a blue bicycle yesterday",
    "please send the invoice to my office",
    "do you know any good films",
    "it rained for three days in the mountains",
    "i left my umbrella on the train",
    "who won the football match last night",
)

TUNING_ON_SCRIPT: Final = (
    "hello",
    "good evening",
    "please tell me the time",
    "what is the time",
    "what are your opening hours",
    "when do you open",
    "are you open tomorrow",
    "i would like to book a table for six on friday at seven thirty",
    "can i reserve a table for eight tomorrow",
    "i need a table for three people",
    "for four persons please",
    "on saturday please",
    "at half past eight",
    "cancel my reservation please",
    "the number is four zero one nine",
    "my booking number is one zero two",
    "what do you serve today",
    "read me the menu please",
    "how much is the pizza",
    "what is the price of grilled fish",
    "is it expensive",
    "is it raining today",
    "what is your address",
    "where are you",
    "say that again please",
    "please be quiet",
    "thank you very much",
    "let me talk to the manager",
    "i want to speak to an operator please",
    "hang up",
)
TUNING_OFF_SCRIPT: Final = (
    "can you tell me a joke",
    "where is my suitcase",
    "i lost my keys in the park",
    "turn off the light in the kitchen",
    "my brother works in a hospital",
    "open the window please",
    "what is your favorite color",
    "the train leaves at platform nine",
    "i need a doctor right now",
    "play some music for me",
    "how old are you",
    "we went to the beach last summer",
    "the dog barked all night long",
    "send me an email tomorrow morning",
    "i would like to buy a new car",
    "is this the right way to the airport",
    "my computer does not start",
    "she sells flowers at the market",
    "call me a taxi please",
    "the meeting was moved to next week",
    "which bus goes to the museum",
    "i forgot my password again",
    "water the plants on the balcony",
    "nobody told me about the party",
    "could you help me with my homework",
    "good luck with your exam",
    "it is my birthday today",
    "the children are asleep",
    "there is a problem with my phone",
    "thanks but i am not interested",
)
