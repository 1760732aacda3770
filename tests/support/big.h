/* support/big.h: a model of any size that takes no memory. */
#ifndef WH_TESTS_BIG_H
#define WH_TESTS_BIG_H

#include "support/one_weight.h"

struct big {
	uint64_t n_bytes;
	int changes_after; /* calls; then other bytes come */
	int n_calls;
};

static inline int read_big(void *arg, uint64_t offset, void *buf, size_t len)
{
	struct big *big = arg;
	bool other = big->changes_after && ++big->n_calls > big->changes_after;
	uint64_t state = offset + 1, value;
	uint8_t *out = buf;
	size_t i, some;

	for (i = 0; i < len; i += some) {
		state = state * UINT64_C(6364136223846793005) + 1;
		value = other ? ~state : state;
		some = len - i < 8 ? len - i : 8;
		memcpy(out + i, &value, some);
	}
	return 0;
}

static inline struct wh_source *make_big(struct big *big)
{
	struct wh_array array = {.name = "w",
				 .dtype = WH_UINT8,
				 .rank = 1,
				 .shape = &big->n_bytes,
				 .read = read_big,
				 .arg = big};

	return one_weight("big", NULL, &array);
}

#endif
