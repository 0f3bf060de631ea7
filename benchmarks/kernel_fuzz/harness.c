/* Runs the kernel, compiled with sanitizers, on damaged streams and on symbols that no page has.
 *
 *     harness CORPUS SEED INPUTS SECONDS
 *
 * Every array has exactly the size that is passed to the kernel, so that a sanitizer detects any access beyond it. Exits
 * with status 0 and its counts as JSON on stdout after INPUTS inputs or SECONDS seconds, and with another status if the
 * kernel accepts a stream that it would not write. The corpus is written by `fuzz.py`.
 */
#include "mixing.c"

#include <stdio.h>
#include <time.h>

typedef struct {
    int32_t cells;
    uint32_t size;
    uint8_t *bytes;
} Stream;

typedef struct {
    uint16_t *symbols, *rare;
    uint8_t *levels;
} Cells;

static Model model;
static State state;
static Stream *streams;
static uint32_t stream_count;
static uint64_t random_state;

static uint32_t draw(uint32_t below) {
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return below ? (uint32_t)(((random_state >> 32) * below) >> 32) : 0;
}

static void fail(const char *why) {
    fprintf(stderr, "%s\n", why);
    exit(3);
}

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes ? bytes : 1);
    if (!memory) fail("no memory");
    return memory;
}

static void *read_bytes(FILE *file, size_t bytes) {
    void *memory = allocate(bytes);
    if (fread(memory, 1, bytes, file) != bytes) fail("the corpus ends early");
    return memory;
}

static void *read_array(FILE *file, uint32_t *bytes) {
    if (fread(bytes, 4, 1, file) != 1) fail("the corpus ends early");
    return read_bytes(file, *bytes);
}

static void read_corpus(const char *path) {
    FILE *file = fopen(path, "rb");
    uint32_t bytes;
    if (!file) fail("there is no corpus");
    model.stretch = read_array(file, &bytes);
    model.squash = read_array(file, &bytes);
    model.children = read_array(file, &bytes);
    model.codes = read_array(file, &bytes);
    model.lengths = read_array(file, &bytes);
    model.kinds = read_array(file, &bytes);
    model.nodes = read_array(file, &bytes);
    model.node_buckets = bytes / 8;
    model.symbols = read_array(file, &bytes);
    model.symbol_buckets = bytes / 12;
    void *first = read_array(file, &bytes);
    if (bytes != sizeof state) fail("the state of the corpus is of another size");
    memcpy(&state, first, bytes);
    free(first);
    int32_t *numbers = read_array(file, &bytes);
    model.rare_class = numbers[0];
    model.newline = numbers[1];
    stream_count = (uint32_t)numbers[2];
    free(numbers);
    streams = allocate(stream_count * sizeof *streams);
    for (uint32_t i = 0; i < stream_count; i++) {
        int32_t *cells = read_array(file, &bytes);
        streams[i].cells = *cells;
        free(cells);
        streams[i].bytes = read_array(file, &streams[i].size);
    }
    fclose(file);
}

/* One change to a stream. Returns its new size, at most `most`. */
static uint32_t mutate(uint8_t *bytes, uint32_t size, uint32_t most) {
    uint32_t at = draw(size), length = 1 + draw(16);
    switch (draw(7)) {
    case 0: /* one bit */
        if (size) bytes[at] ^= (uint8_t)(1u << draw(8));
        return size;
    case 1: /* a random run */
        for (uint32_t i = at; i < size && i < at + length; i++) bytes[i] = (uint8_t)draw(256);
        return size;
    case 2: /* a run of one byte, which the prior finds either very unlikely or certain */
        if (size) memset(bytes + at, draw(2) ? 0 : 255, size - at < length ? size - at : length);
        return size;
    case 3: /* truncated */
        return at;
    case 4: /* extended */
        for (; length && size < most; length--) bytes[size++] = (uint8_t)draw(256);
        return size;
    case 5: { /* the end of another stream */
        const Stream *other = &streams[draw(stream_count)];
        for (uint32_t i = at; i < other->size && i < most; i++) bytes[i] = other->bytes[i];
        return other->size > size && size ? (other->size < most ? other->size : most) : size;
    }
    default: /* random bytes from some offset on */
        for (uint32_t i = at; i < size; i++) bytes[i] = (uint8_t)draw(256);
        return size;
    }
}

/* Number of cells to decode: that of the stream, fewer, more, or one that no page has. */
static int pick_cells(int cells) {
    switch (draw(6)) {
    case 0: return (int)draw((uint32_t)cells + 1);
    case 1: return (int)draw((uint32_t)cells / 2 + 1) * 2 + 1; /* an odd cut */
    case 2: return cells > 8 ? cells - 1 - (int)draw(8) : cells;
    case 3: return draw(40) ? cells : draw(2) ? MAX_CELLS + 1 + (int)draw(300) : -1 - (int)draw(3);
    default: return cells;
    }
}

