/* Entropy coder of the native codec: context mixing over the symbols of a page, in integer arithmetic.
 *
 * A symbol is coded as a path of binary decisions through a fixed tree. The probability of each decision is mixed from
 * two kinds of predictions: static tables, trained on text and shipped with the weights, and adaptive tables, which are
 * empty at the top of a page and learn along it. The mixing weights start from shipped values and are adaptive as well.
 * The method is that of M. Mahoney's PAQ and lpaq ("Adaptive weighing of context models for lossless data compression",
 * 2005): bit histories, maps from a history to a probability, gated logistic mixing, and a final correction by adaptive
 * probability maps.
 *
 * `tests/support/kernel_reference` is the reference implementation in Python; tests compare the two bit by bit. All
 * integers have a fixed width, so that a page decodes identically on every machine. Right shifts of negative numbers
 * must round down, as they do with all supported compilers. Probabilities are those of a 1, in units of 2^-16 unless
 * noted otherwise; logits are in units of 2^-8, from -2047 to 2047.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define FAST __attribute__((target_clones("avx2", "default"), flatten))
#else
#define FAST
#endif
#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)(address))
#endif

enum {
    COLUMNS = 160,
    MAX_CELLS = 80 * COLUMNS,
    LEFT = 256,           /* first symbol that is a left half */
    RARE_BASE = 1024,     /* number of the first rare character; smaller numbers are narrow classes */
    FULL_WIDTH_BASE = 4096,
    RARE_BITS = 11,       /* bits of the index of a rare character */
    LEVEL_BITS = 4,       /* bits of a confidence level */
    RIGHT_NODES = 512,    /* first node of the tree of right halves; the tree of first symbols starts at 0 */
    TREE_SIZE = 1024,     /* nodes, and codes, of both trees */
    RARE_NODES = 1024,    /* first node of the tree of rare characters */
    N_LEARNED = 12,       /* contexts with an adaptive table */
    N_NODE = 3,           /* contexts of the static table of nodes */
    N_SYMBOL = 7,         /* contexts of the static table of symbols */
    N_STATIC = N_NODE + N_SYMBOL,
    N_MATCH = 2,          /* match models, which search for an earlier occurrence of the last characters */
    RANKS = 4,            /* maximum symbols per context in the static table of symbols */
    BUCKET_BITS = 15,     /* log2 of the number of buckets of an adaptive table */
    BUCKET_LEVELS = 3,    /* tree levels per bucket: 1 + 2 + 4 nodes */
    MATCH_BITS = 14,
    N_INPUTS = 32,        /* inputs of a mixer; unused inputs are 0 */
    N_SETS = 5,           /* mixers, each of which selects its weights by its own context */
    NODE_SET = 768,       /* weight sets per mixer */
    RANK_SET = 1024,
    CHARACTER_SET = 512,
    SEEN_SET = 256,
    ORDER_SET = 1024,
    FINAL_SET = 64,
    FINAL_INPUTS = 8,
    STEPS = 33,           /* interpolation points of an adaptive probability map */
    NODE_MAPS = 1024,
    PAIR_MAPS = 4096,
    LEVEL_MAPS = 1024,
    WEIGHT_LIMIT = 1 << 19, /* 8 in units of 2^-16 */
    LOGIT_LIMIT = 2047,
    MIN_PROBABILITY = 16,
    FINAL_SHIFT = 16
};

/* Shared by all pages, read-only. */
typedef struct {
    const int16_t *stretch;     /* [4096]: probability in units of 2^-12 → logit */
    const uint16_t *squash;     /* [4096]: logit + 2048 → probability */
    const int32_t *children;    /* [TREE_SIZE][2]: child node after a 0 and after a 1; ~symbol at a leaf */
    const uint32_t *codes;      /* [TREE_SIZE]: path to each symbol, first decision in the highest bit */
    const uint8_t *lengths;     /* [TREE_SIZE]: number of decisions of the path */
    const uint8_t *kinds;       /* [256]: `Kind` of each narrow character */
    const uint16_t *nodes;      /* [node_buckets][4]: 10 check bits of the context, 6 bits of the probability */
    const uint8_t *symbols;     /* [symbol_buckets][4][3]: 11 check bits of the context, 9 bits of the symbol, 4 of its share */
    uint32_t node_buckets;
    uint32_t symbol_buckets;
    int32_t rare_class;
    int32_t newline;
} Model;

enum Kind { OTHER = 0, LETTER = 1, DIGIT = 2, SPACE = 3, RARE = 4, FULL_WIDTH = 5 };

/* Adaptive state, initialised at the top of a page. Adaptive probabilities have 22 bits, above a count of decisions in
 * the low 10 bits. */
typedef struct {
    uint32_t histories[N_LEARNED][256];
    uint32_t nodes[N_NODE][64];
    uint32_t symbols[N_SYMBOL][256];
    uint32_t matches[N_MATCH][64];
    uint32_t levels[LEVEL_MAPS];
    int32_t by_node[NODE_SET][N_INPUTS];
    int32_t by_rank[RANK_SET][N_INPUTS];
    int32_t by_character[CHARACTER_SET][N_INPUTS];
    int32_t by_seen[SEEN_SET][N_INPUTS];
    int32_t by_order[ORDER_SET][N_INPUTS];
    int32_t final[FINAL_SET][FINAL_INPUTS];
    uint16_t node_maps[NODE_MAPS][STEPS + 1];
    uint16_t pair_maps[PAIR_MAPS][STEPS + 1];
} State;

typedef struct {
    uint32_t low, high, value;
    uint8_t *bytes;
    int64_t position, size;
    int decoding, measuring;
} Coder;

