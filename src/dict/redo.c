/* SPDX-License-Identifier: MIT */
/*
 * The redo record: how a dict changes at one instant, whenever its writer dies.
 *
 * Who takes part. The holder of the region's lock (section.c) writes the record and every word it names;
 * readers of the dict read those words and never the record.
 *
 * Invariants.
 *  1. While redo_count is 0, the dict is whole, and what the record holds means nothing.
 *  2. While redo_count is n, the dict is whole once the first n words have been stored, in their order, as
 *     often as anybody likes: what a word was before does not matter.
 *  3. redo_count leaves 0 only when the words are all written, and what they will make reachable is, too.
 *  4. Only a holder of the lock that has found redo_count 0, or made it so, begins a change.
 *
 * States: 0 -> n (commit) -> words stored -> 0.
 *
 * Linearisation. The change is decided by the store of redo_count. Readers see it when the word that they
 * look at is stored: so they may see it later than it was decided, but never what was not decided.
 *
 * Progress. A commit takes 3 n + 2 stores. A reader waits for nobody.
 *
 * What a crash at each step leaves, and who repairs it:
 *   words of the record written, count 0      the old dict: nothing was decided
 *   count stored, some of the words not       the new dict for the next holder of the lock, which stores them
 *                                             all again; each reader sees the old or the new value of a word
 *   words stored, count not 0                 the same words are stored once more
 *   recovery, anywhere                        the same, by the next one
 */
#include "redo.h"

int shms__redo_commit(shms_dict *d, const struct redo *r)
{
    struct dict_header *h = d->header;
    if (r->n > DICT_REDO)
        return shms__fail(SHMS_E_CORRUPT);
    for (uint32_t i = 0; i < r->n; i++) {
        uint64_t offset = (uint64_t)((unsigned char *)r->words[i].word - d->section.member.region.data);
        a64_store_relaxed(&h->redo[i].offset, offset);         /* relaxed: ordered by the count */
        a64_store_relaxed(&h->redo[i].value, r->words[i].value); /* relaxed: as above */
    }
    /* release: the words, and the cells that they make reachable; pairs with the load in shms__redo_recover
     * */
    a64_store_release(&h->redo_count, r->n);
    for (uint32_t i = 0; i < r->n; i++)
        /* release: after the count, and after the cells; pairs with the acquires of table.c and feed.c */
        a64_store_release(r->words[i].word, r->words[i].value);
    /* release: after the words; pairs with the load in shms__redo_recover */
    a64_store_release(&h->redo_count, 0);
    return 0;
}

/* A peer may have written any number: a word that cannot be one is passed over. */
static void store_again(shms_dict *d, uint64_t count)
{
    struct dict_header *h = d->header;
    uint64_t size = shms__region_size(&d->section.member.region);
    for (uint64_t i = 0; i < min_u64(count, DICT_REDO); i++) {
        uint64_t offset = a64_load_relaxed(&h->redo[i].offset); /* relaxed: they came with the count */
        uint64_t value = a64_load_relaxed(&h->redo[i].value);   /* relaxed: as above */
        if (offset % 8 == 0 && offset >= offsetof(struct dict_header, table) && ref_fits(offset, 8, size))
            /* release: as in shms__redo_commit; pairs with the same */
            a64_store_release((a64 *)(void *)(d->section.member.region.data + offset), value);
    }
}

void shms__redo_recover(shms_dict *d)
{
    /* acquire: the words; pairs with the release in shms__redo_commit */
    uint64_t count = a64_load_acquire(&d->header->redo_count);
    if (count == 0)
        return;
    store_again(d, count);
    /* release: as in shms__redo_commit; pairs with the load above */
    a64_store_release(&d->header->redo_count, 0);
}
