"""The kernel of `mixing.c` in Python: the same streams, bit by bit, hundreds of times as slowly.

Names, structure and arithmetic are those of `mixing.c`, which explains them.
"""

from collections.abc import Sequence

import numpy as np

from foxing.encoder.native.entropy.tables import (
    N_LEARNED,
    N_MATCH,
    N_NODE,
    N_SYMBOL,
    RANKS,
    RIGHT_NODES,
    SHARES,
    TREE_SIZE,
    PriorTables,
    state_views,
)

from .arithmetic_coder import Coder
from .values import (
    BUCKET_BITS,
    BUCKET_LEVELS,
    DIGIT,
    FINAL_SHIFT,
    FIRST,
    FULL_WIDTH,
    FULL_WIDTH_BASE,
    LEFT,
    LETTER,
    LEVEL_BITS,
    LOGIT_LIMIT,
    MASK32,
    MASK64,
    MATCH_BITS,
    MATCH_CHARACTERS,
    MIN_PROBABILITY,
    NODE_MAPS,
    PAIR_MAPS,
    RARE,
    RARE_BASE,
    RARE_BITS,
    RARE_INDEX,
    RIGHT,
    WEIGHT_LIMIT,
    Choice,
    Decision,
    Levels,
    Symbols,
    bucket_of,
    clamp,
    decision_cost,
    learn,
    match_level,
    mix,
    next_history,
    node_key,
    share_level,
    symbol_key,
)


