/* SPDX-License-Identifier: MIT */
/*
 * Linux: the death bell, made of a robust futex list that is nobody's lock.
 *
 * The kernel lets each thread register a list in its own memory. When the thread dies, the kernel walks it:
 * for each node it looks at the word that lies a fixed distance from the node, and if that word holds the
 * thread's id, it puts FUTEX_OWNER_DIED there and wakes one sleeper of the word. A thread that does nothing
 * else, the guard, registers a list with one node for each bell. The word is in shared memory, the node is
 * not: each mapping that a bell hangs in has private memory right behind it, the apron, and the node of a
 * word lies as far into the apron (but 4 bytes, to be aligned) as the word into the mapping.
 *
 * Who takes part. Any thread changes the list, under the process lock; the kernel walks it when the
 * process ends, whatever other threads are doing: so each single store leaves a list that can be walked,
 * with no node of memory that is gone. The guard is started by the first bell that is worth it (slice.c),
 * so that a program which never waits has no thread of ours, and one that gives up rights first has it
 * inside its sandbox; it ends with the last handle. The thread that starts or ends it waits for it, which is
 * short: it takes no lock.
 *
 * What a crash leaves: in each word of a hung bell BELL_RUNG, or at worst the id, a bell that never rings.
 */
#include "../../core/layout.h"
#include "../../core/port.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GUARD_STACK ((size_t)64 << 10)

_Static_assert(BELL_GUARD == FUTEX_TID_MASK && BELL_RUNG == FUTEX_OWNER_DIED && BELL_AWAITED == FUTEX_WAITERS,
               "the kernel's bits");

struct node {
    struct robust_list entry; /* all that the kernel reads */
    struct robust_list *previous;
};

/* The beginning of an apron, where no node comes to lie. */
struct bell {
    a32 *word; /* NULL: does not hang */
};
_Static_assert(offsetof(struct control, slots) >= sizeof(struct bell), "no node lies over struct bell");
_Static_assert(offsetof(struct slot, bell) % 8 == 4, "nodes are aligned");

/* All below: guarded by the process lock, but for what the kernel reads. */
static struct robust_list_head head = {.list = {&head.list}};
static enum { GUARD_NONE, GUARD_UP, GUARD_REFUSED } guard_state;
static pthread_t guard_thread;
static uint32_t guard_id;
static a32 guard_says; /* UP and ENDED, from the guard; STARTS and ENDS, to it */
static unsigned char *spare; /* an apron that no mapping stands before, for the next one; or NULL */

/* ---- where bells hang */

static size_t span(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (LAYOUT_CONTROL_SIZE + page - 1) / page * page;
}

static struct node *node_of(a32 *word)
{
    return (struct node *)(void *)((unsigned char *)word + span() - sizeof *word);
}

static void link_node(struct node *n)
{
    n->previous = &head.list;
    n->entry.next = head.list.next;
    if (head.list.next != &head.list)
        ((struct node *)(void *)head.list.next)->previous = &n->entry;
    /* orders: the node is whole before it is in the list; pairs with the kernel's walk */
    fence_release();
    head.list.next = &n->entry;
}

static void unlink_node(struct node *n)
{
    n->previous->next = n->entry.next;
    if (n->entry.next != &head.list)
        ((struct node *)(void *)n->entry.next)->previous = n->previous;
    /* orders: out of the list before its memory goes; pairs with the kernel's walk */
    fence_release();
}

/* ---- the guard */

enum { STARTS, UP, ENDS, ENDED };
#define GUARD_SLEEP_NS 1000000000000 /* it is woken to end */
#define OTHERS_SLEEP_NS 1000000      /* what a lost wake-up costs its waiter */

static void sound(a32 *word)
{
    /* release: the generation says whose bell it is; pairs with bell_of in slice.c */
    a32_store_release(word, guard_id | BELL_AWAITED);
}

static void say(uint32_t what)
{
    a32_store_release(&guard_says, what); /* release: guard_id; pairs with the acquire in says */
    shms__wake(&guard_says, 1);
}

static bool says(uint32_t what)
{
    return a32_load_acquire(&guard_says) == what; /* acquire: pairs with the release in say */
}

static void *guard(void *unused)
{
    (void)unused;
    prctl(PR_SET_NAME, "shms-bell");
    head.futex_offset = (long)(sizeof(a32) - span());
    guard_id = (uint32_t)syscall(SYS_gettid);
    bool up = syscall(SYS_set_robust_list, &head, sizeof head) == 0;
    say(up ? UP : ENDED);
    while (says(UP))
        shms__sleep_on(&guard_says, UP, GUARD_SLEEP_NS);
    say(ENDED);
    return NULL;
}