typedef struct {
    State state;
    Coder coder;
    uint64_t buckets[N_LEARNED][1 << BUCKET_BITS]; /* a check byte, then the bit histories of 7 nodes */
    uint32_t match_heads[N_MATCH][1 << MATCH_BITS];
    uint32_t characters[MAX_CELLS + 1];
    int32_t count;                                /* number of characters */
    uint32_t word, last_word, word_before;        /* hashes; 0 if there is none */
    int32_t column;                               /* characters since the last newline */
    uint32_t line_start;                          /* first character of the line */
    uint32_t match_at[N_MATCH];
    int32_t match_length[N_MATCH];
    uint64_t learned[N_LEARNED], fixed[N_STATIC]; /* hashes of the contexts of the next character */
    uint32_t cost;                                /* cost of the last character, in units of 2^-4 bits */
    uint16_t *costs;                              /* output: cost of each cell; NULL if not requested */
    int32_t doubt;                                /* decaying average of the confidence levels */
    int32_t rate, limit;                          /* shift of the mixers' learning rate; maximum of the counts */
} Page;

/* Symbols that the static table predicts in a context. */
typedef struct {
    uint32_t path[RANKS];  /* path to each symbol, first decision in the highest bit */
    uint32_t share[RANKS]; /* its probability; 0 if a decision ruled it out, and for unused entries */
} Candidates;

/* Symbol being coded. */
typedef struct {
    uint64_t learned[N_LEARNED], fixed[N_STATIC]; /* hashes of its contexts */
    Candidates candidates[N_SYMBOL];
    int32_t expected[N_MATCH]; /* symbol predicted by each match; -1 if there is none or it is ruled out */
    uint8_t *histories[N_LEARNED];
    uint32_t last;             /* preceding character */
    int32_t alphabet, offset;  /* alphabet, and its offset in `codes` */
    int32_t node, depth, local; /* position in the tree, and in a bucket */
    uint32_t prefix;           /* for a rare index: decisions so far, after a leading 1 */
} Choice;

/* Binary decision of a symbol. */
typedef struct {
    int32_t inputs[N_INPUTS];
    int32_t known[N_NODE], shares[N_SYMBOL], matched[N_MATCH]; /* entries behind the inputs, for the update */
    int32_t seen, order, rank, match;                          /* amount of evidence, which selects the weights */
    int32_t *weights[N_SETS], *final;
    int32_t logits[N_SETS], guesses[N_SETS], mixed, probability;
    uint16_t *by_node, *by_pair; /* nearest interpolation points of the maps */
} Decision;

enum { FIRST = 0, RIGHT = 1, RARE_INDEX = 2 };

static const uint32_t SHARES[16] = {400, 900, 1600, 2600, 4000, 6000, 9000, 13000,
                                    18000, 24000, 31000, 39000, 47000, 54000, 60000, 64000};
static const uint32_t SHARE_BOUNDS[14] = {700, 1500, 2500, 4000, 6500, 10000, 15000,
                                          21000, 28000, 36000, 44000, 52000, 58500, 63000};
static const uint8_t FADED[16] = {0, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7};
static int32_t RECIPROCALS[1024]; /* 2^17 / (2n + 3) */
static uint8_t SHARE_LEVELS[513];
static const int32_t MATCH_CHARACTERS[N_MATCH] = {7, 4};

static inline uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
    return hash ^ (hash >> 29);
}

static inline int32_t clamp(int32_t value, int32_t limit) {
    return value > limit ? limit : value < -limit ? -limit : value;
}

static inline int32_t stretch(const Model *model, uint32_t probability) { return model->stretch[probability >> 4]; }

static inline int32_t squash(const Model *model, int32_t logit) { return model->squash[logit + 2048]; }

static inline void learn(uint32_t *entry, int bit, int32_t limit) {
    int32_t count = *entry & 1023, probability = *entry >> 10, target = bit ? 4194303 : 0;
    if (count > limit) count = limit;
    probability += (int32_t)(((int64_t)(target - probability) * RECIPROCALS[count]) >> 16);
    *entry = (uint32_t)probability << 10 | (uint32_t)(count < limit ? count + 1 : count);
}

static inline uint8_t next_history(uint8_t history, int bit) {
    int zeros = history >> 4, ones = history & 15;
    if (bit) {
        ones += ones < 15;
        zeros = FADED[zeros];
    } else {
        zeros += zeros < 15;
        ones = FADED[ones];
    }
    return (uint8_t)(zeros << 4 | ones);
}

/* Quantises a share to 0 … 15. */
static inline int share_level(uint32_t share) { return SHARE_LEVELS[share >= 65536 ? 512 : share >> 7]; }

EXPORT void foxing_mixing_prepare(void) {
    for (int i = 0; i < 1024; i++) RECIPROCALS[i] = 131072 / (2 * i + 3);
    for (uint32_t i = 1; i <= 512; i++) {
        SHARE_LEVELS[i] = 1;
        for (int k = 0; k < 14; k++) SHARE_LEVELS[i] += i * 128 + 64 > SHARE_BOUNDS[k];
    }
}

/* Codes the decision `bit`, given the probability of a 1, and returns it. When decoding, `bit` is ignored. */
static inline int code(Coder *coder, int bit, uint32_t probability) {
    if (coder->measuring) return bit;
    uint32_t middle = coder->low + (uint32_t)(((uint64_t)(coder->high - coder->low) * probability) >> 16);
    if (coder->decoding) bit = coder->value <= middle;
    if (bit)
        coder->high = middle;
    else
        coder->low = middle + 1;
    while (((coder->low ^ coder->high) & 0xff000000u) == 0) {
        if (coder->decoding)
            coder->value = coder->value << 8 | (coder->position < coder->size ? coder->bytes[coder->position] : 0);
        else if (coder->position < coder->size)
            coder->bytes[coder->position] = (uint8_t)(coder->high >> 24);
        coder->position++;
        coder->low <<= 8;
        coder->high = coder->high << 8 | 255;
    }
    return bit;
}

