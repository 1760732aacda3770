/* A publication's files: their bytes, and their digests, which are known before
 * a file is sent or, where the place needs none, come while it is. */
#include "publish/publication_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/sha256.h"
#include "base/text.h"

#define PIECE ((size_t)1 << 20)

/* ---- Reading --------------------------------------------------------------
 */

static enum wh_status read_file(void *arg, uint64_t offset, void *buf,
				size_t len, struct wh_error *err)
{
	struct publish_file *file = arg;

	if (file->plan)
		return wh_plan_read(file->plan, file->image, offset, buf, len,
				    err);
	memcpy(buf, file->bytes.data + offset, len);
	return WH_OK;
}

struct content content_of(struct publish_file *file)
{
	struct content content = {.path = file->path,
				  .size = file->size,
				  .no_digest = !file->hashed,
				  .immutable = true,
				  .read = read_file,
				  .arg = file};

	memcpy(content.sha256, file->sha256, DIGEST_SIZE);
	return content;
}

/* ---- Digests --------------------------------------------------------------
 */

/* The rest of it, from `offset`, and all is hashed. */
static enum wh_status hash_rest(struct publish_file *file, struct sha256 *hash,
				uint64_t offset, struct wh_error *err)
{
	uint8_t *piece wh_free_auto = malloc(PIECE);

	if (!piece)
		return wh_fail_memory(err);
	while (offset < file->size) {
		uint64_t left = file->size - offset;
		size_t len = (size_t)(left < PIECE ? left : PIECE);

		WH_TRY(read_file(file, offset, piece, len, err));
		WH_TRY(sha256_update(hash, piece, len, err));
		offset += len;
	}
	WH_TRY(sha256_final(hash, file->sha256, err));
	file->hashed = true;
	return WH_OK;
}

enum wh_status hash_file(struct publish_file *file, struct wh_error *err)
{
	struct sha256 *hash;
	enum wh_status status;

	WH_TRY(sha256_new(&hash, err));
	status = hash_rest(file, hash, 0, err);
	sha256_free(hash);
	return status;
}

static void note_digest(struct running *running,
			const struct publish_file *file)
{
	char hex[HEX_SIZE];

	text_hex(file->sha256, DIGEST_SIZE, hex);
	journal_put(running->place->journal, file->path, "sha256", hex);
}

/* The journal knows the digests of a publication that was cut off: the same
 * snapshot, format and options give the same bytes. */
static bool recall_digest(struct running *running, struct publish_file *file)
{
	char hex[HEX_SIZE];

	if (!file->hashed && journal_get(running->place->journal, file->path,
					 "sha256", hex, sizeof(hex)))
		file->hashed = text_unhex(hex, file->sha256, DIGEST_SIZE);
	return file->hashed;
}

enum wh_status hash_now(struct running *running, struct publish_file *file,
			struct wh_error *err)
{
	if (recall_digest(running, file))
		return WH_OK;
	WH_TRY(hash_file(file, err));
	note_digest(running, file);
	return WH_OK;
}

bool is_large(const struct place *place, const struct publish_file *file)
{
	return place->part_size && file->size > place->part_size;
}

/* Parts go side by side, in no order that a hash could follow. */
bool hashed_when_sent(const struct running *running,
		      const struct publish_file *file)
{
	return running->place->hashes_late && !running->options->dry_run &&
	       !is_large(running->place, file);
}

/* ---- Hashed as it is sent -------------------------------------------------
 */

/* Of a file that is being sent, the bytes up to `at` are hashed. */
struct passing {
	struct publish_file *file;
	struct sha256 *hash;
	uint64_t at;
};

/* A try that is repeated reads again what is hashed. */
static enum wh_status read_and_hash(void *arg, uint64_t offset, void *buf,
				    size_t len, struct wh_error *err)
{
	struct passing *passing = arg;
	const uint8_t *bytes = buf;
	uint64_t known = passing->at - offset;

	WH_TRY(read_file(passing->file, offset, buf, len, err));
	if (offset > passing->at || known >= len)
		return WH_OK;
	WH_TRY(sha256_update(passing->hash, bytes + known, len - (size_t)known,
			     err));
	passing->at = offset + len;
	return WH_OK;
}

/* One pass over the store does for both. */
enum wh_status send_and_hash(struct running *running, struct publish_file *file,
			     struct wh_error *err)
{
	struct content content = content_of(file);
	struct passing passing = {.file = file};
	enum wh_status status;

	WH_TRY(sha256_new(&passing.hash, err));
	content.read = read_and_hash;
	content.arg = &passing;
	status = running->place->kind->put(running->place, &content, err);
	if (!status)
		status = hash_rest(file, passing.hash, passing.at, err);
	sha256_free(passing.hash);
	if (!status)
		note_digest(running, file);
	return status;
}
