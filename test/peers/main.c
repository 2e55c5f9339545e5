/* SPDX-License-Identifier: MIT */
/*
 * shms-peers [BLOW]    strikes all blows, or one: sweep many bytes addresses
 * requeue names. Prints tables; writes nothing.
 * SHMS_PEERS_SHORT=1: the first rows of each table, with less of everything.
 */
#include "../../bench/machine.h"
#include "peers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define LIFE_S 1500  /* longest life of this program */
#define BRIEF_ROWS 6 /* of each table, in the short run */

/* Where a step is one instruction. */
#if defined(__x86_64__)
#define CAN_STEP true
#else
#define CAN_STEP false
#endif

static unsigned complaints;
static bool brief;
static pid_t main_pid;

size_t rows_of(size_t n)
{
    return brief && n > BRIEF_ROWS ? BRIEF_ROWS : n;
}

void complain(const char *what, const char *name)
{
    printf("BROKEN %s: %s\n", name, what);
    complaints++;
}

static void clean(void)
{
    if (getpid() == main_pid)
        names_wipe();
}

static void too_long(int signal)
{
    (void)signal;
    clean();
    _exit(3);
}

static bool chosen(int argc, char **argv, const char *blow)
{
    return argc < 2 || strcmp(argv[1], blow) == 0;
}

static void strike(int argc, char **argv)
{
    if (chosen(argc, argv, "sweep"))
        blow_sweep(brief ? 20000 : 4000000);
    if (chosen(argc, argv, "many"))
        blow_many();
    if (chosen(argc, argv, "bytes"))
        blow_bytes(brief ? 50 : 300);
    if (chosen(argc, argv, "addresses"))
        blow_addresses();
    if (chosen(argc, argv, "requeue"))
        blow_requeue(brief ? 4 : 50);
    if (chosen(argc, argv, "names"))
        blow_names(brief ? 50 : 100);
}

int main(int argc, char **argv)
{
    struct rlimit no_core = {0, 0};
    const char *wish = getenv("SHMS_PEERS_SHORT");
    brief = wish && *wish == '1';
    if (!CAN_STEP) {
        printf("SKIP: instructions are led on x86-64 only\n");
        return 77;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    setrlimit(RLIMIT_CORE, &no_core);
    main_pid = getpid();
    crowd_setup();
    atexit(clean);
    signal(SIGALRM, too_long);
    signal(SIGTERM, too_long);
    signal(SIGINT, too_long);
    alarm(LIFE_S);
    machine_print(stdout);
    printf("Boost.Interprocess %s, LMDB %s\n", boost_version(), lmdb_version());
    strike(argc, argv);
    printf("\n%u complaints: about shmstream, or that what must fall did not\n", complaints);
    return complaints != 0;
}