/* Writes the shortest ending of a stream to `bytes`, any number from `low` to `high` followed by zeros, and returns its
 * length in bytes. */
static int ending(const Coder *coder, uint8_t bytes[4]) {
    for (int count = 0; count <= 4; count++) {
        uint32_t kept = count == 0 ? 0 : 0xffffffffu << (32 - 8 * count);
        uint32_t value = coder->high & kept;
        if (value >= coder->low) {
            for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(value >> (24 - 8 * i));
            return count;
        }
    }
    return 4; /* not reached: `high` itself is at least `low` */
}

static inline uint64_t node_key(uint64_t context, uint32_t node) { return mix(context, node + 0x1234567u); }

static inline uint64_t symbol_key(uint64_t context, int rank, int alphabet) {
    return mix(context, 0x51edu + (uint32_t)(rank * 2 + alphabet));
}

static inline uint64_t bucket_of(uint64_t key, uint32_t buckets) { return ((key >> 32) * buckets) >> 32; }

static inline uint32_t node_check(uint64_t key) { return 1 + (uint32_t)(key & 0x3ff) % 1023; }

static inline uint32_t symbol_check(uint64_t key) { return 1 + (uint32_t)(key & 0x7ff) % 2047; }

/* Returns the probability of a 1 at a node, quantised to 6 bits; -1 if the table has no entry. */
static inline int find_node(const Model *model, uint64_t context, uint32_t node) {
    uint64_t key = node_key(context, node);
    const uint16_t *entry = model->nodes + bucket_of(key, model->node_buckets) * 4;
    for (int i = 0; i < 4; i++)
        if ((uint32_t)(entry[i] >> 6) == node_check(key)) return entry[i] & 63;
    return -1;
}

static inline uint32_t symbol_entry(const uint8_t *entry) {
    return entry[0] | (uint32_t)entry[1] << 8 | (uint32_t)entry[2] << 16;
}

/* Looks up the symbols of a context in the static table, most frequent first. */
static inline void find_symbols(const Model *model, uint64_t context, int alphabet, Candidates *found) {
    memset(found, 0, sizeof *found);
    if (alphabet == RARE_INDEX) return;
    for (int rank = 0; rank < RANKS; rank++) {
        uint64_t key = symbol_key(context, rank, alphabet);
        const uint8_t *entry = model->symbols + bucket_of(key, model->symbol_buckets) * 12;
        int slot = 0;
        while (slot < 4 && symbol_entry(entry + 3 * slot) >> 13 != symbol_check(key)) slot++;
        if (slot == 4) return;
        uint32_t value = symbol_entry(entry + 3 * slot);
        uint32_t index = (value >> 4 & 511) + (alphabet == RIGHT ? RIGHT_NODES : 0);
        if (!model->lengths[index]) continue;
        found->path[rank] = model->codes[index] << (32 - model->lengths[index]);
        found->share[rank] = SHARES[value & 15];
    }
}

static inline int32_t dot(const int32_t *inputs, const int32_t *weights) {
    int32_t sum = 0;
    for (int i = 0; i < N_INPUTS; i++) sum += (inputs[i] * weights[i]) >> 8;
    return clamp(sum >> 8, LOGIT_LIMIT);
}

static inline void train(const int32_t *inputs, int32_t *weights, int32_t error, int32_t rate) {
    int32_t half = 1 << (rate - 1);
    for (int i = 0; i < N_INPUTS; i++)
        weights[i] = clamp(weights[i] + ((inputs[i] * error + half) >> rate), WEIGHT_LIMIT);
}

static inline uint64_t bucket_hash(const Choice *choice, int k, uint32_t node) {
    uint64_t hash = (choice->learned[k] + node) * 0xD6E8FEB86659FD93ull;
    return hash ^ hash >> 32;
}

/* The tables exceed the L1 and L2 caches, so the entries of a decision are prefetched. */
static inline void prefetch_buckets(const Page *page, const Choice *choice, uint32_t node) {
    for (int k = 0; k < N_LEARNED; k++)
        PREFETCH(&page->buckets[k][bucket_hash(choice, k, node) & ((1 << BUCKET_BITS) - 1)]);
}

static inline void prefetch_nodes(const Model *model, const Choice *choice, uint32_t node) {
    for (int k = 0; k < N_NODE; k++)
        PREFETCH(model->nodes + bucket_of(node_key(choice->fixed[k], node), model->node_buckets) * 4);
}

/* Points the choice to the buckets of its contexts at a node, which hold the next `BUCKET_LEVELS` levels. */
static inline void open_buckets(Page *page, Choice *choice, uint32_t node) {
    uint64_t *found[N_LEARNED];
    uint8_t checks[N_LEARNED];
    choice->local = 0;
    for (int k = 0; k < N_LEARNED; k++) {
        uint64_t hash = bucket_hash(choice, k, node);
        checks[k] = (uint8_t)(hash >> 20) | 1;
        found[k] = &page->buckets[k][hash & ((1 << BUCKET_BITS) - 1)];
    }
    for (int k = 0; k < N_LEARNED; k++) {
        uint8_t *bucket = (uint8_t *)found[k];
        if (bucket[0] != checks[k]) {
            uint8_t *other = (uint8_t *)&page->buckets[k][(found[k] - page->buckets[k]) ^ 1];
            if (other[0] == checks[k])
                bucket = other;
            else { /* replace the bucket with fewer observations */
                if ((other[1] >> 4) + (other[1] & 15) < (bucket[1] >> 4) + (bucket[1] & 15)) bucket = other;
                memset(bucket, 0, 8);
                bucket[0] = checks[k];
            }
        }
        choice->histories[k] = bucket + 1;
    }
}

