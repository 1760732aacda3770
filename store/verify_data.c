/* Payloads: decoded, and held against what the tensors' rows say of them. */
#include "verify.h"

#include <string.h>

#include "base/crc.h"
#include "base/text.h"
#include "chunk.h"
#include "store.h"
#include "tensor.h"

struct stored {
	int64_t id, storage;
	uint64_t nbytes;
	uint8_t sha256[WH_SHA256_SIZE];
	uint32_t crc32c, crc32;
};

/* The payload's own digests, read through storage and codec. */
static enum wh_status hash_payload(struct verification *all,
				   const struct stored *tensor,
				   struct stored *found, struct wh_error *err)
{
	uint64_t offset = 0;

	found->crc32c = found->crc32 = 0;
	WH_TRY(storage_check(all->db, tensor->storage, tensor->nbytes, err));
	WH_TRY(sha256_reset(all->hash, err));
	while (offset < tensor->nbytes) {
		uint64_t left = tensor->nbytes - offset;
		size_t some = (size_t)(left < CHUNK_SIZE ? left : CHUNK_SIZE);

		WH_TRY(chunk_pool_read(all->pool, tensor->storage,
				       tensor->nbytes, offset, all->buffer,
				       some, err));
		WH_TRY(sha256_update(all->hash, all->buffer, some, err));
		found->crc32c = crc32c_update(found->crc32c, all->buffer, some);
		found->crc32 = crc32_update(found->crc32, all->buffer, some);
		all->result->checked_bytes += some;
		WH_TRY(verify_report(all, err));
		offset += some;
	}
	return sha256_final(all->hash, found->sha256, err);
}

static enum wh_status compare_digests(const struct stored *tensor,
				      const struct stored *found,
				      struct wh_error *err)
{
	const char *what = NULL;

	if (memcmp(found->sha256, tensor->sha256, WH_SHA256_SIZE) != 0)
		what = "SHA-256";
	else if (found->crc32c != tensor->crc32c)
		what = "CRC-32C";
	else if (found->crc32 != tensor->crc32)
		what = "CRC-32";
	if (!what)
		return WH_OK;
	return wh_fail(err, WH_ECORRUPT, "its payload is not of its %s", what);
}

/* Which snapshot, layer and weight a damaged tensor is, if any still is. */
static void name_owner(struct verification *all, const struct stored *tensor,
		       struct wh_error *found)
{
	char id[WH_ID_SIZE];
	struct stmt *stmt;
	bool row;

	text_hex(tensor->sha256, sizeof(tensor->sha256), id);
	wh_error_prefix(found, "tensor %.12s", id);
	if (db_stmt(all->db, STMT_TENSOR_OWNER, &stmt, NULL))
		return;
	stmt_integer(stmt, 1, tensor->id);
	if (stmt_step(stmt, &row, NULL))
		return;
	if (row && column_hex(stmt, 0, id))
		wh_error_prefix(found, "snapshot %.12s: layer '%s': '%s'", id,
				column_text_or_empty(stmt, 1),
				column_text_or_empty(stmt, 2));
	stmt_reset(stmt);
}

static enum wh_status check_payload(struct verification *all,
				    const struct stored *tensor,
				    struct wh_error *err)
{
	struct wh_error found = {0};
	struct stored digests;
	enum wh_status status = hash_payload(all, tensor, &digests, &found);

	all->result->n_tensors++;
	if (!status)
		status = compare_digests(tensor, &digests, &found);
	if (status && !verify_is_there(all->db, STMT_MARK_TENSOR, tensor->id,
				       tensor->storage))
		return WH_OK;
	if (status == WH_ECORRUPT) {
		struct damaged one = {.tensor = tensor->id,
				      .storage = tensor->storage};

		memcpy(one.sha256, tensor->sha256, sizeof(one.sha256));
		WH_TRY(verify_note_damage(all, &one, err));
	}
	if (status == WH_ECORRUPT || status == WH_EUNSUPPORTED)
		name_owner(all, tensor, &found);
	status = verify_tell(all, status, &found);
	if (status && err)
		*err = found;
	return status;
}

/* From 0 to below 1. xorshift64*, Vigna 2016: a sample need not be
 * unpredictable. */
static double draw(struct verification *all)
{
	all->chance ^= all->chance >> 12;
	all->chance ^= all->chance << 25;
	all->chance ^= all->chance >> 27;
	return (double)((all->chance * UINT64_C(2685821657736338717)) >> 11) *
	       0x1p-53;
}

static bool is_sampled(struct verification *all)
{
	double share = all->options->sample;

	return !(share > 0 && share < 1) || draw(all) < share;
}

static enum wh_status read_batch(struct verification *all, int64_t above,
				 struct stored *batch, size_t room, size_t *n,
				 struct wh_error *err)
{
	AUTO_STMT *stmt = NULL;
	bool row;

	*n = 0;
	WH_TRY(db_stmt(all->db,
		       all->snapshot_id ? STMT_VERIFY_TENSORS_OF_SNAPSHOT
					: STMT_VERIFY_TENSORS,
		       &stmt, err));
	stmt_integer(stmt, 1, above);
	if (all->snapshot_id)
		stmt_integer(stmt, 2, all->snapshot_id);
	while (*n < room) {
		struct stored *tensor = &batch[*n];

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		tensor->id = column_integer(stmt, 0);
		memset(tensor->sha256, 0, sizeof(tensor->sha256));
		column_digest(stmt, 1, tensor->sha256);
		tensor->nbytes = (uint64_t)column_integer(stmt, 2);
		tensor->crc32c = (uint32_t)column_integer(stmt, 3);
		tensor->crc32 = (uint32_t)column_integer(stmt, 4);
		tensor->storage = column_integer(stmt, 5);
		++*n;
	}
	return WH_OK;
}

/* Of all that were seen any one, each as likely as the others. */
struct drawn {
	struct stored any;
	size_t n_seen, n_read;
};

static enum wh_status check_sampled(struct verification *all,
				    const struct stored *tensor,
				    struct drawn *drawn, struct wh_error *err)
{
	if (draw(all) * (double)++drawn->n_seen < 1)
		drawn->any = *tensor;
	if (is_sampled(all)) {
		drawn->n_read++;
		WH_TRY(check_payload(all, tensor, err));
	}
	all->tensor_at = tensor->id;
	return WH_OK;
}

/* Of a sample at least one, however few there are. */
enum wh_status verify_payloads(struct verification *all, struct wh_error *err)
{
	struct stored batch[256];
	struct drawn drawn = {0};
	size_t n, i;

	do {
		WH_TRY(read_batch(all, all->tensor_at, batch, 256, &n, err));
		for (i = 0; i < n; i++) {
			if (verify_time_is_over(all))
				return WH_OK;
			WH_TRY(check_sampled(all, &batch[i], &drawn, err));
		}
	} while (n);
	return drawn.n_seen && !drawn.n_read
		       ? check_payload(all, &drawn.any, err)
		       : WH_OK;
}