class PageCoder:
    """Codes one page."""

    def __init__(
        self, tables: PriorTables, rare_class: int, newline: int, rates: tuple[int, int], coder: Coder
    ) -> None:
        """`rates`: the shift of the mixers' learning rate, and the most decisions that are counted."""
        self.coder = coder
        self._tables = tables
        self._rare_class, self._newline = rare_class, newline
        self._rate, self._limit = rates
        self._state = state_views(tables.state.copy())
        self._stretch, self._squash = tables.stretch.tolist(), tables.squash.tolist()
        self._children, self._kinds = tables.children.tolist(), tables.kinds.tolist()
        self._codes, self._lengths = (part.tolist() for part in tables.paths)
        self._buckets: list[dict[int, bytearray]] = [{} for _ in range(N_LEARNED)]
        self._match_heads: list[dict[int, int]] = [{} for _ in range(N_MATCH)]
        self._characters: list[int] = []
        self._word = self._last_word = self._word_before = 0
        self._column = self._line_start = 0
        self._match_at, self._match_length = [0] * N_MATCH, [0] * N_MATCH
        self._learned: list[int] = []
        self._fixed: list[int] = []
        self._cost = self._doubt = 0
        #: What each character took, in units of 2^-4 bits, by its first cell.
        self.costs: dict[int, int] = {}

    def code(self, symbols: Symbols, rare: Symbols, levels: Levels, room: int | None = None) -> int:
        """Codes the cells, [N] each, in place when decoding. Stops where the stream would exceed `room` bytes. Returns
        the cells coded; -1 for symbols that no page has."""
        at, given = 0, not self.coder.decoding
        while at < len(symbols):
            self._set_contexts()
            self._cost, width = 0, 1
            if given and not self._is_symbol(FIRST, int(symbols[at])):
                return -1
            symbol = character = self._code_symbol(FIRST, int(symbols[at]), 0)
            symbols[at] = symbol
            if symbol >= LEFT:
                if at % 2 or at + 1 == len(symbols):
                    return -1
                if given and not self._is_symbol(RIGHT, int(symbols[at + 1])):
                    return -1
                symbols[at + 1] = self._code_symbol(RIGHT, int(symbols[at + 1]), symbol + 1)
                character = FULL_WIDTH_BASE + (symbol - LEFT << 8) + int(symbols[at + 1])
                width = 2
            elif symbol == self._rare_class:
                if given and not self._is_symbol(RARE_INDEX, int(rare[at])):
                    return -1
                rare[at] = self._code_symbol(RARE_INDEX, int(rare[at]), 0)
                character = RARE_BASE + int(rare[at])
            self.costs[at] = self._cost
            level = self._code_level(int(levels[at]))
            if level < 0:
                return -1
            levels[at : at + width] = level
            if room is not None and self.coder.position + 4 > room:
                return at
            self._append(character)
            at += width
        return at

    def _is_symbol(self, alphabet: int, symbol: int) -> bool:
        if alphabet == RARE_INDEX:
            return symbol < 1 << RARE_BITS
        offset = RIGHT_NODES if alphabet == RIGHT else 0
        return symbol < TREE_SIZE - RIGHT_NODES and bool(self._lengths[symbol + offset])

    def _set_contexts(self) -> None:
        before = self._characters[-6:][::-1] + [0] * 6
        orders = [0x1000]
        for k in range(1, 7):
            orders.append(mix(orders[-1], before[k - 1] + 1 + (k << 32)))
        last = before[0]
        word, words = mix(self._word, 77), mix(mix(self._word, 78), self._last_word)
        self._learned = [
            *orders,
            mix(word, last),
            mix(words, last),
            mix(mix(mix(self._word, 79), self._word_before), last),
            mix(mix(min(self._column, 63), self._line_start), 83),
            mix(mix(self._last_word, self._word_before), mix(self._word, 86)),
        ]
        kind = self._kind(last)
        self._fixed = [mix(orders[k], 200 + k) for k in range(1, N_NODE + 1)]
        self._fixed += [mix(orders[k], 300 + k) for k in range(2, 7)]
        self._fixed += [mix(mix(word, kind), 401), mix(mix(words, kind), 402)]

    def _kind(self, character: int) -> int:
        if character < RARE_BASE:
            return int(self._kinds[character])
        return RARE if character < FULL_WIDTH_BASE else FULL_WIDTH

    def _code_symbol(self, alphabet: int, symbol: int, extra: int) -> int:
        choice = self._start_choice(alphabet, extra)
        while True:
            if choice.depth % BUCKET_LEVELS == 0:
                self._open_buckets(choice)
            decision = self._gather(choice)
            self._predict(choice, decision)
            bit = 0 if self.coder.decoding else self._path_bit(choice, symbol)
            bit = self.coder.code(bit, decision.probability)
            self._cost += decision_cost(decision.probability if bit else 65536 - decision.probability)
            self._update(choice, decision, bit)
            choice.depth += 1
            choice.local = 2 * choice.local + 1 + bit
            if alphabet == RARE_INDEX:
                choice.prefix = choice.prefix * 2 + bit
                if choice.depth == RARE_BITS:
                    return choice.prefix - (1 << RARE_BITS)
            else:
                choice.node = self._children[choice.node][bit]
                if choice.node < 0:
                    return int(~choice.node)

    def _start_choice(self, alphabet: int, extra: int) -> Choice:
        learned = [mix(context, extra + alphabet) for context in self._learned]
        fixed = [mix(context, extra) for context in self._fixed]
        last = self._characters[-1] if self._characters else 0
        choice = Choice(learned, fixed, alphabet, RIGHT_NODES if alphabet == RIGHT else 0, last)
        if alphabet != RARE_INDEX:
            choice.candidates = [self._find_symbols(context, alphabet) for context in fixed[N_NODE:]]
        for i in range(N_MATCH):
            if self._match_length[i]:
                choice.expected[i] = self._expected(self._characters[self._match_at[i]], alphabet, extra)
        return choice

    def _expected(self, following: int, alphabet: int, extra: int) -> int:
        left = LEFT + (following - FULL_WIDTH_BASE >> 8)
        if alphabet == FIRST:
            if following >= FULL_WIDTH_BASE:
                return left
            return self._rare_class if following >= RARE_BASE else following
        if alphabet == RIGHT:
            return following - FULL_WIDTH_BASE & 255 if following >= FULL_WIDTH_BASE and left + 1 == extra else -1
        return following - RARE_BASE if RARE_BASE <= following < FULL_WIDTH_BASE else -1

    def _find_symbols(self, context: int, alphabet: int) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for rank in range(RANKS):
            key = symbol_key(context, rank, alphabet)
            bucket = self._tables.symbols[bucket_of(key, len(self._tables.symbols))].tolist()
            entries = [low | middle << 8 | high << 16 for low, middle, high in bucket]
            value = next((entry for entry in entries if entry >> 13 == 1 + (key & 0x7FF) % 2047), None)
            if value is None:
                break
            symbol = value >> 4 & 511
            if self._lengths[symbol + (RIGHT_NODES if alphabet == RIGHT else 0)]:
                found.append((symbol, SHARES[value & 15]))
        return found

    def _find_node(self, context: int, node: int) -> int:
        key = node_key(context, node)
        bucket = self._tables.nodes[bucket_of(key, len(self._tables.nodes))].tolist()
        return next((entry & 63 for entry in bucket if entry >> 6 == 1 + (key & 0x3FF) % 1023), -1)

    def _open_buckets(self, choice: Choice) -> None:
        choice.local = 0
        choice.histories = []
        for k, buckets in enumerate(self._buckets):
            hashed = (choice.learned[k] + choice.number) * 0xD6E8FEB86659FD93 & MASK64
            hashed ^= hashed >> 32
            check, index = hashed >> 20 & 255 | 1, hashed & (1 << BUCKET_BITS) - 1
            pair = [buckets.setdefault(i, bytearray(8)) for i in (index, index ^ 1)]
            bucket = next((b for b in pair if b[0] == check), None)
            if bucket is None:
                seen = [(b[1] >> 4) + (b[1] & 15) for b in pair]
                bucket = pair[seen[1] < seen[0]]
                bucket[:] = bytes((check, 0, 0, 0, 0, 0, 0, 0))
            choice.histories.append(bucket)

    def _path_bit(self, choice: Choice, symbol: int) -> int:
        if choice.alphabet == RARE_INDEX:
            return symbol >> (RARE_BITS - 1 - choice.depth) & 1
        index = symbol + (RIGHT_NODES if choice.alphabet == RIGHT else 0)
        return int(self._codes[index] >> (self._lengths[index] - 1 - choice.depth) & 1)

    def _logit(self, entry: np.uint32) -> int:
        return int(self._stretch[int(entry) >> 20])

    def _gather(self, choice: Choice) -> Decision:
        state, decision = self._state, Decision()
        inputs: list[int] = []
        for k in range(N_LEARNED):
            history = choice.histories[k][1 + choice.local]
            inputs.append(self._logit(state["histories"][k, history]) if history else 0)
            decision.seen += history > 0
            if history and 2 <= k < 7:
                decision.order = k - 1
        for k in range(N_NODE):
            known = -1 if choice.alphabet == RARE_INDEX else self._find_node(choice.fixed[k], choice.number)
            decision.known.append(known)
            inputs.append(self._logit(state["nodes"][k, known]) if known >= 0 else 0)
        for k in range(N_SYMBOL):
            sums = [0, 0]
            for symbol, share in choice.candidates[k]:
                sums[self._path_bit(choice, symbol)] += share
            level = share_level(sums[0]) * 16 + share_level(sums[1])
            decision.shares.append(level)
            inputs.append(self._logit(state["symbols"][k, level]) if level else 0)
            decision.rank = k + 1 if level else decision.rank
        inputs += self._gather_matches(choice, decision)
        inputs.append(256)
        decision.inputs[: len(inputs)] = inputs
        return decision

    def _gather_matches(self, choice: Choice, decision: Decision) -> list[int]:
        inputs = [0] * N_MATCH
        decision.matched = [-1] * N_MATCH
        for i, expected in enumerate(choice.expected):
            if expected < 0:
                continue
            length = self._match_length[i]
            bit, level = self._path_bit(choice, expected), match_level(length)
            logit = self._logit(self._state["matches"][i, level])
            inputs[i] = logit if bit else -logit
            decision.matched[i] = 2 * level + bit
            decision.match = decision.match or 1 + (length > 8) + (length > 15)
        return inputs

    def _predict(self, choice: Choice, decision: Decision) -> None:
        state = self._state
        self._choose_weights(choice, decision)
        for weights in decision.weights:
            total = int((decision.inputs * weights >> 8).sum())
            decision.logits.append(clamp(total >> 8, LOGIT_LIMIT))
        decision.guesses = [self._squash[logit + 2048] for logit in decision.logits]
        total = sum(logit * int(weight) for logit, weight in zip(decision.logits, decision.final, strict=False))
        logit = clamp(total >> 16, LOGIT_LIMIT)
        step, part = logit + 2048 >> 7, logit + 2048 & 127
        pair = mix(choice.last, choice.number) >> 20 & PAIR_MAPS - 1
        maps = (state["node_maps"][min(choice.number, NODE_MAPS - 1)], state["pair_maps"][pair])
        decision.mixed = self._squash[logit + 2048]
        corrected = [int(m[step]) * (128 - part) + int(m[step + 1]) * part >> 7 for m in maps]
        decision.steps = [(m, step + (part > 63)) for m in maps]
        mean = 2 * decision.mixed + sum(corrected) + 2 >> 2
        decision.probability = max(MIN_PROBABILITY, min(65536 - MIN_PROBABILITY, mean))

    def _choose_weights(self, choice: Choice, decision: Decision) -> None:
        state, alphabet, last = self._state, choice.alphabet, choice.last
        rank, match, deep = decision.rank, decision.match, min(15, choice.depth)
        early = (deep >= 1) + (deep >= 3) + (deep >= 6)
        character = last if last < RARE_BASE else 256 if last < FULL_WIDTH_BASE else 257 + (last >> 8 & 127)
        decision.weights = [
            state["by_node"][RIGHT_NODES - 16 + deep if alphabet == RARE_INDEX else choice.node],
            state["by_rank"][(((8 if alphabet else 0) + rank) * 4 + match) * 16 + deep],
            state["by_character"][character],
            state["by_seen"][(decision.seen * 4 + match) * 4 + early],
            state["by_order"][((alphabet * 8 + decision.order) * 8 + rank) * 4 + match],
        ]
        decision.final = state["final"][alphabet * 16 + deep]

    def _update(self, choice: Choice, decision: Decision, bit: int) -> None:
        target, half = 65535 if bit else 0, 1 << self._rate - 1
        error = target - decision.mixed >> 2
        for i, weights in enumerate(decision.weights):
            step = decision.inputs * (target - decision.guesses[i] >> 2) + half >> self._rate
            weights[:] = np.clip(weights + step, -WEIGHT_LIMIT, WEIGHT_LIMIT)
            decision.final[i] += decision.logits[i] * error + (1 << FINAL_SHIFT - 1) >> FINAL_SHIFT
        for (steps, index), shift in zip(decision.steps, (6, 5), strict=True):
            before = int(steps[index])
            steps[index] = before + (target - before >> shift)
        self._update_contexts(choice, decision, bit)

    def _update_contexts(self, choice: Choice, decision: Decision, bit: int) -> None:
        state = self._state
        for k, histories in enumerate(choice.histories):
            history = histories[1 + choice.local]
            if history:
                learn(state["histories"][k], history, bit, self._limit)
            histories[1 + choice.local] = next_history(history, bit)
        for k, known in enumerate(decision.known):
            if known >= 0:
                learn(state["nodes"][k], known, bit, self._limit)
        for k, level in enumerate(decision.shares):
            if level:
                learn(state["symbols"][k], level, bit, self._limit)
            choice.candidates[k] = [c for c in choice.candidates[k] if self._path_bit(choice, c[0]) == bit]
        for i, matched in enumerate(decision.matched):
            if matched >= 0:
                right = bit == matched & 1
                learn(state["matches"][i], matched >> 1, right, self._limit)
                if not right:
                    choice.expected[i] = -1

    def _code_level(self, level: int) -> int:
        surprise = sum(self._cost >= bound for bound in (16, 64, 160))
        recent = sum(self._doubt >= bound for bound in (1, 16, 64))
        first = (surprise * 4 + recent) * (1 << LEVEL_BITS + 1)
        node = 1
        for depth in range(-1, LEVEL_BITS):
            index = first if depth < 0 else first + node
            bit = int(level > 0) if depth < 0 else level >> (LEVEL_BITS - 1 - depth) & 1
            bit = self.coder.code(bit, max(1, int(self._state["levels"][index]) >> 16))
            learn(self._state["levels"], index, bit, 255)
            if depth < 0 and not bit:
                break
            node = node * 2 + bit if depth >= 0 else node
        if node == 1 << LEVEL_BITS:
            return -1
        level = 0 if node == 1 else node - (1 << LEVEL_BITS)
        self._doubt += 8 * level - (self._doubt + 7) // 8
        return level

    def _append(self, character: int) -> None:
        kind = self._kind(character)
        self._characters.append(character)
        if kind in (LETTER, RARE) or (kind == DIGIT and self._word):
            self._word = mix(self._word + 1, character) >> 16 & MASK32 | 1
        elif self._word or kind == FULL_WIDTH:
            self._word_before = self._last_word
            self._last_word = mix(character, 9) >> 16 & MASK32 if kind == FULL_WIDTH else self._word
            self._word = 0
        self._column += 1
        if self._column == 1:
            self._line_start = character
        if character == self._newline:
            self._column = 0
        for i in range(N_MATCH):
            self._follow_match(i, character)

    def _follow_match(self, i: int, character: int) -> None:
        text, needed = self._characters, MATCH_CHARACTERS[i]
        if self._match_length[i] and text[self._match_at[i]] == character:
            self._match_length[i] += 1
            self._match_at[i] += 1
        else:
            self._match_length[i] = 0
        if len(text) < needed:
            return
        hashed = 0
        for k in range(1, needed + 1):
            hashed = mix(hashed, text[-k])
        head = hashed >> 40 & (1 << MATCH_BITS) - 1
        found = self._match_heads[i].get(head, 0)
        if not self._match_length[i] and found:
            length = _common_ending(text, found)
            if length >= needed:
                self._match_length[i], self._match_at[i] = length, found
        self._match_heads[i][head] = len(text)


def _common_ending(text: Sequence[int], found: int) -> int:
    """How many characters before `found` and before the end of `text` are the same, at most 40."""
    length = 0
    while length < min(40, found) and text[found - 1 - length] == text[-1 - length]:
        length += 1
    return length
