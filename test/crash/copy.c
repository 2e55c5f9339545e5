/* SPDX-License-Identifier: MIT */
/* Regions as bytes: taken from where the tracee works, put where nobody holds a byte lock. */
#include "crash.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char region_name[64], copy_name[64];
static struct name region_files, copy_files;

void names_setup(void)
{
    snprintf(region_name, sizeof region_name, "crash-%d", (int)getpid());
    snprintf(copy_name, sizeof copy_name, "crash-%d-copy", (int)getpid());
    if (shms__name_resolve(region_name, true, &region_files) < 0 ||
        shms__name_resolve(copy_name, true, &copy_files) < 0) {
        printf("FAIL: no place for regions\n");
        exit(2);
    }
}

static const struct name *files_of(const char *name)
{
    return name == region_name ? &region_files : &copy_files;
}

void names_remove(const char *name)
{
    unlink(files_of(name)->control);
    unlink(files_of(name)->data);
}

bool name_is_there(const char *name)
{
    return access(files_of(name)->control, F_OK) == 0 || access(files_of(name)->data, F_OK) == 0;
}

/* ---- taking */

static void read_control(struct picture *p, int fd)
{
    p->has_control = fd >= 0 && pread(fd, p->c.bytes, sizeof p->c.bytes, 0) == (ssize_t)sizeof p->c.bytes;
    p->has_journal = fd >= 0 && pread(fd, p->journal, sizeof p->journal, LAYOUT_JOURNAL) ==
                                    (ssize_t)sizeof p->journal;
}

static void read_data(struct picture *p, int fd)
{
    struct stat st;
    p->has_data = fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size <= sizeof p->data;
    if (!p->has_data)
        return;
    p->data_size = (uint64_t)st.st_size;
    p->has_data = pread(fd, p->data, p->data_size, 0) == (ssize_t)p->data_size;
    /* relaxed: private copy */
    p->belongs = p->has_control && a64_load_relaxed(&p->c.control.data_inode) == (uint64_t)st.st_ino;
}

void picture_by_name(struct picture *p)
{
    int control = open(region_files.control, O_RDONLY | O_CLOEXEC);
    int data = open(region_files.data, O_RDONLY | O_CLOEXEC);
    memset(p, 0, offsetof(struct picture, c));
    read_control(p, control);
    read_data(p, data);
    if (control >= 0)
        close(control);
    if (data >= 0)
        close(data);
}

void picture_by_member(struct picture *p, shms_stream *s)
{
    memset(p, 0, offsetof(struct picture, c));
    read_control(p, s->section.member.region.control_file.fd);
    read_data(p, s->section.member.region.data_file.fd);
}

bool picture_same(const struct picture *a, const struct picture *b)
{
    return memcmp(a, b, offsetof(struct picture, c)) == 0 &&
           (!a->has_control || memcmp(a->c.bytes, b->c.bytes, sizeof a->c.bytes) == 0) &&
           (!a->has_journal || memcmp(a->journal, b->journal, sizeof a->journal) == 0) &&
           (!a->has_data || memcmp(a->data, b->data, a->data_size) == 0);
}

void invite_to_slot(struct picture *p, uint32_t slot)
{
    a32_store_relaxed(&p->c.control.slots[slot].pid, 0); /* relaxed: private copy */
}

/* ---- putting */

static int put_file(const char *path, const void *bytes, uint64_t n)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)n) || pwrite(fd, bytes, n, 0) != (ssize_t)n) {
        printf("FAIL: cannot write %s\n", path);
        exit(2);
    }
    return fd;
}

void picture_put(const struct picture *p)
{
    names_remove(copy_name);
    int data = p->has_data ? put_file(copy_files.data, p->data, p->data_size) : -1;
    if (p->has_control) {
        struct stat st;
        int control = put_file(copy_files.control, p->c.bytes, sizeof p->c.bytes);
        if (p->belongs && fstat(data, &st) == 0) {
            uint64_t inode = (uint64_t)st.st_ino;
            if (pwrite(control, &inode, sizeof inode, offsetof(struct control, data_inode)) != sizeof inode)
                exit(2);
        }
        if (p->has_journal && pwrite(control, p->journal, sizeof p->journal, LAYOUT_JOURNAL) !=
                                  (ssize_t)sizeof p->journal)
            exit(2);
        close(control);
    }
    if (data >= 0)
        close(data);
}

static void lock_slots(int fd, short type, uint32_t first, uint32_t n)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)LOCK_SLOT(first),
                      .l_len = (off_t)(n * sizeof(struct slot))};
    if (fcntl(fd, F_OFD_SETLK, &l)) {
        printf("FAIL: cannot lock slots of a copy\n");
        exit(2);
    }
}

int hold_slots(uint32_t n)
{
    int fd = open(copy_files.control, O_RDWR | O_CLOEXEC);
    lock_slots(fd, F_WRLCK, 0, n);
    return fd;
}

void release_slots(int fd, uint32_t first, uint32_t n)
{
    lock_slots(fd, F_UNLCK, first, n);
}
