/* core/renumbered.h: names that differ in the numbers alone that Keras gives.
 *
 * Keras counts the names that it chooses up as long as a process lives: in a
 * model that is built anew "dense_1/kernel" is "dense_3/kernel". Such a number
 * is an underscore and digits, from 1 on, at the end of a part of a name; parts
 * end at '/', ':', '.', or, in what optimizers are called by, at another '_':
 * "adam_2/sequential_2_dense_4_kernel_momentum".
 */
#ifndef WH_CORE_RENUMBERED_H
#define WH_CORE_RENUMBERED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/** Whether both are one name but for such numbers. */
bool renumbered_same(const char *a, const char *b);

/** pair[i] receives what now[i] was called `before`, as an index, or UINT32_MAX:
 *  names that differ in numbers alone are paired in the order of their numbers,
 *  where there are as many before as now. No name may be in both lists, nor
 *  twice in one. */
enum wh_status renumbered_pair(const char *const *before, uint32_t n_before,
			       const char *const *now, uint32_t n_now,
			       uint32_t *pair, struct wh_error *err);

#endif
