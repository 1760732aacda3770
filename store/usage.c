/* What the bytes of a store are for.
 *
 * Every listing adds up to the file's size. Payload is counted chunk by chunk,
 * in their rows; free pages, and pages that only hold SQLite's maps, by
 * SQLite; tables and indexes by DBSTAT, where SQLite was built with it. It
 * reads every page of what it counts, so the chunks' own table, with nearly
 * all of a store's bytes, is what is left over.
 *
 * Rows are gathered before the first is told: a callback may use the store.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "base/array.h"
#include "codec/codec.h"
#include "store.h"

#define LOCKING_OFFSET	((uint64_t)1 << 30) /* no page holds this byte */
#define MAP_ENTRY_BYTES 5		    /* of auto_vacuum, for a page */

struct listing {
	struct db *db;
	struct arena arena;
	struct wh_usage *rows;
	size_t n, room;
	uint64_t explained; /* sum of own_bytes */
};

static void listing_free(struct listing *listing)
{
	free(listing->rows);
	arena_free(&listing->arena);
}

static enum wh_status add(struct listing *listing, const struct wh_usage *usage,
			  struct wh_error *err)
{
	struct wh_usage *row;

	WH_TRY(array_grow(&listing->rows, listing->n, &listing->room,
			  sizeof(*listing->rows), err));
	row = &listing->rows[listing->n];
	*row = *usage;
	row->name = arena_strdup(&listing->arena, usage->name);
	if (!row->name)
		return wh_fail_memory(err);
	listing->n++;
	listing->explained += usage->own_bytes;
	return WH_OK;
}

/* What is no part; nothing where there is none of it. */
static enum wh_status add_rest(struct listing *listing, const char *name,
			       uint64_t nbytes, uint64_t stored,
			       struct wh_error *err)
{
	const struct wh_usage usage = {.name = name,
				       .nbytes = nbytes,
				       .stored_bytes = stored,
				       .own_bytes = stored,
				       .rest = true};

	return stored ? add(listing, &usage, err) : WH_OK;
}

/* ---- Payload ---------------------------------------------------------------
 */

static enum wh_status list_parts(struct listing *listing, enum wh_usage_by by,
				 struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(listing->db, STMT_USAGE_PARTS, &stmt, err));
	stmt_integer(stmt, 1, by);
	for (;;) {
		struct wh_usage usage = {0};

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		usage.rest = column_integer(stmt, 0) != 0;
		usage.name = column_text_or_empty(stmt, 2);
		usage.nbytes = (uint64_t)column_integer(stmt, 3);
		usage.stored_bytes = (uint64_t)column_integer(stmt, 4);
		usage.shared_bytes = (uint64_t)column_integer(stmt, 5);
		usage.own_bytes = usage.stored_bytes - usage.shared_bytes;
		WH_TRY(add(listing, &usage, err));
	}
	stmt_reset(stmt);
	WH_TRY(db_stmt(listing->db, STMT_USAGE_UNNAMED, &stmt, err));
	WH_TRY(step_row(stmt, err));
	WH_TRY(add_rest(listing, "commits that have not ended", 0,
			(uint64_t)column_integer(stmt, 0), err));
	return WH_OK;
}

static const char *coding_name(int64_t codec)
{
	static const char *const names[] = {
		[CODEC_RAW] = "payload as it is",
		[CODEC_ZSTD] = "payload, zstd",
		[CODEC_PLANES] = "payload, byte planes",
		[CODEC_DELTA] = "payload, differences",
		[CODEC_PATCH] = "payload, patches",
		[CODEC_SAME] = "payload as before",
	};

	if (codec < 0 || codec >= (int64_t)(sizeof(names) / sizeof(*names)))
		return "payload, of a newer version";
	return names[codec];
}

static enum wh_status list_codings(struct listing *listing,
				   struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(listing->db, STMT_USAGE_CODINGS, &stmt, err));
	for (;;) {
		struct wh_usage usage = {0};

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		usage.name = coding_name(column_integer(stmt, 0));
		usage.nbytes = (uint64_t)column_integer(stmt, 1);
		usage.stored_bytes = (uint64_t)column_integer(stmt, 2);
		usage.own_bytes = usage.stored_bytes;
		WH_TRY(add(listing, &usage, err));
	}
	return WH_OK;
}

/* ---- Pages -----------------------------------------------------------------
 */

struct pages {
	uint64_t size, n, n_free;
	bool mapped; /* auto_vacuum: pages that say who owns the others */
};