static Cells new_cells(int cells) {
    size_t count = cells < 0 ? 0 : (size_t)cells;
    Cells made = {allocate(2 * count), allocate(2 * count), allocate(count)};
    memset(made.symbols, 0, 2 * count);
    memset(made.rare, 0, 2 * count);
    memset(made.levels, 0, count);
    return made;
}

static void free_cells(Cells cells) {
    free(cells.symbols);
    free(cells.rare);
    free(cells.levels);
}

/* Decodes a damaged stream, and checks that the kernel would write an accepted stream. Returns whether it was accepted. */
static int decode_damaged(void) {
    const Stream *from = &streams[draw(stream_count)];
    uint32_t most = from->size + 64, size = from->size;
    uint8_t *work = allocate(most);
    memcpy(work, from->bytes, size);
    for (uint32_t changes = draw(4); changes; changes--) size = mutate(work, size, most);
    uint8_t *bytes = allocate(size);
    memcpy(bytes, work, size);
    free(work);
    int cells = pick_cells(from->cells), whole = draw(4) > 0;
    Cells read = new_cells(cells);
    int64_t result = foxing_decode(&model, &state, 13, 400, bytes, size, read.symbols, read.rare, read.levels, cells, whole);
    if (!result && whole) {
        uint8_t *again = allocate(size + 8);
        int64_t length = foxing_encode(&model, &state, 13, 400, read.symbols, read.rare, read.levels, cells, again,
                                       (int64_t)size + 8);
        if (length != (int64_t)size || memcmp(again, bytes, size)) fail("a stream is accepted that the kernel does not write");
        free(again);
    }
    free_cells(read);
    free(bytes);
    return !result;
}

/* Encodes, measures and learns from symbols, some of them invalid. Returns whether they were accepted. */
static int code_anything(void) {
    int cells = (int)draw(700), room = (int)draw((uint32_t)cells + 40), odd = draw(3) == 0;
    Cells given = new_cells(cells);
    for (int at = 0; at < cells; at++) {
        uint32_t symbol = draw(12) ? draw(256) : 256 + draw(160);
        if (odd && draw(60) == 0) symbol = draw(65536);
        given.symbols[at] = (uint16_t)symbol;
        given.rare[at] = (uint16_t)(odd && draw(60) == 0 ? draw(65536) : draw(2048));
        given.levels[at] = (uint8_t)(draw(20) ? 0 : draw(odd ? 256 : 16));
        if (symbol < 256 || odd || at % 2) {
            if (!odd && symbol >= 256) given.symbols[at] = (uint16_t)draw(256);
            continue;
        }
        if (at + 1 < cells) given.symbols[++at] = (uint16_t)draw(256);
    }
    uint8_t *bytes = allocate((size_t)room);
    uint16_t *costs = allocate(2 * (size_t)cells), *coded = allocate(2 * (size_t)cells);
    uint64_t *contexts = allocate(sizeof(uint64_t) * N_STATIC * (size_t)cells);
    State *learned = allocate(sizeof *learned);
    int64_t length = foxing_encode(&model, &state, 13, 400, given.symbols, given.rare, given.levels, cells, bytes, room);
    if (length > room) fail("a stream is longer than its room");
    int64_t measured = foxing_costs(&model, &state, 13, 400, given.symbols, given.rare, cells, costs);
    foxing_contexts(&model, &state, given.symbols, given.rare, cells, contexts, coded);
    *learned = state;
    foxing_learn(&model, learned, 13, 400, given.symbols, given.rare, given.levels, cells);
    free(learned);
    free(contexts);
    free(coded);
    free(costs);
    free(bytes);
    free_cells(given);
    return !measured;
}

int main(int count, char **arguments) {
    if (count != 5) fail("usage: harness CORPUS SEED INPUTS SECONDS");
    foxing_mixing_prepare();
    read_corpus(arguments[1]);
    random_state = strtoull(arguments[2], NULL, 10) * 2 + 1;
    long long inputs = atoll(arguments[3]), done = 0, accepted = 0;
    time_t stop = time(NULL) + (time_t)atoll(arguments[4]);
    for (; done < inputs && time(NULL) < stop; done++) accepted += draw(8) ? decode_damaged() : code_anything();
    printf("{\"inputs\": %lld, \"accepted\": %lld}\n", done, accepted);
    return 0;
}
