"""Templates of what customers and agents of the shop say. The halves share none of them."""

import random
from collections.abc import Mapping, Sequence
from typing import Literal

Half = Literal["dev", "held-out"]
HALVES: tuple[Half, ...] = ("dev", "held-out")

#: Slot → templates; those at even places are of `dev`.
_TEMPLATES: Mapping[str, Sequence[str]] = {
    # the agent opens the conversation
    "greeting": (
        "Hello, welcome to our store! What can I do for you today?",
        "Good day! You have reached customer service. How may I help?",
        "Hi there! How can I help you?",
        "Hello, thanks for contacting us. What is this about?",
    ),
    "opening": (
        "Hi, I'd like some help. {request}",
        "Hello! {request} Can you do that?",
        "hey, quick question: {request}",
        "Good afternoon, I am writing about something I ordered. {request}",
        "Hello there. {request} Thank you.",
        "Hi! I hope you can help me. {request}",
        "{request}",
        "Hi again... {request}",
    ),
    "opening_named": (
        "Hi, I'm {first} {last}. {request}",
        "Hello, my name is {first} {last}, {request_lower}",
        "{first} {last} here. {request}",
        "This is {first} {last} speaking. {request}",
    ),
    # what is wanted; {order} is “order #W…” or words for an order whose number is not at hand
    "want_return": (
        "I want to return the {things} from {order}.",
        "I'm not happy with the {things} in {order} and want my money back.",
        "I need to send back the {things} that came with {order}.",
        "The {things} of {order} should go back, please refund me.",
    ),
    "want_exchange": (
        "I'd like to exchange some of the things in {order}: {swaps}.",
        "Concerning {order}, which has arrived: could I swap {swaps}?",
        "The delivery of {order} came, but I picked wrong. I want {swaps}.",
        "For {order} I need other versions: {swaps}.",
    ),
    "want_modify": (
        "Can I still change {order}? I'd rather have {swaps}.",
        "{order_start} has not shipped, I believe. Please change it: {swaps}.",
        "I'd like to modify {order} before it ships: {swaps}.",
        "Could you alter {order} for me? {swaps}.",
    ),
    "want_cancel": (
        "I want to cancel {order}.",
        "Please call off {order}.",
        "I don't want {order} any more, can it be cancelled?",
        "Is it possible to cancel {order}? I'd like to.",
    ),
    "want_address": (
        "{order_start} goes to the wrong address. It should go to {address}.",
        "Please send {order} to another address: {address}.",
        "I need a different delivery address for {order}: {address}.",
        "Could {order} be delivered to {address} instead?",
    ),
    "want_payment": (
        "I'd like to pay for {order} with my {payment} instead.",
        "Can the payment of {order} be moved to my {payment}?",
        "Please switch the payment method of {order} to the {payment}.",
        "The {payment} should be charged for {order}, not the one I used.",
    ),
    "want_more": ("Also: {request}", "And another thing. {request}", "Besides, {request_lower}", "Then: {request}"),
    "swap": (
        "the {old} for a {new} one",
        "a {new} one in place of the {old}",
        "the {old} replaced by the {new} version",
        "{new} instead of the {old}",
    ),
    "swap_same": ("the {old} for another of the same kind", "a fresh {old}"),
    "unknown_order": (
        "an order of mine (I can't find the number)",
        "a recent order, no idea what its number is",
        "one of my orders",
        "my order, the number of which I lost",
    ),
    # who is it?
    "ask_identity": (
        "Happy to help. May I have your e-mail address, or your full name and zip code?",
        "Of course. To find your account I need your e-mail, or name and zip code.",
        "Sure thing! First I need to verify your identity: what is your email address, or your name with zip code?",
        "I can look into it. Please tell me the e-mail of your account, or else your name and postal code.",
    ),
    "identity_email": ("{email}", "My email is {email}", "sure, it's {email}", "You should have me under {email}."),
    "identity_zip": (
        "{first} {last}, {zip}",
        "My name is {first} {last} and the zip is {zip}.",
        "I'm {first} {last}, zip code {zip}",
        "{first} {last}. Zip code: {zip}.",
    ),
    "identity_slip": (
        "I can't find anybody by that. Could you check it once more?",
        "That does not match an account, I am afraid. Can you repeat it?",
    ),
    "identified": (
        "Thank you, {first}, I have found your account. Let me look at the order.",
        "Thanks, {first}. One moment while I check.",
        "Great, {first}, you are verified. I'll pull up the details.",
        "Perfect, thank you. I am checking your orders now.",
    ),
    # while looking
    "order_seen": (
        "I see order {order}, which is {status}. It has: {items}.",
        "Found it: {order} ({status}), with {items}.",
        "Order {order} is {status} and contains {items}.",
        "There is {order}, status {status}: {items}.",
    ),
    "order_right": ("Yes, that's the one.", "That is it.", "yep that one", "Exactly."),
    "variants": (
        "The {name} is available as: {variants}. Which one would you like?",
        "For the {name} we have {variants} in stock.",
        "Available versions of the {name}: {variants}.",
        "These are in stock for the {name}: {variants}. What is your choice?",
    ),
    "variant_choice": (
        "The {new} one please.",
        "I'll take the one that is {new}.",
        "{new}, as I said",
        "Then {new} it is.",
    ),
    "changed_mind": (
        "Hmm, wait. For the {name} I'd actually prefer {new}.",
        "Sorry, I thought about it: make the {name} {new} instead.",
        "Actually no, not that one. The {name} should be {new}.",
        "On second thought, {new} for the {name} please.",
    ),
    "mind_noted": ("No problem, I'll note that.", "Certainly.", "Sure, {new} then.", "Of course, that can be changed."),
    "ask_payment": (
        "Which payment method shall be used? On file: {methods}.",
        "You have {methods} on your account. Which one for this?",
        "How would you like to handle the payment or refund: {methods}?",
        "Your account lists {methods}. Please choose one.",
    ),
    "payment_choice": ("{payment} please", "Use the {payment}.", "My {payment}.", "Put it on the {payment}, thanks."),
    "ask_reason": (
        "May I ask why? We can cancel for 'no longer needed' or 'ordered by mistake'.",
        "Is it no longer needed, or was it ordered by mistake?",
        "For the cancellation I need a reason: no longer needed, or ordered by mistake?",
        "Could you say whether you no longer need it or ordered it by mistake?",
    ),
    "reason_no longer needed": (
        "I just don't need it anymore",
        "I have no use for it now.",
        "No longer needed.",
        "We got one somewhere else, so it is no longer needed",
    ),
    "reason_ordered by mistake": (
        "It was an accident, I clicked the wrong thing.",
        "ordered by mistake",
        "By mistake, sorry!",
        "My kid ordered it by mistake.",
    ),
    # the agent reads out what will be done
    "read_out": (
        "To sum up, this is what I will do:\n{lines}\nDo you confirm (yes/no)?",
        "Here is the summary:\n{lines}\nShall I proceed?",
        "Let me read it back to you:\n{lines}\nIs that right? Please answer yes to go ahead.",
        "I have prepared the following:\n{lines}\nPlease say yes if I should carry it out.",
        "So: {joined} May I go ahead?",
        "Just to confirm: {joined} Is this correct?",
    ),
    "line_return": (
        "Return from order {order}: {olds}. The refund goes to {payment}.",
        "Order {order}: you send back {olds}; refund to {payment}.",
        "I'll register a return for {order} ({olds}), refunded to {payment}.",
        "Return request, order {order}, items {olds}, refund via {payment}.",
    ),
    "line_exchange": (
        "Exchange in order {order}: {pairs}. The difference of {difference} is settled with {payment}.",
        "Order {order}, exchange: {pairs}; price difference {difference} via {payment}.",
        "In {order} I exchange {pairs}. {difference} will be charged or refunded to {payment}.",
        "Exchange request for {order}: {pairs} ({difference} on {payment}).",
    ),
    "line_modify": (
        "Change the items of pending order {order}: {pairs}. The difference of {difference} goes through {payment}.",
        "Pending order {order}: {pairs}; price difference {difference}, {payment}.",
        "In {order}, which has not shipped, {pairs}. {difference} on {payment}.",
        "Item change for {order}: {pairs}, with {difference} to be settled by {payment}.",
    ),
    "line_cancel": (
        "Cancel order {order}, reason: {reason}. You get the money back the way you paid.",
        "Order {order} is cancelled ({reason}).",
        "Cancellation of {order} because it is {reason}; the refund takes 5 to 7 business days.",
        "I will cancel {order}. Reason given: {reason}.",
    ),
    "line_address": (
        "Send order {order} to {address}.",
        "New delivery address of {order}: {address}.",
        "Order {order} will go to {address}.",
        "Shipping address of {order} becomes {address}.",
    ),
    "line_payment": (
        "Payment of order {order} moves to {payment}.",
        "Order {order} will be charged to {payment} instead.",
        "Change the payment method of {order} to {payment}.",
        "{order} is paid with {payment} from now on.",
    ),
    "confirm": (
        "Yes.",
        "Yes, please.",
        "yes go ahead",
        "Correct, please proceed.",
        "Yes, that's right. Thanks!",
        "That is all correct, yes.",
        "yep",
        "Confirmed.",
    ),
    "away": (
        "Oh, I have to run. I'll come back to it!",
        "Sorry, someone is at the door. Yes in principle, I'll write again.",
        "One sec, my train is arriving. Talk later, but it's all correct.",
        "got to go now, will be back",
    ),
    "wait": (
        "Thank you. One moment, please.",
        "Thanks, I am processing it now.",
        "Great, please hold on.",
        "Very well, I'm on it.",
    ),
    "outage": (
        "I'm sorry, our order system does not respond at the moment. Please contact us again later.",
        "Unfortunately the system is down for maintenance, I can't complete this now. Please come back another time.",
        "Apologies, I get an error from our side and can't finish it now. Please try again later.",
        "The order service is timing out. I can't submit this today, please get in touch again.",
    ),
    "done": (
        "All done. You will get an e-mail with the details. Anything else?",
        "It is done. Is there anything else?",
        "That went through. Can I help with something else?",
        "Finished! You'll receive a confirmation by mail.",
    ),
    "thanks": ("No, that's all. Thanks!", "Thank you, bye.", "great, thanks a lot", "That was it. Have a nice day."),
    # beside the point
    "aside": (
        "By the way, how long does a refund take?",
        "Do you ship to Canada?",
        "Is there a discount for new customers?",
        "What are your opening hours?",
        "Can I get an invoice by mail?",
        "Do gift cards expire?",
    ),
    "aside_answer": (
        "Usually 5 to 7 business days, gift cards at once.",
        "I'm afraid I can't say; our website has the details.",
        "That depends, please see the help pages.",
        "I have no information about that here.",
    ),
    "ask_price": (
        "What did I pay for the {name} again?",
        "How much was the {name}?",
        "And the price of the {name} was?",
        "Remind me what the {name} cost.",
    ),
    "price": (
        "It was ${price}.",
        "${price}, according to the order.",
        "You paid ${price} for it.",
        "That cost ${price}.",
    ),
    "ask_stock": (
        "Does the {name} come in other versions, too?",
        "What other kinds of {name} do you sell?",
        "Just curious, which other {name} could one get?",
        "How many sorts of {name} are there?",
    ),
    "stock": (
        "Yes, there are several versions of the {name}; some are sold out.",
        "We have a few kinds of {name}, you can see them on our website.",
        "There are others, but not all are in stock at the moment.",
        "Several. I can tell you more about them if you want to order a {name}.",
    ),
    "ask_other": (
        "Before that, where is my other order {order}?",
        "Could you also check the status of {order}?",
        "And what about {order}, has it arrived?",
        "Oh, and is {order} on its way?",
    ),
    "other": (
        "Order {order} is {status}.",
        "{order}: the status is {status}.",
        "That one is {status}.",
        "It shows as {status}.",
    ),
    # the customer returns
    "return_named": (
        "Hi, this is {first} {last}, zip {zip}. What we had settled last time was never carried out. Please do so now.",
        "Good morning. {first} {last}, postcode {zip}. I gave my OK then, but nothing came of it; do it now.",
        "{first} {last} here ({zip}). I confirmed the {deed} but nothing happened. Could you put it through now?",
        "Hello, I'm {first} {last} and live in {zip}. I still wait for the {deed} I asked for. Complete it, please.",
        "Hello again! My name is {first} {last}, my zip is {zip}. Go ahead with the {deed} of the {things} now please.",
        "It's {first} {last} again, zip code {zip}, about the {things}. You never finished the {deed}, please do.",
        "I was interrupted when I talked to you. {last}, {first}; {zip}. Yes, do everything you read out to me.",
        "We were cut off in the middle. My name: {first} {last}. Zip: {zip}. Yes to all you proposed, so submit it.",
        "zip {zip}, name {first} {last}. you said the system was down, can you finish it now?",
        "hi its {first} {last} from {zip}, can u now please make the changes that we agreed on",
    ),
    "return_plain": (
        "Hello again, I'm still waiting for the {deed} of my {things}. Nothing has happened. Please go ahead now.",
        "Hi, some time ago I spoke with you about the {deed} of the {things}. It hasn't been done; please do it now.",
        "It's about {orders}. We'd agreed what to do and I said yes, so please do it now.",
        "I am writing because of {orders}: what you read out to me was never carried out. Please carry it out now.",
        "My e-mail is {email}. Please put through what we settled the last time.",
        "You have me under {email}. I'd like you to do now what you promised in our last chat.",
        "I was chatting with you about the {things_detailed} and had to leave. Yes, go through with the {deed}.",
        "Do you remember the {things_detailed}? I had agreed to the {deed}, and I want it done now.",
        "Back again. You were about to see to the {deed} ({things_detailed}) with my {payment}. Can you finish that?",
        "The {deed} we talked about, {things_detailed}, {payment}: is it done? If not, do it right away.",
    ),
}
WORDINGS = 5  # of a return, with name and postcode and likewise without, in each half

