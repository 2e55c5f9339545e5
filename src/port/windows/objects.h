/* SPDX-License-Identifier: MIT */
/*
 * Named kernel objects. A region X consists of these, each gone with its last handle:
 *
 *   X                         the data section               } the two that TShareMemStream knows
 *   X_TShareMemStream_Event   the gate, an auto-reset event  }
 *   X_shms_control            control, a section
 *   X_shms_parity             a semaphore; even: none of ours has passed the gate (gate.c)
 *   X_shms_bell               a manual-reset event: some word has changed (sleep.c)
 *   X_shms_<offset>           a byte lock, an event that exists only while it is held (bytelock.c)
 */
#ifndef SHMS_PORT_OBJECTS_H
#define SHMS_PORT_OBJECTS_H

#include "../../core/name.h"

#include <windows.h>

#define GATE_ENDING "_TShareMemStream_Event"
#define PARITY_ENDING "_shms_parity"
#define CONTROL_ENDING "_shms_control"

/* Room for a region's name with the longest ending. */
#define OBJECT_NAME_MAX (PORT_PATH_MAX * 2)

/* At most the life-cycle lock and a token. */
#define LOCKS_HELD 4

struct objects {
    char base[OBJECT_NAME_MAX]; /* the region's name, verbatim */
    uint32_t mode;              /* of what is made beside the data */
    HANDLE gate;
    HANDLE parity;
    HANDLE bell;
    a32 inside;       /* 1: this handle has passed the gate; private memory */
    uint32_t passes;  /* how often; written inside only */
    void *control;    /* where control is mapped, NULL: not yet */
    struct {
        uint64_t offset;
        HANDLE object; /* NULL: this place is free */
    } locks[LOCKS_HELD];
    struct objects *next; /* of all whose control is mapped; guarded by the process lock */
};

/* base + ending as the system wants it; false: no UTF-8, or too long. */
bool shms__object_name(const char *base, const char *ending, wchar_t ret[OBJECT_NAME_MAX]);

/* A path as the system wants it; NULL: no UTF-8, or no memory. To be freed. */
wchar_t *shms__wide(const char *text);

/* How many bytes from the start of a view on have memory behind them. */
uint64_t shms__committed(const void *view);

/* A failure with the system's last error behind it. */
int shms__fail_last(void);

/* The rights to an object of that mode: see security.c. *ret_attributes lives until security_free. */
struct security {
    SECURITY_ATTRIBUTES attributes;
    void *descriptor;
};
int shms__security(uint32_t mode, struct security *ret);
void shms__security_free(struct security *s);

/* The mode that an object's descriptor amounts to, and a number for its owner. */
void shms__security_of(HANDLE object, uint32_t *ret_mode, uint32_t *ret_user);

/* Make or join what a region has beside its two sections. SHMS_E_DENIED: something else has that name.
 * *ret_parity_new: nobody of ours had it. */
int shms__objects_open(const char *base, uint32_t mode, struct objects **ret);
int shms__objects_join(struct objects *o, bool *ret_parity_new);
void shms__objects_close(struct objects *o);

/* From now on, and until then, the words of this control can be slept on. */
void shms__objects_mapped(struct objects *o, void *control);
void shms__objects_unmapped(const struct objects *o);

#define QUERY_STATE 1           /* the same right for events and semaphores */
#define PARITY_FULL (1l << 30) /* even, and far from both ends */

/* gate.c: has one of ours passed the gate, according to the system? "Cannot tell" is no. */
bool shms__gate_passed(const struct objects *o);

/* From ntdll; in this form since Windows NT 4, and in wine. */
struct nt_event {
    LONG type;
    LONG state;
};
struct nt_semaphore {
    ULONG count;
    ULONG limit;
};
LONG NTAPI NtQueryEvent(HANDLE event, int what, struct nt_event *ret, ULONG size, ULONG *ret_size);
LONG NTAPI NtQuerySemaphore(HANDLE semaphore, int what, struct nt_semaphore *ret, ULONG size,
                            ULONG *ret_size);

#endif
