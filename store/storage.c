#include "storage.h"

#include "store.h"

#define WHOLE_EACH  64u /* versions */
#define DENSE_RADIX 16u

static enum wh_status newer(struct wh_error *err)
{
	return wh_fail(err, WH_EUNSUPPORTED,
		       "a tensor was written by a newer version of weighhouse");
}

static enum wh_status check_kind(const struct storage *storage, int64_t kind,
				 struct wh_error *err)
{
	if (kind > ENCODING_DELTA)
		return newer(err);
	if ((kind == ENCODING_DELTA) != (storage->base != 0) ||
	    (storage->context && !storage->base))
		return newer(err);
	if (storage->base < 0 || storage->base >= storage->id ||
	    storage->context < 0 || storage->context >= storage->id)
		return wh_fail(err, WH_ECORRUPT,
			       "a tensor's storage has a wrong base");
	return WH_OK;
}

/* From the columns of storage_get, which begin at `column`. */
static enum wh_status read_columns(struct stmt *stmt, int column, int64_t id,
				   struct storage *storage,
				   struct wh_error *err)
{
	int64_t encoding = column_integer(stmt, column);

	*storage = (struct storage){
		.id = id,
		.nbytes = (uint64_t)column_integer(stmt, column + 1),
		.base = column_integer(stmt, column + 2),
		.context = column_integer(stmt, column + 3),
		.generation = (unsigned)(encoding >> ENCODING_KIND_BITS),
	};
	if (encoding < 0 || encoding >> ENCODING_KIND_BITS > UINT16_MAX)
		return newer(err);
	return check_kind(storage, encoding & ((1 << ENCODING_KIND_BITS) - 1),
			  err);
}

enum wh_status storage_get(struct db *db, int64_t id, struct storage *storage,
			   struct wh_error *err)
{
	enum wh_status status;
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_STORAGE_GET, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(step_row(stmt, err));
	status = read_columns(stmt, 0, id, storage, err);
	stmt_reset(stmt);
	return status;
}

/* Else its chunks' ids would overflow, or run into the next one's. */
static enum wh_status check_id(int64_t id, uint64_t nbytes,
			       struct wh_error *err)
{
	if (id >= 1 && id <= MAX_STORAGE_ID && nbytes <= MAX_STORED_BYTES)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "a tensor's storage has a wrong id or length");
}

static enum wh_status check_length(const struct storage *storage,
				   uint64_t nbytes, struct wh_error *err)
{
	if (storage->nbytes == nbytes)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT,
		       "a tensor's storage has a wrong length");
}

enum wh_status storage_check(struct db *db, int64_t id, uint64_t nbytes,
			     struct wh_error *err)
{
	struct storage storage;

	WH_TRY(check_id(id, nbytes, err));
	WH_TRY(storage_get(db, id, &storage, err));
	return check_length(&storage, nbytes, err);
}

enum wh_status storage_check_columns(struct stmt *stmt, int column, int64_t id,
				     uint64_t nbytes, struct wh_error *err)
{
	struct storage storage;

	WH_TRY(check_id(id, nbytes, err));
	if (column_is_null(stmt, column))
		return wh_fail(err, WH_ECORRUPT, "a tensor has no storage");
	WH_TRY(read_columns(stmt, column, id, &storage, err));
	return check_length(&storage, nbytes, err);
}

enum wh_status storage_reserve(struct db *db, uint32_t n, int64_t *first,
			       struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_STORAGE_RESERVE, &stmt, err));
	stmt_integer(stmt, 1, n);
	WH_TRY(step_row(stmt, err));
	*first = column_integer(stmt, 0) - n;
	return step_done(stmt, err);
}

static bool fill_row(void *arg, uint32_t i, struct row *row)
{
	const struct storage *const *rows = arg, *storage = *rows + i;
	int64_t kind = storage->base ? ENCODING_DELTA : ENCODING_CHUNKS;

	row_integer(row, 1, storage->id);
	row_integer(row, 2,
		    (int64_t)storage->generation << ENCODING_KIND_BITS | kind);
	row_integer(row, 3, (int64_t)storage->nbytes);
	row_integer(row, 4, (int64_t)storage->stored_bytes);
	if (storage->base)
		row_integer(row, 5, storage->base);
	if (storage->context)
		row_integer(row, 6, storage->context);
	return true;
}

enum wh_status storage_insert(struct db *db, const struct storage *storages,
			      uint32_t n, struct wh_error *err)
{
	struct rows rows = {.n = n, .fill = fill_row, .arg = &storages};
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_STORAGE_INSERT, &stmt, err));
	return step_rows(stmt, &rows, err);
}

enum wh_status storage_is_named(struct db *db, int64_t id, bool *named,
				struct wh_error *err)
{
	struct stmt *stmt;

	WH_TRY(db_stmt(db, STMT_STORAGE_IS_NAMED, &stmt, err));
	stmt_integer(stmt, 1, id);
	WH_TRY(step_row(stmt, err));
	*named = column_integer(stmt, 0) != 0;
	stmt_reset(stmt);
	return WH_OK;
}

enum wh_status storage_chain_get(struct db *db, int64_t id,
				 struct storage_chain *chain,
				 struct wh_error *err)
{
	const struct storage *above = NULL;

	chain->n = 0;
	while (id) {
		struct storage *link = &chain->links[chain->n];

		if (chain->n == MAX_CHAIN)
			return wh_fail(err, WH_ECORRUPT,
				       "a tensor's chain of bases is too long");
		WH_TRY(storage_get(db, id, link, err));
		if (above && above->context && above->context != link->base)
			return newer(err);
		chain->n++;
		above = link;
		id = link->base;
	}
	return chain->n ? WH_OK
			: wh_fail(err, WH_ECORRUPT, "a tensor has no storage");
}

/* ---- Skip-deltas ----------------------------------------------------------
 */

/* How many differences each of 64 versions is made of: the way to have no more
 * than four that takes least, if a difference grows with the distance as it
 * does along real runs (codec/README.md). */
static unsigned fast_depth(unsigned generation)
{
	static const char depths[] = "0123412342343412342343441234234344234344"
				     "123423434234344234344344";

	return (unsigned)(depths[generation] - '0');
}

static unsigned dense_depth(unsigned generation)
{
	unsigned sum = 0;

	for (; generation; generation /= DENSE_RADIX)
		sum += generation % DENSE_RADIX;
	return sum;
}

/* By the links that there are: a chain may have been begun by other rules. */
bool storage_next_base(const struct storage_chain *chain, bool dense,
		       unsigned *link, unsigned *generation)
{
	unsigned next = chain->links[0].generation + 1, depth, i = 0;

	if (next >= WHOLE_EACH)
		return false;
	depth = dense ? dense_depth(next) : fast_depth(next);
	while (chain->n - 1 - i >= depth)
		i++;
	*link = i;
	*generation = next;
	return true;
}

enum wh_status storage_dependencies(struct db *db, int64_t id, int64_t *ids,
				    unsigned *n, struct wh_error *err)
{
	struct storage_chain chain;
	unsigned i;

	WH_TRY(storage_chain_get(db, id, &chain, err));
	for (i = 1; i < chain.n; i++)
		ids[i - 1] = chain.links[i].id;
	*n = chain.n - 1;
	return WH_OK;
}
