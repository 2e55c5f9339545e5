/* SPDX-License-Identifier: MIT */
/* What a hostile peer writes into control and journal: fields that matter, numbers near their edges. */
#include "calls.h"

#define AT(field, bytes) {offsetof(struct control, field), bytes}
#define READER_AT(index, entry) {offsetof(struct control, slots) + (index) * sizeof(struct slot) + \
                                 offsetof(struct slot, readers) + (entry) * sizeof(a32), 4}
#define SLOT_AT(index, field) {offsetof(struct control, slots) + (index) * sizeof(struct slot) + \
                               offsetof(struct slot, field), 4}

/* The ones that decide most stand here more than once. */
static const struct place {
    size_t offset;
    unsigned bytes;
} places[] = {
    AT(cell, 8),      AT(cell, 8),         AT(cell, 8),      AT(cell, 8),        AT(sequence, 8),
    AT(version, 8),   AT(size, 8),         AT(size, 8),      AT(size, 8),        AT(died, 4),
    AT(max_size, 8),  AT(data_inode, 8),   AT(state, 4),     AT(flags, 4),       AT(created_ns, 8),
    AT(journal_used, 8), AT(journal_used, 8), AT(died, 4), AT(slots_used, 4), AT(kind, 4), AT(init, 4),
    AT(magic, 8),     AT(format, 4),       AT(byte_order, 4), AT(fingerprint, 4), AT(control_size, 4),
    SLOT_AT(0, generation), SLOT_AT(1, generation), SLOT_AT(2, generation), SLOT_AT(255, generation),
    SLOT_AT(0, pid),  SLOT_AT(0, waiting), SLOT_AT(1, waiting), SLOT_AT(0, bell), SLOT_AT(1, bell),
    AT(object, 4),    AT(object[64], 8),
    READER_AT(0, 0),  READER_AT(0, 1), READER_AT(0, 11), READER_AT(1, 0), READER_AT(2, 0), READER_AT(255, 11),
};
const unsigned field_count = sizeof places / sizeof places[0];

static uint64_t edge(uint64_t own_id, uint64_t now, unsigned how, uint64_t number)
{
    static const uint64_t edges[] = {
        0, 1, 2, 255, 256, 257, 0x1ff, 0x200, REGION_SIZE - 1, REGION_SIZE, REGION_SIZE + 1, REGION_MOST - 1,
        REGION_MOST, REGION_MOST + 1, 1ull << 30, UINT32_MAX - 1, UINT32_MAX, 1ull << 32, 1ull << 40,
        1ull << 46,
        1ull << 62, INT64_MAX - 1, INT64_MAX, 1ull << 63, UINT64_MAX - 1, UINT64_MAX,
        CELL_WAITERS, CELL_CHANGE, CELL_POLL, CELL_RESERVED, CELL_NOTICE, CELL_OWNER,
        CELL_SHARED, CELL_SHARED | CELL_NOTICE,
        16, 40, 288, JOURNAL_SIZE, JOURNAL_SIZE + 16,
    };
    const unsigned n = sizeof edges / sizeof edges[0];
    switch (how % (n + 10)) {
    case 0: return number;
    case 1: return own_id;
    case 2: return own_id + 1;                             /* the next slot */
    case 3: return own_id ^ (number << 32);                /* another generation */
    case 4: return own_id | (number & ~CELL_OWNER);        /* held by the victim, any flags */
    case 5: return now + 1;
    case 6: return now - 1;
    case 7: return now ^ (1ull << (number & 63));
    case 8: return now ^ (number & ~CELL_OWNER);           /* other flags */
    case 9: return (number << 32) | ((number & 255) + 1);  /* some holder */
    default: return edges[how % (n + 10) - 10];
    }
}

void meddle(struct control *c, uint64_t own_id, unsigned field, unsigned how, uint64_t number)
{
    const struct place *p = &places[field % field_count];
    unsigned char *at = (unsigned char *)c + p->offset;
    if (p->bytes == 8) {
        a64 *word = (a64 *)(void *)at;
        a64_store_relaxed(word, edge(own_id, a64_load_relaxed(word), how, number));
    } else {
        a32 *word = (a32 *)(void *)at;
        a32_store_relaxed(word, (uint32_t)edge(own_id, a32_load_relaxed(word), how, number));
    }
}

void meddle_record(unsigned char *journal, unsigned where, unsigned how, uint64_t number)
{
    /* The places at which records of nothing, of one block or of one word come to lie, and those between. */
    static const size_t at[] = {0, 8, 16, 24, 32, 40, 272, 280, 288, 544, 4096, JOURNAL_SIZE - 16};
    a64 *word = (a64 *)(void *)(journal + at[where % (sizeof at / sizeof at[0])]);
    a64_store_relaxed(word, edge(RECORD_SIZE, a64_load_relaxed(word), how, number));
}
