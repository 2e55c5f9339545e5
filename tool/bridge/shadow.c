/* SPDX-License-Identifier: MIT */
/* A key's record has "k" before the key; the others have names without. */
#include "shadow.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 512
#define SIZE_FIRST (256u << 10)
#define SIZE_MOST (UINT64_C(1) << 32)
#define VALUE_MAX 4096

static size_t with_prefix(const void *key, size_t key_size, char ret[static WIRE_KEY_MAX + 1])
{
    ret[0] = 'k';
    memcpy(ret + 1, key, key_size);
    return key_size + 1;
}

int shadow_open(const char *dict_name, const shms_dict_stats *of, shms_dict **ret)
{
    char name[NAME_MAX_BYTES];
    uint64_t most = of->max_size > SIZE_MOST / 2 ? SIZE_MOST : 2 * of->max_size + (4u << 20);
    shms_dict_options o = {.struct_size = sizeof o,
                           .max_size = most,
                           .cell_size = 128,
                           .key_max = of->key_max + 1,
                           .value_max = VALUE_MAX,
                           .keep = 1};
    if (of->key_max > WIRE_KEY_MAX)
        return SHMS_E_RANGE;
    int n = snprintf(name, sizeof name, "%s%s", dict_name, SHADOW_SUFFIX);
    return n < (int)sizeof name ? shms_dict_open(name, SIZE_FIRST, &o, ret) : SHMS_E_INVALID;
}

void shadow_clear(shms_dict *shadow)
{
    char key[WIRE_KEY_MAX + 1];
    uint64_t cursor = 0;
    size_t size = sizeof key;
    while (shms_dict_next(shadow, &cursor, key, &size, NULL, NULL, NULL) == 1) {
        if (size != 5 || memcmp(key, "owner", 5) != 0)
            shms_dict_del(shadow, key, size, NULL);
        size = sizeof key;
    }
}

bool shadow_get(shms_dict *shadow, const void *key, size_t key_size, struct known *ret)
{
    char full[WIRE_KEY_MAX + 1];
    size_t n = with_prefix(key, key_size, full);
    if (shms_dict_get(shadow, full, n, ret, sizeof *ret, NULL) == sizeof *ret)
        return true;
    *ret = (struct known){0};
    return false;
}

int shadow_put(shms_dict *shadow, const void *key, size_t key_size, const struct known *k)
{
    char full[WIRE_KEY_MAX + 1];
    size_t n = with_prefix(key, key_size, full);
    int64_t rc = shms_dict_set(shadow, full, n, k, sizeof *k, NULL);
    return rc < 0 ? (int)rc : 0;
}

int shadow_next(shms_dict *shadow, uint64_t *cursor, void *key, size_t *ret_key_size, struct known *ret)
{
    char full[WIRE_KEY_MAX + 1];
    for (;;) {
        size_t n = sizeof full, size = sizeof *ret;
        int rc = shms_dict_next(shadow, cursor, full, &n, ret, &size, NULL);
        if (rc != 1)
            return rc;
        if (full[0] != 'k' || n < 2 || n > sizeof full || size != sizeof *ret)
            continue;
        memcpy(key, full + 1, n - 1);
        *ret_key_size = n - 1;
        return 1;
    }
}

int64_t shadow_about(shms_dict *shadow, const char *what, void *buf, size_t size)
{
    return shms_dict_get(shadow, what, strlen(what), buf, size, NULL);
}

int shadow_tell(shms_dict *shadow, const char *what, const void *bytes, size_t size)
{
    int64_t rc = shms_dict_set(shadow, what, strlen(what), bytes, size, NULL);
    return rc < 0 ? (int)rc : 0;
}
