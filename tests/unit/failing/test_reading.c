/* What only reads the store, with each of its calls failing once: it says why,
 * and what was there is there. */
#include "world.h"

#include <weighhouse/diff.h>
#include <weighhouse/history.h>

static enum wh_status read_all(struct world *w, struct wh_error *err)
{
	struct wh_source *source;
	uint8_t bytes[64];
	enum wh_status status =
		wh_snapshot_open(w->store, "HEAD", &source, err);

	if (status)
		return status;
	status =
		wh_source_read(source, 0, 0, bytes,
			       (size_t)source->manifest.tensors[0].nbytes, err);
	wh_source_close(source);
	if (!status)
		status = wh_tensor_read(w->store, "HEAD~1", "fc/kernel", 4,
					bytes, 8, err);
	return status;
}

static int see_difference(void *arg, const struct wh_difference *difference)
{
	(void)arg;
	(void)difference;
	return 0;
}

static enum wh_status compare(struct world *w, struct wh_error *err)
{
	const struct wh_diff_options options = {.atol = 0.5};
	struct wh_source *a = NULL, *b = NULL;
	enum wh_status status = wh_snapshot_open(w->store, "HEAD", &a, err);

	if (!status)
		status = wh_snapshot_open(w->store, "HEAD~1", &b, err);
	if (!status)
		status = wh_diff(a, b, &options, see_difference, NULL, err);
	wh_source_close(a);
	wh_source_close(b);
	return status;
}

static const char *const everything[] = {"*", NULL};

static int see_snapshot(void *arg, const struct wh_snapshot *snapshot)
{
	(void)arg;
	(void)snapshot;
	return 0;
}

static int see_place(void *arg, const struct wh_log_place *place)
{
	(void)arg;
	(void)place;
	return 0;
}

static enum wh_status list_all(struct world *w, struct wh_error *err)
{
	const struct wh_log_options all = {.all = true, .place = see_place};
	const struct wh_log_options some = {.exclude = "HEAD~3",
					    .globs = everything,
					    .metric = "loss",
					    .run = "main"};
	enum wh_status status = wh_log(w->store, &all, see_snapshot, NULL, err);

	if (!status)
		status = wh_log(w->store, &some, see_snapshot, NULL, err);
	if (!status)
		status = wh_snapshot_get(w->store, "best:loss", see_snapshot,
					 NULL, err);
	return status;
}

static enum wh_status snapshot_text(struct world *w, struct wh_error *err)
{
	char *text = NULL;
	size_t size;
	enum wh_status status =
		wh_snapshot_text(w->store, "HEAD~1", &text, &size, err);

	free(text);
	return status;
}

static enum wh_status revisions(struct world *w, struct wh_error *err)
{
	static const char *const texts[] = {"HEAD~2", "main@{1}", "main:1",
					    "best:loss", "epoch:1"};
	char id[WH_ID_SIZE];
	enum wh_status status = WH_OK;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]) && !status; i++) {
		status = wh_revision_parse(w->store, texts[i], id, err);
		/* What isn't there is told as that. */
		if (status == WH_ENOTFOUND || status == WH_EINVAL)
			status = WH_OK;
	}
	return status;
}

static int see_ref(void *arg, const struct wh_ref *ref)
{
	(void)arg;
	(void)ref;
	return 0;
}

static int see_entry(void *arg, const struct wh_reflog_entry *entry)
{
	(void)arg;
	(void)entry;
	return 0;
}

static enum wh_status names(struct world *w, struct wh_error *err)
{
	char head[256];
	enum wh_status status = wh_head(w->store, head, err);

	if (!status)
		status = wh_branch_list(w->store, see_ref, NULL, err);
	if (!status)
		status = wh_tag_list(w->store, see_ref, NULL, err);
	if (!status)
		status = wh_reflog(w->store, NULL, see_entry, NULL, err);
	return status;
}

static int see_change(void *arg, const struct wh_weight_change *change)
{
	(void)arg;
	(void)change;
	return 0;
}

static enum wh_status history(struct world *w, struct wh_error *err)
{
	return wh_history(w->store, NULL, see_change, NULL, err);
}

static int see_usage(void *arg, const struct wh_usage *usage)
{
	(void)arg;
	(void)usage;
	return 0;
}

static enum wh_status usage(struct world *w, struct wh_error *err)
{
	enum wh_status status = WH_OK;
	int by;

	for (by = WH_BY_SNAPSHOT; by <= WH_BY_RUN && !status; by++)
		status = wh_usage(w->store, (enum wh_usage_by)by, see_usage,
				  NULL, err);
	return status;
}

static int see_row(void *arg, int n, const char *const *columns,
		   const struct wh_cell *cells)
{
	(void)arg;
	(void)n;
	(void)columns;
	(void)cells;
	return 0;
}

static enum wh_status query(struct world *w, struct wh_error *err)
{
	return wh_sql(w->store, "SELECT * FROM log", NULL, see_row, NULL, err);
}

static const struct verb verbs[] = {
	{"read", read_all},	 {"diff", compare},	  {"log", list_all},
	{"text", snapshot_text}, {"revision", revisions}, {"names", names},
	{"history", history},	 {"usage", usage},	  {"sql", query},
};

static void each_reading_bears_each_failure(void **state)
{
	each_of(*state, verbs, sizeof(verbs) / sizeof(verbs[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_world(each_reading_bears_each_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