/* Returns the next decision on the path to `symbol`. */
static inline int path_bit(const Model *model, const Choice *choice, int symbol) {
    if (choice->alphabet == RARE_INDEX) return symbol >> (RARE_BITS - 1 - choice->depth) & 1;
    int index = symbol + choice->offset;
    return model->codes[index] >> (model->lengths[index] - 1 - choice->depth) & 1;
}

/* Returns all ones if a path, first decision in the highest bit, has this bit at a depth; else 0. Branchless, because
 * the branch would often be mispredicted. */
static inline uint32_t if_turned(uint32_t path, int depth, int bit) {
    return -(uint32_t)((path >> (31 - depth) & 1) == (uint32_t)bit);
}

static inline int match_level(int length) {
    if (length < 16) return length;
    return length < 24 ? 16 + (length - 16) / 4 : length < 48 ? 18 + (length - 24) / 8 : 21 + (length >= 64);
}

static inline uint32_t decision_cost(uint32_t probability) { /* about -16·log2(p), from the highest set bits */
    uint32_t cost = 0;
    while (probability < 32768) {
        probability <<= 1;
        cost += 16;
    }
    return cost + ((65536 - probability) >> 11);
}

/* Sets the contexts of a symbol and its predictions before the first decision. `extra`: 0, or the part of the character
 * that is already coded. */
static inline void start_choice(Page *page, const Model *model, int alphabet, uint32_t extra, Choice *choice) {
    choice->alphabet = alphabet;
    choice->offset = choice->node = alphabet == RIGHT ? RIGHT_NODES : 0;
    choice->depth = choice->local = 0;
    choice->prefix = 1;
    choice->last = page->count ? page->characters[page->count - 1] : 0;
    for (int k = 0; k < N_LEARNED; k++) choice->learned[k] = mix(page->learned[k], extra + (uint32_t)alphabet);
    for (int k = 0; k < N_STATIC; k++) choice->fixed[k] = mix(page->fixed[k], extra);
    prefetch_buckets(page, choice, alphabet == RARE_INDEX ? RARE_NODES + 1 : (uint32_t)choice->node);
    if (alphabet != RARE_INDEX)
        for (int k = 0; k < N_SYMBOL; k++)
            for (int rank = 0; rank < RANKS; rank++) {
                uint64_t key = symbol_key(choice->fixed[N_NODE + k], rank, alphabet);
                PREFETCH(model->symbols + bucket_of(key, model->symbol_buckets) * 12);
            }
    if (alphabet != RARE_INDEX) prefetch_nodes(model, choice, (uint32_t)choice->node);
    for (int k = 0; k < N_SYMBOL; k++)
        find_symbols(model, choice->fixed[N_NODE + k], alphabet, &choice->candidates[k]);
    for (int i = 0; i < N_MATCH; i++) {
        choice->expected[i] = -1;
        if (page->match_length[i] == 0) continue;
        uint32_t next = page->characters[page->match_at[i]];
        int kind = next >= FULL_WIDTH_BASE ? RIGHT : next >= RARE_BASE ? RARE_INDEX : FIRST;
        int left = LEFT + (int)(next - FULL_WIDTH_BASE) / 256;
        if (alphabet == FIRST)
            choice->expected[i] = kind == RIGHT ? left : kind == RARE_INDEX ? model->rare_class : (int)next;
        else if (alphabet == RIGHT && kind == RIGHT && (uint32_t)left + 1 == extra)
            choice->expected[i] = (int)(next - FULL_WIDTH_BASE) & 255;
        else if (alphabet == RARE_INDEX && kind == RARE_INDEX)
            choice->expected[i] = (int)(next - RARE_BASE);
    }
}

/* Computes the inputs of the mixers. `number`: number of the node among those of all alphabets. */
static inline void gather(Page *page, const Model *model, Choice *choice, uint32_t number, Decision *decision) {
    State *state = &page->state;
    int32_t *input = decision->inputs;
    int is_rare = choice->alphabet == RARE_INDEX;
    memset(decision->inputs, 0, sizeof decision->inputs);
    decision->seen = decision->order = decision->rank = decision->match = 0;
    for (int k = 0; k < N_LEARNED; k++, input++) {
        uint8_t history = choice->histories[k][choice->local];
        if (!history) continue;
        *input = stretch(model, state->histories[k][history] >> 16);
        decision->seen++;
        if (k >= 2 && k < 7) decision->order = k - 1; /* number of characters in the context */
    }
    for (int k = 0; k < N_NODE; k++, input++) {
        decision->known[k] = is_rare ? -1 : find_node(model, choice->fixed[k], number);
        if (decision->known[k] >= 0) *input = stretch(model, state->nodes[k][decision->known[k]] >> 16);
    }
    for (int k = 0; k < N_SYMBOL; k++, input++) {
        const Candidates *candidates = &choice->candidates[k];
        uint32_t all = 0, ones = 0;
        for (int i = 0; i < RANKS; i++) {
            all += candidates->share[i];
            ones += candidates->share[i] & if_turned(candidates->path[i], choice->depth, 1);
        }
        decision->shares[k] = share_level(all - ones) * 16 + share_level(ones);
        if (!decision->shares[k]) continue;
        *input = stretch(model, state->symbols[k][decision->shares[k]] >> 16);
        decision->rank = k + 1;
    }
    for (int i = 0; i < N_MATCH; i++, input++) {
        decision->matched[i] = -1;
        if (choice->expected[i] < 0) continue;
        int bit = path_bit(model, choice, choice->expected[i]), level = match_level(page->match_length[i]);
        int32_t logit = stretch(model, state->matches[i][level] >> 16);
        *input = bit ? logit : -logit;
        decision->matched[i] = 2 * level + bit;
        if (!decision->match) decision->match = 1 + (page->match_length[i] > 8) + (page->match_length[i] > 15);
    }
    *input = 256;
}

