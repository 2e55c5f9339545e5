/* SPDX-License-Identifier: MIT */
/* Public suffixes: com, co.uk, github.io. */
#include "jar.h"

#include <string.h>
#include <unistd.h>

int shms__suffix_open(shms_jar *j, const char *path)
{
    if (path) {
        if (access(path, R_OK) != 0)
            return SHMS_E_NOT_FOUND;
        j->own_suffixes = psl_load_file(path);
        j->suffixes = j->own_suffixes;
        return j->suffixes && psl_suffix_count(j->suffixes) != 0 ? 0 : SHMS_E_FORMAT;
    }
    j->suffixes = psl_builtin();
    if (!j->suffixes)
        j->suffixes = j->own_suffixes = psl_latest(NULL);
    return j->suffixes ? 0 : SHMS_E_UNSUPPORTED;
}

void shms__suffix_close(shms_jar *j)
{
    psl_free(j->own_suffixes);
}

/* libpsl knows suffixes in lower case without a last dot only: to it co.UK is none (CVE-2023-46218 of curl).
 * Hosts are in lower case when they come here. */
static void without_dot(const char *host, char ret[HOST_ROOM])
{
    size_t n = strlen(host);
    memcpy(ret, host, n + 1);
    if (n > 0 && ret[n - 1] == '.')
        ret[n - 1] = '\0';
}

bool shms__is_suffix(const shms_jar *j, const char *host)
{
    char name[HOST_ROOM];
    without_dot(host, name);
    return psl_is_public_suffix(j->suffixes, name);
}

/* FNV-1a. Two sites with one number would only share a limit. */
uint64_t shms__site_of(const shms_jar *j, const char *host)
{
    char name[HOST_ROOM];
    uint64_t number = 0xcbf29ce484222325u;
    without_dot(host, name);
    const char *site = shms__host_is_address(host) ? NULL : psl_registrable_domain(j->suffixes, name);
    for (const char *c = site ? site : name; *c; c++)
        number = (number ^ (unsigned char)*c) * 0x100000001b3u;
    return number;
}
