/* SPDX-License-Identifier: MIT */
/* Regions without a name: one sealed file, which is passed on as a descriptor. */
#ifndef SHMS_UNNAMED_H
#define SHMS_UNNAMED_H

#include "region.h"

/* As shms__region_open: a new region, or (q->fd) that of a descriptor. Never SHMS__RETRY. */
int shms__unnamed_open(struct region *r, const struct region_request *q, int64_t deadline);

/* Of the file whose descriptor the handle has. */
int shms__unnamed_stat(const struct region *r, struct file_stat *ret);

/* A descriptor to pass on. */
int shms__unnamed_pass(struct region *r, int *ret_fd);

#endif