/* Computes the probability of a 1: a final mixer combines the mixers, and adaptive probability maps correct it. */
static inline void predict(Page *page, const Model *model, const Choice *choice, uint32_t number, Decision *decision) {
    State *state = &page->state;
    int deep = choice->depth > 15 ? 15 : choice->depth, alphabet = choice->alphabet;
    int early = deep < 1 ? 0 : deep < 3 ? 1 : deep < 6 ? 2 : 3;
    int node = alphabet == RARE_INDEX ? RIGHT_NODES - 16 + deep : choice->node;
    uint32_t last = choice->last;
    int character = last < RARE_BASE ? (int)last : last < FULL_WIDTH_BASE ? 256 : 257 + (int)(last >> 8 & 127);
    int rank = decision->rank, match = decision->match;
    decision->weights[0] = state->by_node[node];
    decision->weights[1] = state->by_rank[(((alphabet == FIRST ? 0 : 8) + rank) * 4 + match) * 16 + deep];
    decision->weights[2] = state->by_character[character];
    decision->weights[3] = state->by_seen[(decision->seen * 4 + match) * 4 + early];
    decision->weights[4] = state->by_order[((alphabet * 8 + decision->order) * 8 + rank) * 4 + match];
    decision->final = state->final[alphabet * 16 + deep];
    int64_t sum = 0;
    for (int i = 0; i < N_SETS; i++) {
        decision->logits[i] = dot(decision->inputs, decision->weights[i]);
        decision->guesses[i] = squash(model, decision->logits[i]);
        sum += (int64_t)decision->logits[i] * decision->final[i];
    }
    sum >>= 16;
    int32_t logit = sum > LOGIT_LIMIT ? LOGIT_LIMIT : sum < -LOGIT_LIMIT ? -LOGIT_LIMIT : (int32_t)sum;
    int step = (logit + 2048) >> 7, part = (logit + 2048) & 127;
    uint16_t *by_node = state->node_maps[number < NODE_MAPS ? number : NODE_MAPS - 1] + step;
    uint16_t *by_pair = state->pair_maps[mix(last, number) >> 20 & (PAIR_MAPS - 1)] + step;
    int32_t first = (by_node[0] * (128 - part) + by_node[1] * part) >> 7;
    int32_t second = (by_pair[0] * (128 - part) + by_pair[1] * part) >> 7;
    decision->mixed = squash(model, logit);
    int32_t probability = (2 * decision->mixed + first + second + 2) >> 2;
    if (probability < MIN_PROBABILITY) probability = MIN_PROBABILITY;
    if (probability > 65536 - MIN_PROBABILITY) probability = 65536 - MIN_PROBABILITY;
    decision->probability = probability;
    decision->by_node = by_node + (part > 63);
    decision->by_pair = by_pair + (part > 63);
}

/* Updates all weights, maps and histories that contributed to a decision with its outcome. */
static inline void update(Page *page, Choice *choice, Decision *decision, int bit) {
    State *state = &page->state;
    int32_t target = bit ? 65535 : 0, error = (target - decision->mixed) >> 2;
    for (int i = 0; i < N_SETS; i++) {
        train(decision->inputs, decision->weights[i], (target - decision->guesses[i]) >> 2, page->rate);
        int64_t step = ((int64_t)decision->logits[i] * error + (1 << (FINAL_SHIFT - 1))) >> FINAL_SHIFT;
        decision->final[i] += (int32_t)step;
    }
    *decision->by_node = (uint16_t)(*decision->by_node + ((target - *decision->by_node) >> 6));
    *decision->by_pair = (uint16_t)(*decision->by_pair + ((target - *decision->by_pair) >> 5));
    for (int k = 0; k < N_LEARNED; k++) {
        uint8_t *history = &choice->histories[k][choice->local];
        if (*history) learn(&state->histories[k][*history], bit, page->limit);
        *history = next_history(*history, bit);
    }
    for (int k = 0; k < N_NODE; k++)
        if (decision->known[k] >= 0) learn(&state->nodes[k][decision->known[k]], bit, page->limit);
    for (int k = 0; k < N_SYMBOL; k++) {
        Candidates *candidates = &choice->candidates[k];
        if (decision->shares[k]) learn(&state->symbols[k][decision->shares[k]], bit, page->limit);
        for (int i = 0; i < RANKS; i++)
            candidates->share[i] &= if_turned(candidates->path[i], choice->depth, bit);
    }
    for (int i = 0; i < N_MATCH; i++) {
        if (decision->matched[i] < 0) continue;
        int right = bit == (decision->matched[i] & 1);
        learn(&state->matches[i][decision->matched[i] >> 1], right, page->limit);
        if (!right) choice->expected[i] = -1;
    }
}

