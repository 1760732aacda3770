#include "base/array.h"
#include "watch_list.h"

#include <stdlib.h>
#include <string.h>

void watch_list_free(struct watch_list *list)
{
	while (list->n) {
		struct watch_file *file = list->files[--list->n];

		name_values_free(&file->said);
		free(file->path);
		free(file);
	}
	free(list->files);
	list->files = NULL;
	list->room = 0;
}

/* ---- Files by path ---------------------------------------------------------
 */

static size_t place_of(const struct watch_list *list, const char *path,
		       bool *found)
{
	size_t low = 0, high = list->n;

	*found = false;
	while (low < high && !*found) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(path, list->files[middle]->path);

		if (order == 0) {
			*found = true;
			low = middle;
		} else if (order > 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static bool make_room(struct watch_list *list)
{
	return !array_grow(&list->files, list->n, &list->room,
			   sizeof(struct watch_file *), NULL);
}

struct watch_file *watch_list_get(struct watch_list *list, const char *path,
				  size_t root)
{
	bool found;
	size_t at = place_of(list, path, &found);
	struct watch_file *file;

	if (found)
		return list->files[at];
	file = make_room(list) ? calloc(1, sizeof(*file)) : NULL;
	if (!file)
		return NULL;
	file->path = strdup(path);
	if (!file->path) {
		free(file);
		return NULL;
	}
	file->name = file->path + (root < strlen(path) ? root : 0);
	memmove(&list->files[at + 1], &list->files[at],
		(list->n - at) * sizeof(struct watch_file *));
	list->files[at] = file;
	list->n++;
	return file;
}

/* ---- One file --------------------------------------------------------------
 */

static void begin_anew(struct watch_file *file, enum watch_notice notice,
		       int64_t now_ms)
{
	file->dirty = true;
	file->last = notice;
	file->changed_ms = now_ms;
	file->retry_ms = 0;
	file->n_failed = 0;
}

void watch_note(struct watch_file *file, enum watch_notice notice,
		int64_t now_ms)
{
	begin_anew(file, notice, now_ms);
}

void watch_look(struct watch_file *file, const struct checkpoint_state *state,
		int64_t age_ms, int64_t now_ms)
{
	if (checkpoint_same(&file->seen, state))
		return;
	file->seen = *state;
	if (!state->exists || checkpoint_same(&file->taken, state))
		return;
	begin_anew(file, WATCH_CHANGED, now_ms - (age_ms > 0 ? age_ms : 0));
}

static int64_t silence(const struct watch_list *list,
		       const struct watch_file *file, enum watch_haste haste)
{
	int64_t short_ms = list->settle_ms, long_ms = WATCH_LONG * short_ms;

	if (haste == WATCH_ENDED || file->last == WATCH_MOVED)
		return 0;
	if (file->last == WATCH_CLOSED)
		return haste == WATCH_STOPPING ? 0 : short_ms;
	return long_ms;
}

int64_t watch_due(const struct watch_list *list, const struct watch_file *file,
		  enum watch_haste haste, int64_t now_ms)
{
	int64_t at_ms;

	if (!file->dirty)
		return -1;
	at_ms = file->changed_ms + silence(list, file, haste);
	if (haste == WATCH_PATIENT && file->retry_ms > at_ms)
		at_ms = file->retry_ms;
	return at_ms > now_ms ? at_ms - now_ms : 0;
}

void watch_took(struct watch_file *file, const struct checkpoint_state *state)
{
	file->taken = *state;
	file->seen = *state;
	file->dirty = file->met = false;
	file->n_failed = 0;
}

void watch_again(struct watch_file *file, int64_t now_ms)
{
	begin_anew(file, WATCH_CHANGED, now_ms);
}

bool watch_failed(const struct watch_list *list, struct watch_file *file,
		  enum watch_haste haste, int64_t now_ms)
{
	file->n_failed++;
	if (file->n_failed < 2 && haste == WATCH_PATIENT) {
		file->retry_ms = now_ms + WATCH_LONG * list->settle_ms;
		return false;
	}
	file->dirty = false;
	file->taken = file->seen;
	return true;
}

/* ---- All of them -----------------------------------------------------------
 */

static int by_time(const void *a, const void *b)
{
	const struct watch_file *x = *(struct watch_file *const *)a;
	const struct watch_file *y = *(struct watch_file *const *)b;

	if (x->seen.mtime_ns != y->seen.mtime_ns)
		return x->seen.mtime_ns < y->seen.mtime_ns ? -1 : 1;
	return strverscmp(x->path, y->path);
}

static int by_number(const void *a, const void *b)
{
	const struct watch_file *x = *(struct watch_file *const *)a;
	const struct watch_file *y = *(struct watch_file *const *)b;

	if (x->said.number != y->said.number)
		return x->said.number < y->said.number ? -1 : 1;
	return by_time(a, b);
}

/* Those with a step change places among themselves: what was copied may have
 * any times. */
static void put_in_order(struct watch_file **due, size_t n)
{
	struct watch_file **numbered = calloc(n + 1, sizeof(*numbered));
	size_t i, k = 0;

	qsort(due, n, sizeof(struct watch_file *), by_time);
	if (!numbered)
		return;
	for (i = 0; i < n; i++)
		if (due[i]->said.has_number)
			numbered[k++] = due[i];
	qsort(numbered, k, sizeof(struct watch_file *), by_number);
	for (i = n; i > 0; i--)
		if (due[i - 1]->said.has_number)
			due[i - 1] = numbered[--k];
	free(numbered);
}

/* A file that came at once doesn't overtake one that came before and may be
 * complete: history is in order. Since when such a one is waited for. */
static int64_t waited_for(const struct watch_list *list, enum watch_haste haste,
			  int64_t now_ms)
{
	int64_t since_ms = INT64_MAX;
	size_t i;

	for (i = 0; i < list->n && haste == WATCH_PATIENT; i++) {
		const struct watch_file *file = list->files[i];

		if (file->n_failed == 0 && file->changed_ms < since_ms &&
		    watch_due(list, file, haste, now_ms) > 0)
			since_ms = file->changed_ms;
	}
	return since_ms;
}

/* But not longer than a long silence. */
static int64_t due_in_order(const struct watch_list *list,
			    const struct watch_file *file,
			    enum watch_haste haste, int64_t since_ms,
			    int64_t now_ms)
{
	int64_t due_ms = watch_due(list, file, haste, now_ms);
	int64_t until_ms = file->changed_ms + WATCH_LONG * list->settle_ms;

	if (due_ms != 0 || file->changed_ms < since_ms || until_ms <= now_ms)
		return due_ms;
	return until_ms - now_ms;
}

size_t watch_list_due(const struct watch_list *list, enum watch_haste haste,
		      int64_t now_ms, struct watch_file **due)
{
	int64_t since_ms = waited_for(list, haste, now_ms);
	size_t i, n = 0;

	for (i = 0; i < list->n; i++)
		if (due_in_order(list, list->files[i], haste, since_ms,
				 now_ms) == 0)
			due[n++] = list->files[i];
	put_in_order(due, n);
	return n;
}

int64_t watch_list_wait(const struct watch_list *list, enum watch_haste haste,
			int64_t now_ms)
{
	int64_t since_ms = waited_for(list, haste, now_ms), soonest = -1;
	size_t i;

	for (i = 0; i < list->n; i++) {
		int64_t due = due_in_order(list, list->files[i], haste,
					   since_ms, now_ms);

		if (due >= 0 && (soonest < 0 || due < soonest))
			soonest = due;
	}
	return soonest;
}
