#include "core/renumbered.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"

static bool ends_part(char c)
{
	return c == '\0' || c == '/' || c == ':' || c == '.' || c == '_';
}

/* Length of the number at a place of a name, 0: there is none. */
static size_t number_at(const char *name, const char *at)
{
	size_t n = 2;

	if (at[0] != '_' || at[1] < '1' || at[1] > '9' || at == name ||
	    ends_part(at[-1]))
		return 0;
	while (at[n] >= '0' && at[n] <= '9')
		n++;
	return ends_part(at[n]) ? n : 0;
}

/* No number comes before all others, a longer one after a shorter one. */
static int compare_numbers(const char *a, size_t n, const char *b, size_t m)
{
	if (n != m)
		return n < m ? -1 : 1;
	return memcmp(a, b, n);
}

/* By what isn't a number; then, if they count, by the first number that
 * differs. */
static int compare(const char *a, const char *b, bool numbers_count)
{
	const char *x = a, *y = b;
	int by_number = 0;

	for (;; x++, y++) {
		size_t n = number_at(a, x), m = number_at(b, y);

		if (!by_number)
			by_number = compare_numbers(x, n, y, m);
		x += n;
		y += m;
		if (*x != *y)
			return (unsigned char)*x < (unsigned char)*y ? -1 : 1;
		if (!*x)
			return numbers_count ? by_number : 0;
	}
}

bool renumbered_same(const char *a, const char *b)
{
	return compare(a, b, false) == 0;
}

/* ---- Pairs -----------------------------------------------------------------
 */

struct entry {
	const char *name;
	uint32_t index;
};

static int in_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return compare(x->name, y->name, true);
}

static struct entry *sort(const char *const *names, uint32_t n)
{
	struct entry *list = calloc((size_t)n + 1, sizeof(*list));
	uint32_t i;

	for (i = 0; list && i < n; i++)
		list[i] = (struct entry){names[i], i};
	if (list)
		qsort(list, n, sizeof(*list), in_order);
	return list;
}

/* How many at the head of a list are the same but for numbers. */
static uint32_t count_same(const struct entry *list, uint32_t n)
{
	uint32_t same = 1;

	while (same < n && renumbered_same(list[0].name, list[same].name))
		same++;
	return same;
}

enum wh_status renumbered_pair(const char *const *before, uint32_t n_before,
			       const char *const *now, uint32_t n_now,
			       uint32_t *pair, struct wh_error *err)
{
	struct entry *a wh_free_auto = sort(before, n_before);
	struct entry *b wh_free_auto = sort(now, n_now);
	uint32_t i = 0, k = 0, same;

	if (!a || !b)
		return wh_fail_memory(err);
	memset(pair, 0xff, n_now * sizeof(*pair));
	while (i < n_before && k < n_now) {
		int order = compare(a[i].name, b[k].name, false);
		uint32_t n = count_same(a + i, n_before - i);
		uint32_t m = count_same(b + k, n_now - k);

		for (same = 0; !order && n == m && same < n; same++)
			pair[b[k + same].index] = a[i + same].index;
		i += order <= 0 ? n : 0;
		k += order >= 0 ? m : 0;
	}
	return WH_OK;
}