/* Prefetches the entries of the next decision, for both outcomes of this one. */
static inline void prefetch_next(const Page *page, const Model *model, const Choice *choice) {
    int opens = (choice->depth + 1) % BUCKET_LEVELS == 0;
    for (int bit = 0; bit < 2; bit++) {
        if (choice->alphabet == RARE_INDEX) {
            if (opens) prefetch_buckets(page, choice, RARE_NODES + choice->prefix * 2 + (uint32_t)bit);
            continue;
        }
        int32_t node = model->children[2 * choice->node + bit];
        if (node < 0) continue;
        prefetch_nodes(model, choice, (uint32_t)node);
        if (opens) prefetch_buckets(page, choice, (uint32_t)node);
    }
}

/* Codes a symbol of an alphabet and returns it. When decoding, `symbol` is ignored. */
static inline int code_symbol(Page *page, const Model *model, int alphabet, int symbol, uint32_t extra) {
    Choice choice;
    Decision decision;
    start_choice(page, model, alphabet, extra, &choice);
    for (;;) {
        uint32_t number = alphabet == RARE_INDEX ? RARE_NODES + choice.prefix : (uint32_t)choice.node;
        if (choice.depth % BUCKET_LEVELS == 0) open_buckets(page, &choice, number);
        gather(page, model, &choice, number, &decision);
        prefetch_next(page, model, &choice);
        predict(page, model, &choice, number, &decision);
        int bit = page->coder.decoding ? 0 : path_bit(model, &choice, symbol);
        bit = code(&page->coder, bit, (uint32_t)decision.probability);
        page->cost += decision_cost((uint32_t)(bit ? decision.probability : 65536 - decision.probability));
        update(page, &choice, &decision, bit);
        choice.depth++;
        choice.local = 2 * choice.local + 1 + bit;
        if (alphabet == RARE_INDEX) {
            choice.prefix = choice.prefix * 2 + (uint32_t)bit;
            if (choice.depth == RARE_BITS) return (int)choice.prefix - (1 << RARE_BITS);
        } else {
            choice.node = model->children[2 * choice.node + bit];
            if (choice.node < 0) return ~choice.node;
        }
    }
}

/* Codes the confidence level of a character, in the context of earlier levels and of the cost of the character, and
 * returns it; -1 for an invalid code, which states a level above 0 and then 0. */
static inline int code_level(Page *page, int level) {
    int surprise = page->cost < 16 ? 0 : page->cost < 64 ? 1 : page->cost < 160 ? 2 : 3;
    int recent = page->doubt == 0 ? 0 : page->doubt < 16 ? 1 : page->doubt < 64 ? 2 : 3;
    uint32_t *maps = page->state.levels + (surprise * 4 + recent) * (1 << (LEVEL_BITS + 1));
    uint32_t node = 1;
    for (int depth = -1; depth < LEVEL_BITS; depth++) {
        uint32_t *map = depth < 0 ? maps : maps + node;
        int bit = depth < 0 ? level > 0 : level >> (LEVEL_BITS - 1 - depth) & 1;
        uint32_t probability = *map >> 16;
        if (probability < 1) probability = 1;
        if (probability > 65535) probability = 65535;
        bit = code(&page->coder, bit, probability);
        learn(map, bit, 255);
        if (depth < 0 && !bit) break;
        if (depth >= 0) node = node * 2 + (uint32_t)bit;
    }
    if (node == 1 << LEVEL_BITS) return -1;
    level = node == 1 ? 0 : (int)node - (1 << LEVEL_BITS);
    page->doubt = page->doubt - (page->doubt + 7) / 8 + 8 * level;
    return level;
}

static inline int kind_of(const Model *model, uint32_t character) {
    return character < RARE_BASE ? model->kinds[character] : character < FULL_WIDTH_BASE ? RARE : FULL_WIDTH;
}

/* Sets the contexts of the next character: the preceding characters, the word so far, the preceding words, the column. */
static inline void set_contexts(Page *page, const Model *model) {
    const uint32_t *before = page->characters + page->count;
    uint64_t orders[7] = {0x1000};
    for (int k = 1; k <= 6; k++)
        orders[k] = mix(orders[k - 1], (page->count >= k ? before[-k] : 0) + 1 + ((uint64_t)k << 32));
    uint32_t last = page->count ? before[-1] : 0, kind = (uint32_t)kind_of(model, last);
    uint64_t word = mix(page->word, 77), words = mix(mix(page->word, 78), page->last_word);
    uint64_t *context = page->learned;
    for (int k = 0; k <= 6; k++) *context++ = orders[k];
    *context++ = mix(word, last);
    *context++ = mix(words, last);
    *context++ = mix(mix(mix(page->word, 79), page->word_before), last);
    *context++ = mix(mix((uint64_t)(page->column < 63 ? page->column : 63), page->line_start), 83);
    *context++ = mix(mix(page->last_word, page->word_before), mix(page->word, 86));
    context = page->fixed;
    for (int k = 1; k <= N_NODE; k++) *context++ = mix(orders[k], 200 + (uint64_t)k);
    for (int k = 2; k <= 6; k++) *context++ = mix(orders[k], 300 + (uint64_t)k);
    *context++ = mix(mix(word, kind), 401);
    *context++ = mix(mix(words, kind), 402);
}

/* Extends the matches by a character that was just appended, and searches for new ones. */
static inline void follow_matches(Page *page, uint32_t character) {
    for (int i = 0; i < N_MATCH; i++) {
        int needed = MATCH_CHARACTERS[i];
        if (page->match_length[i] > 0 && page->characters[page->match_at[i]] == character) {
            page->match_length[i]++;
            page->match_at[i]++;
        } else
            page->match_length[i] = 0;
        if (page->count < needed) continue;
        uint64_t hash = 0;
        for (int k = 1; k <= needed; k++) hash = mix(hash, page->characters[page->count - k]);
        uint32_t *head = &page->match_heads[i][hash >> 40 & ((1 << MATCH_BITS) - 1)];
        if (page->match_length[i] == 0 && *head) {
            int length = 0, found = (int)*head;
            while (length < 40 && length < found &&
                   page->characters[found - 1 - length] == page->characters[page->count - 1 - length])
                length++;
            if (length >= needed) {
                page->match_length[i] = length;
                page->match_at[i] = *head;
            }
        }
        *head = (uint32_t)page->count;
    }
}