/* Without signals, all of which are the program's affair. */
static bool create_guard(void)
{
    pthread_attr_t how;
    sigset_t all, before;
    if (pthread_attr_init(&how))
        return false;
    pthread_attr_setstacksize(&how, GUARD_STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int e = pthread_create(&guard_thread, &how, guard, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&how);
    return e == 0;
}

static void start_guard(void)
{
    a32_store_relaxed(&guard_says, STARTS); /* relaxed: before the thread is there */
    guard_state = GUARD_REFUSED;
    if (!create_guard())
        return;
    while (says(STARTS))
        shms__sleep_on(&guard_says, STARTS, OTHERS_SLEEP_NS);
    if (says(UP))
        guard_state = GUARD_UP;
    else
        pthread_join(guard_thread, NULL);
}

void shms__bell_end(void)
{
    if (guard_state != GUARD_UP)
        return;
    say(ENDS);
    while (says(ENDS)) {
        shms__sleep_on(&guard_says, ENDS, OTHERS_SLEEP_NS);
        shms__wake(&guard_says, 1);
    }
    pthread_join(guard_thread, NULL);
    guard_state = GUARD_NONE;
}

void shms__bell_forget(void)
{
    head.list.next = &head.list;
    guard_state = GUARD_NONE;
    spare = NULL; /* kept from children, like all aprons */
}

/* ---- off */

bool shms__bell_off(void)
{
    static a32 known = {0};
    uint32_t answer = a32_load_relaxed(&known); /* relaxed: a single value, right whenever it is found */
    if (answer == 0) {
        const char *wish = secure_getenv("SHMSTREAM_BELL");
        answer = wish && strcmp(wish, "off") == 0 ? 2 : 1;
        a32_store_relaxed(&known, answer); /* relaxed: as above */
    }
    return answer == 2;
}

/* ---- aprons */

static void *map_over(const struct file *f, void *address, int fixed)
{
    void *p = mmap(address, LAYOUT_CONTROL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | fixed, f->fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

/* Before an apron that is left from an earlier mapping. NULL: the place is taken. */
static unsigned char *map_before(const struct file *f, unsigned char *apron)
{
    unsigned char *p = map_over(f, apron - span(), MAP_FIXED_NOREPLACE);
    if (p == apron - span() && madvise(p, span(), MADV_DONTFORK) == 0)
        return p;
    if (p)
        munmap(p, LAYOUT_CONTROL_SIZE);
    munmap(apron, span());
    return NULL;
}

static unsigned char *map_with_apron(const struct file *f)
{
    unsigned char *p =
        mmap(NULL, 2 * span(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (map_over(f, p, MAP_FIXED) && madvise(p, 2 * span(), MADV_DONTFORK) == 0)
        return p;
    munmap(p, 2 * span());
    return NULL;
}

int shms__bell_map(const struct file *f, struct bell **ret_bell, void **ret)
{
    unsigned char *p = NULL, *apron = NULL;
    *ret_bell = NULL;
    bool refused = guard_state == GUARD_REFUSED;
    if (!refused) {
        apron = spare;
        spare = NULL;
    }
    if (apron)
        p = map_before(f, apron);
    if (!p && !refused && !shms__bell_off())
        p = map_with_apron(f);
    if (!p)
        return shms__map(f, 0, LAYOUT_CONTROL_SIZE, true, false, ret);
    *ret_bell = (struct bell *)(void *)(p + span());
    (*ret_bell)->word = NULL;
    *ret = p;
    return 0;
}

static void hang(struct bell *b, a32 *word, bool worth)
{
    if (b->word)
        return;
    if (guard_state == GUARD_NONE && worth)
        start_guard();
    if (guard_state != GUARD_UP)
        return;
    b->word = word;
    link_node(node_of(word));
    sound(word);
}

void shms__bell_hang(struct bell *b, a32 *word, bool worth)
{
    if (!b)
        return;
    shms__process_lock();
    hang(b, word, worth);
    shms__process_unlock();
}

void shms__bell_drop(struct bell *b)
{
    unsigned char *apron = (unsigned char *)b;
    if (!b)
        return;
    shms__process_lock();
    if (b->word) {
        unlink_node(node_of(b->word));
        a32_store_relaxed(b->word, 0); /* relaxed: orders nothing; nobody waits for a leaver */
    }
    if (!spare) {
        spare = apron;
        apron = NULL;
    }
    shms__process_unlock();
    if (apron)
        munmap(apron, span());
}