#: Writing tool → what the customer calls what it does.
DEEDS: Mapping[str, str] = {
    "return_delivered_order_items": "return",
    "exchange_delivered_order_items": "exchange",
    "modify_pending_order_items": "change of items",
    "modify_pending_order_address": "change of address",
    "modify_pending_order_payment": "change of payment",
    "cancel_pending_order": "cancellation",
}
#: Writing tool → end of the names of its slots.
SLOTS: Mapping[str, str] = {
    "return_delivered_order_items": "return",
    "exchange_delivered_order_items": "exchange",
    "modify_pending_order_items": "modify",
    "modify_pending_order_address": "address",
    "modify_pending_order_payment": "payment",
    "cancel_pending_order": "cancel",
}


def templates(slot: str, half: Half) -> Sequence[str]:
    """Returns the templates of a slot that belong to a half."""
    return _TEMPLATES[slot][HALVES.index(half) :: len(HALVES)]


def with_typos(template: str, rate: float, rng: random.Random) -> str:
    """Returns a template in which a share of the longer lower-case words has two letters swapped, one left out or one
    twice. What stands in braces is left alone."""
    return " ".join(_mistyped(word, rng) if rng.random() < rate else word for word in template.split(" "))


def _mistyped(word: str, rng: random.Random) -> str:
    if len(word) < 5 or not word.isalpha() or not word.islower():
        return word
    place = rng.randrange(1, len(word) - 2)
    swapped = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return rng.choice((swapped, word[:place] + word[place + 1 :], word[:place] + word[place] + word[place:]))