static inline void append(Page *page, const Model *model, uint32_t character) {
    int kind = kind_of(model, character);
    page->characters[page->count++] = character;
    if (kind == LETTER || kind == RARE || (kind == DIGIT && page->word))
        page->word = (uint32_t)(mix((uint64_t)page->word + 1, character) >> 16) | 1;
    else if (page->word || kind == FULL_WIDTH) {
        page->word_before = page->last_word;
        page->last_word = kind == FULL_WIDTH ? (uint32_t)(mix(character, 9) >> 16) : page->word;
        page->word = 0;
    }
    if (++page->column == 1) page->line_start = character;
    if ((int)character == model->newline) page->column = 0;
    follow_matches(page, character);
}

/* Returns whether an alphabet contains a symbol. */
static inline int is_symbol(const Model *model, int alphabet, int symbol) {
    if (alphabet == RARE_INDEX) return symbol < 1 << RARE_BITS;
    return symbol < TREE_SIZE - RIGHT_NODES && model->lengths[symbol + (alphabet == RIGHT ? RIGHT_NODES : 0)];
}

/* Codes the first `cells` cells of a page, given or decoded into `symbols`, `rare` and `levels`. When encoding, stops
 * before the stream exceeds its buffer. Returns the number of cells coded; -1 for an invalid page. */
FAST static int code_page(Page *page, const Model *model, uint16_t *symbols, uint16_t *rare, uint8_t *levels, int cells) {
    Coder *coder = &page->coder;
    if (cells < 0 || cells > MAX_CELLS) return -1;
    for (int at = 0; at < cells;) {
        set_contexts(page, model);
        page->cost = 0;
        if (!coder->decoding && !is_symbol(model, FIRST, symbols[at])) return -1;
        int symbol = code_symbol(page, model, FIRST, symbols[at], 0), width = 1;
        uint32_t character = (uint32_t)symbol;
        symbols[at] = (uint16_t)symbol;
        if (symbol >= LEFT) {
            if (at % 2 || at + 1 == cells) return -1; /* a full-width character takes an even column and the next */
            if (!coder->decoding && !is_symbol(model, RIGHT, symbols[at + 1])) return -1;
            int right = code_symbol(page, model, RIGHT, symbols[at + 1], (uint32_t)symbol + 1);
            symbols[at + 1] = (uint16_t)right;
            character = FULL_WIDTH_BASE + ((uint32_t)(symbol - LEFT) << 8) + (uint32_t)right;
            width = 2;
        } else if (symbol == model->rare_class) {
            if (!coder->decoding && !is_symbol(model, RARE_INDEX, rare[at])) return -1;
            rare[at] = (uint16_t)code_symbol(page, model, RARE_INDEX, rare[at], 0);
            character = RARE_BASE + rare[at];
        }
        if (page->costs) page->costs[at] = page->cost > 65535 ? 65535 : (uint16_t)page->cost;
        int level = code_level(page, levels[at]);
        if (level < 0) return -1;
        levels[at] = (uint8_t)level;
        if (width == 2) levels[at + 1] = levels[at];
        if (!coder->decoding && !coder->measuring && coder->position + 4 > coder->size) return at;
        append(page, model, character);
        at += width;
    }
    return cells;
}

static Page *new_page(const State *state, int rate, int limit) {
    Page *page = calloc(1, sizeof(Page));
    if (!page) return NULL;
    page->state = *state;
    page->coder.high = 0xffffffffu;
    page->rate = rate;
    page->limit = limit;
    return page;
}

EXPORT int64_t foxing_state_bytes(void) { return (int64_t)sizeof(State); }

/* Writes the stream of the first `cells` cells into `bytes`, a buffer of `size` bytes. Returns the length of the stream;
 * -1 - n if only the first n cells fit; INT64_MIN if out of memory; INT64_MIN + 1 for an invalid page. */
EXPORT int64_t foxing_encode(const Model *model, const State *state, int rate, int limit, uint16_t *symbols, uint16_t *rare,
                             uint8_t *levels, int cells, uint8_t *bytes, int64_t size) {
    Page *page = new_page(state, rate, limit);
    if (!page) return INT64_MIN;
    page->coder.bytes = bytes;
    page->coder.size = size;
    int64_t result = code_page(page, model, symbols, rare, levels, cells);
    if (result < 0)
        result = INT64_MIN + 1;
    else if (result < cells)
        result = -1 - result;
    else {
        uint8_t end[4];
        int count = ending(&page->coder, end);
        for (int i = 0; i < count; i++) bytes[page->coder.position + i] = end[i];
        result = page->coder.position + count;
    }
    free(page);
    return result;
}

/* Decodes `cells` cells from a stream of `size` bytes. `whole`: whether these are all cells of the stream, whose ending
 * is then checked. Returns 0; -1 for a stream that `foxing_encode` cannot produce; -2 if out of memory. */