static enum wh_status count_pages(struct db *db, struct pages *pages,
				  struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_USAGE_PAGES, &stmt, err));
	WH_TRY(step_row(stmt, err));
	pages->size = (uint64_t)column_integer(stmt, 0);
	pages->n = (uint64_t)column_integer(stmt, 1);
	pages->n_free = (uint64_t)column_integer(stmt, 2);
	pages->mapped = column_integer(stmt, 3) != 0;
	stmt_reset(stmt);
	return WH_OK;
}

/* The second page, and then one after so many as it has room for. */
static uint64_t n_maps(const struct pages *pages)
{
	uint64_t each = pages->size / MAP_ENTRY_BYTES + 1;

	return pages->mapped && pages->n >= 2 ? (pages->n - 2) / each + 1 : 0;
}

static enum wh_status list_trees(struct listing *listing, struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	WH_TRY(db_stmt(listing->db, STMT_USAGE_TREES, &stmt, err));
	for (;;) {
		struct wh_usage usage = {.rest = true};

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		usage.name = arena_printf(&listing->arena, "%s %s",
					  column_text_or_empty(stmt, 0),
					  column_text_or_empty(stmt, 1));
		if (!usage.name)
			return wh_fail_memory(err);
		usage.stored_bytes = (uint64_t)column_integer(stmt, 2);
		usage.own_bytes = usage.stored_bytes;
		WH_TRY(add(listing, &usage, err));
	}
	return WH_OK;
}

static enum wh_status list_pages(struct listing *listing, bool trees,
				 uint64_t *total, struct wh_error *err)
{
	const char *left = "rows, indexes, rests of pages";
	struct pages pages;

	WH_TRY(count_pages(listing->db, &pages, err));
	if (trees && db_counts_pages()) {
		left = "table chunk, beside the payload";
		WH_TRY(list_trees(listing, err));
	}
	WH_TRY(add_rest(listing, "free pages", 0, pages.n_free * pages.size,
			err));
	if (trees)
		WH_TRY(add_rest(listing, "pages about pages", 0,
				n_maps(&pages) * pages.size, err));
	if (trees && pages.n * pages.size > LOCKING_OFFSET)
		WH_TRY(add_rest(listing, "the page of locks", 0, pages.size,
				err));
	*total = pages.n * pages.size;
	if (*total < listing->explained)
		return wh_fail(err, WH_ECORRUPT,
			       "the store is damaged: its rows name more bytes "
			       "than it has");
	return add_rest(listing, left, 0, *total - listing->explained, err);
}

/* ---- The whole -------------------------------------------------------------
 */

static enum wh_status list_total(struct listing *listing, uint64_t counted,
				 struct wh_error *err)
{
	struct wh_usage usage = {.name = "total"};
	struct stmt *stmt;

	WH_TRY(db_stmt(listing->db, STMT_USAGE_TOTAL, &stmt, err));
	WH_TRY(step_row(stmt, err));
	usage.nbytes = (uint64_t)column_integer(stmt, 0);
	stmt_reset(stmt);
	/* No writer changes the file while we read. */
	WH_TRY(db_file_size(listing->db, &usage.stored_bytes, err));
	if (usage.stored_bytes > counted)
		WH_TRY(add_rest(listing, "behind the last page", 0,
				usage.stored_bytes - counted, err));
	usage.own_bytes = usage.stored_bytes;
	return add(listing, &usage, err);
}

static enum wh_status list_all(struct listing *listing, enum wh_usage_by by,
			       struct wh_error *err)
{
	AUTO_TRANSACTION tx = {0};
	uint64_t total;

	WH_TRY(transaction_read(&tx, listing->db, err));
	WH_TRY(by == WH_BY_FILE ? list_codings(listing, err)
				: list_parts(listing, by, err));
	WH_TRY(list_pages(listing, by == WH_BY_FILE, &total, err));
	return list_total(listing, total, err);
}

enum wh_status wh_usage(struct wh_store *store, enum wh_usage_by by,
			wh_usage_fn *fn, void *arg, struct wh_error *err)
{
	struct listing listing = {.db = store->db};
	enum wh_status status;
	size_t i;

	if ((unsigned)by > WH_BY_FILE)
		return wh_fail(err, WH_EINVAL, "usage has no listing %d",
			       (int)by);
	status = list_all(&listing, by, err);
	for (i = 0; !status && i < listing.n; i++)
		if (fn(arg, &listing.rows[i]))
			break;
	listing_free(&listing);
	return status;
}
