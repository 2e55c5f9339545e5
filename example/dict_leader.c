/* SPDX-License-Identifier: MIT */
/* Leader election: the process that has the lock of a key leads. If it is killed, another one takes over. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <shmstream/dict.h>

/* Each term has a number, by which others can refuse orders of a leader that has been replaced. */
static void stand(shms_dict *d)
{
    int64_t term = 0;
    int rc = shms_dict_lock(d, "leader", 6, -1);
    if (rc < 0 || shms_dict_add(d, "term", 4, 1, 0, NULL, &term) < 0)
        return;
    printf("term %d%s\n", (int)term, rc == SHMS_OWNER_DIED ? ": the leader before died" : "");
    fflush(stdout);
    if (term < 3)
        raise(SIGKILL); /* in office */
    shms_dict_unlock(d, "leader", 6);
}

int main(int argc, char **argv)
{
    shms_dict *d;
    int rc = shms_dict_open(argc > 1 ? argv[1] : "election", 65536, NULL, &d);
    if (rc < 0)
        return 1;
    for (int i = 0; i < 4; i++) {
        if (fork() == 0) {
            stand(d);
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
    printf("afterwards the office is %s\n", shms_dict_lock(d, "leader", 6, 0) == 0 ? "free" : "taken");
    shms_dict_close(d);
    return 0;
}
