/* SPDX-License-Identifier: MIT */
/* A broadcast of ticks. A slow reader is not waited for, and is told exactly how many it has missed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <shmstream/channel.h>

static const shms_channel_options ticks = {.struct_size = sizeof ticks, .kind = SHMS_BROADCAST,
                                           .slow = SHMS_SLOW_DROP, .one_sender = 1};

static shms_channel *channel(const char *name, int role)
{
    shms_channel *c;
    int rc = shms_channel_open(name, 4096, role, &ticks, &c);
    if (rc < 0) {
        fprintf(stderr, "open: %s\n", shms_strerror(rc));
        exit(1);
    }
    return c;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "ticks";
    shms_channel *source = channel(name, SHMS_SEND);
    shms_channel *fast = channel(name, SHMS_RECEIVE), *slow = channel(name, SHMS_RECEIVE);
    uint64_t tick, last = 0, got = 0, missed = 0;
    for (tick = 1; tick <= 1000; tick++) {
        shms_channel_send(source, &tick, sizeof tick, 0);
        shms_channel_recv(fast, &last, sizeof last, 0);
    }
    shms_channel_close(source);
    printf("the fast reader is at tick %" PRIu64 "\n", last);
    for (;;) {
        int64_t rc = shms_channel_recv(slow, &last, sizeof last, -1);
        shms_message about = {.struct_size = sizeof about};
        if (rc == SHMS_E_CLOSED)
            break;
        if (rc == SHMS_E_MISSED && shms_channel_message(slow, &about) == 0)
            missed += about.missed;
        got += rc > 0;
    }
    printf("the slow one is at tick %" PRIu64 ": %" PRIu64 " in all\n", last, got + missed);
    shms_channel_close(fast);
    shms_channel_close(slow);
    return 0;
}