EXPORT int64_t foxing_decode(const Model *model, const State *state, int rate, int limit, uint8_t *bytes, int64_t size,
                             uint16_t *symbols, uint16_t *rare, uint8_t *levels, int cells, int whole) {
    Page *page = new_page(state, rate, limit);
    if (!page) return -2;
    Coder *coder = &page->coder;
    coder->decoding = 1;
    coder->bytes = bytes;
    coder->size = size;
    for (; coder->position < 4; coder->position++)
        coder->value = coder->value << 8 | (coder->position < size ? bytes[coder->position] : 0);
    int result = code_page(page, model, symbols, rare, levels, cells) == cells ? 0 : -1;
    uint8_t end[4];
    int count = ending(coder, end);
    if (whole && (coder->position - 4 + count != size || memcmp(bytes + size - count, end, (size_t)count))) result = -1;
    free(page);
    return result;
}

/* Computes the cost of each of the first `cells` cells of a page in units of 2^-4 bits; that of a full-width character is
 * in its left cell. Returns 0; -1 for an invalid page; -2 if out of memory. */
EXPORT int64_t foxing_costs(const Model *model, const State *state, int rate, int limit, uint16_t *symbols, uint16_t *rare,
                            int cells, uint16_t *costs) {
    Page *page = new_page(state, rate, limit);
    uint8_t *levels = cells < 0 ? NULL : calloc((size_t)cells + 1, 1);
    int64_t result = -2;
    if (page && levels) {
        page->coder.measuring = 1;
        page->costs = costs;
        result = code_page(page, model, symbols, rare, levels, cells) == cells ? 0 : -1;
    }
    free(levels);
    free(page);
    return result;
}

/* The remaining functions are used only for training the tables. */

/* Collects the contexts of every symbol of a page except rare indices, `contexts` [n][N_STATIC], and the symbols,
 * `coded` [n], right halves plus 512. Returns n; -1 for an invalid page or if out of memory. */
EXPORT int64_t foxing_contexts(const Model *model, const State *state, const uint16_t *symbols, const uint16_t *rare,
                               int cells, uint64_t *contexts, uint16_t *coded) {
    if (cells < 0 || cells > MAX_CELLS) return -1;
    Page *page = new_page(state, 0, 0);
    if (!page) return -1;
    int64_t count = 0;
    for (int at = 0; at < cells;) {
        uint32_t symbol = symbols[at], character = symbol;
        if (!is_symbol(model, FIRST, (int)symbol) || (symbol >= LEFT && at + 1 == cells)) {
            count = -1;
            break;
        }
        set_contexts(page, model);
        for (int k = 0; k < N_STATIC; k++) contexts[count * N_STATIC + k] = mix(page->fixed[k], 0);
        coded[count++] = (uint16_t)symbol;
        if (symbol >= LEFT) {
            for (int k = 0; k < N_STATIC; k++) contexts[count * N_STATIC + k] = mix(page->fixed[k], symbol + 1);
            coded[count++] = (uint16_t)(RIGHT_NODES + symbols[at + 1]);
            character = FULL_WIDTH_BASE + ((symbol - LEFT) << 8) + symbols[at + 1];
            at++;
        } else if ((int)symbol == model->rare_class)
            character = RARE_BASE + rare[at];
        append(page, model, character);
        at++;
    }
    free(page);
    return count;
}

/* Trains `state` on a page. Returns 0; -1 for an invalid page or if out of memory. */
EXPORT int64_t foxing_learn(const Model *model, State *state, int rate, int limit, uint16_t *symbols, uint16_t *rare,
                            uint8_t *levels, int cells) {
    Page *page = new_page(state, rate, limit);
    if (!page) return -1;
    page->coder.measuring = 1;
    int64_t result = code_page(page, model, symbols, rare, levels, cells) == cells ? 0 : -1;
    if (!result) *state = page->state;
    free(page);
    return result;
}

/* Inserts `count` nodes, the most useful first, into a table. Returns the number of nodes inserted. */
EXPORT int64_t foxing_fill_nodes(uint16_t *table, uint32_t buckets, const uint64_t *contexts, const uint16_t *nodes,
                                 const uint8_t *values, int64_t count) {
    int64_t entered = 0;
    for (int64_t i = 0; i < count; i++) {
        uint64_t key = node_key(contexts[i], nodes[i]);
        uint16_t *entry = table + bucket_of(key, buckets) * 4;
        int slot = 0;
        while (slot < 4 && entry[slot] && (uint32_t)(entry[slot] >> 6) != node_check(key)) slot++;
        if (slot == 4 || entry[slot]) continue;
        entry[slot] = (uint16_t)(node_check(key) << 6 | values[i]);
        entered++;
    }
    return entered;
}

/* Inserts `count` symbols in the same way. `ranks`: rank of each symbol in its context. */
EXPORT int64_t foxing_fill_symbols(uint8_t *table, uint32_t buckets, const uint64_t *contexts, const uint8_t *ranks,
                                   const uint16_t *symbols, const uint8_t *shares, int64_t count) {
    int64_t entered = 0;
    for (int64_t i = 0; i < count; i++) {
        int alphabet = symbols[i] >= RIGHT_NODES ? RIGHT : FIRST;
        uint64_t key = symbol_key(contexts[i], ranks[i], alphabet);
        uint8_t *entry = table + bucket_of(key, buckets) * 12;
        int slot = 0;
        while (slot < 4 && symbol_entry(entry + 3 * slot) && symbol_entry(entry + 3 * slot) >> 13 != symbol_check(key)) slot++;
        if (slot == 4 || symbol_entry(entry + 3 * slot)) continue;
        uint32_t symbol = alphabet == RIGHT ? symbols[i] - RIGHT_NODES : symbols[i];
        uint32_t value = symbol_check(key) << 13 | symbol << 4 | shares[i];
        for (int k = 0; k < 3; k++) entry[3 * slot + k] = (uint8_t)(value >> (8 * k));
        entered++;
    }
    return entered;
}
