/* Large files in parts: Create, PUT each part, Complete.
 *
 * The upload's id is in the journal, so a rerun asks the server which parts it
 * has and sends the others. An upload that is given up is aborted: its parts
 * would cost its owner money.
 */
#include "publish/s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/sha256.h"
#include "base/text.h"
#include "publish/transfers.h"

#define MAX_PARTS 10000u
#define ALIGN	  ((uint64_t)1 << 20)
#define PIECE	  ((size_t)1 << 20)
#define MAX_ID	  1100

struct part {
	char etag[128]; /* "" until it is there */
};

struct upload {
	struct s3_place *place;
	const struct content *content;
	uint64_t part_size;
	size_t n;
	struct part *parts;
	char id[MAX_ID];
};

/* 16 MiB, or more so that 10,000 do. */
static uint64_t choose_part_size(const struct content *content,
				 uint64_t smallest)
{
	uint64_t wanted = content->size / MAX_PARTS + 1;

	wanted = (wanted + ALIGN - 1) / ALIGN * ALIGN;
	return wanted > smallest ? wanted : smallest;
}

static enum wh_status query_of(const struct upload *upload, const char *before,
			       struct wh_buf *query, struct wh_error *err)
{
	WH_TRY(wh_buf_printf(query, err, "%suploadId=", before));
	WH_TRY(http_escape(query, upload->id, true, err));
	return wh_buf_append(query, "", 1, err);
}

/* ---- Beginning ------------------------------------------------------------
 */

static enum wh_status create(struct upload *upload, struct wh_error *err)
{
	char digest[96];
	const char *headers[] = {
		"Content-Type: application/octet-stream", digest,
		"Cache-Control: public, max-age=31536000, immutable", NULL};
	struct s3_request request = {.method = "POST",
				     .path = upload->content->path,
				     .query = "uploads=",
				     .headers = headers};
	struct http_response response;
	enum wh_status status = WH_OK;

	s3_digest_header(upload->content, digest);
	WH_TRY(s3_send(upload->place, &request, &response, err));
	if (response.status != 200 || !http_xml(&response.body, "UploadId",
						upload->id, sizeof(upload->id)))
		status = s3_refused(upload->place, &request, &response, err);
	http_response_free(&response);
	if (!status)
		journal_put(upload->place->base.journal, upload->content->path,
			    "upload", upload->id);
	return status;
}

static uint64_t size_of(const struct upload *upload, size_t index)
{
	uint64_t offset = index * upload->part_size;
	uint64_t left = upload->content->size - offset;

	return left < upload->part_size ? left : upload->part_size;
}

static void take_parts(struct upload *upload, const struct wh_buf *body)
{
	char number[32], size[32], etag[128];
	uint64_t index, nbytes;
	struct wh_buf part;
	size_t at = 0;

	while (s3_next(body, &at, "Part", &part))
		if (http_xml(&part, "PartNumber", number, sizeof(number)) &&
		    http_xml(&part, "Size", size, sizeof(size)) &&
		    http_xml(&part, "ETag", etag, sizeof(etag)) &&
		    text_to_u64(number, &index) && index >= 1 &&
		    index <= upload->n && text_to_u64(size, &nbytes) &&
		    nbytes == size_of(upload, (size_t)index - 1))
			memcpy(upload->parts[index - 1].etag, etag,
			       sizeof(etag));
}

/* The part that the next page begins behind; 0: there is none. A page that
 * goes on before its own beginning is the last, too: what isn't listed is sent
 * again. */
static uint64_t next_page(const struct http_response *response, uint64_t behind)
{
	char marker[32], truncated[8];
	uint64_t next;

	if (!http_xml(&response->body, "IsTruncated", truncated,
		      sizeof(truncated)) ||
	    strcmp(truncated, "true") != 0 ||
	    !http_xml(&response->body, "NextPartNumberMarker", marker,
		      sizeof(marker)) ||
	    !text_to_u64(marker, &next))
		return 0;
	return next > behind && next <= MAX_PARTS ? next : 0;
}

/* Which parts the server has; `*known` false if it doesn't know the upload. */
static enum wh_status list_parts(struct upload *upload, bool *known,
				 struct wh_error *err)
{
	char before[64] = "";
	uint64_t behind = 0;

	do {
		struct s3_request request = {.method = "GET",
					     .path = upload->content->path};
		struct wh_buf query wh_buf_auto = {0};
		struct http_response response;
		enum wh_status status = WH_OK;

		WH_TRY(query_of(upload, before, &query, err));
		request.query = (const char *)query.data;
		WH_TRY(s3_send(upload->place, &request, &response, err));
		*known = response.status == 200;
		if (*known)
			take_parts(upload, &response.body);
		else if (response.status != 404)
			status = s3_refused(upload->place, &request, &response,
					    err);
		behind = *known ? next_page(&response, behind) : 0;
		snprintf(before, sizeof(before), "part-number-marker=%llu&",
			 (unsigned long long)behind);
		http_response_free(&response);
		WH_TRY(status);
	} while (behind);
	return WH_OK;
}

static enum wh_status begin(struct upload *upload, struct wh_error *err)
{
	struct journal *journal = upload->place->base.journal;
	bool known = false;

	if (journal_get(journal, upload->content->path, "upload", upload->id,
			sizeof(upload->id)))
		WH_TRY(list_parts(upload, &known, err));
	return known ? WH_OK : create(upload, err);
}

/* ---- Parts ----------------------------------------------------------------
 */

static enum wh_status hash_part(const struct http_body *body,
				char hash[S3_HASH_SIZE], struct wh_error *err)
{
	uint8_t *piece wh_free_auto = malloc(PIECE);
	uint8_t digest[SHA256_SIZE];
	struct sha256 *sum;
	enum wh_status status = WH_OK;
	uint64_t at;

	if (!piece)
		return wh_fail_memory(err);
	WH_TRY(sha256_new(&sum, err));
	for (at = 0; at < body->size && !status; at += PIECE) {
		uint64_t left = body->size - at;
		size_t len = (size_t)(left < PIECE ? left : PIECE);

		status = body->read(body->arg, body->offset + at, piece, len,
				    err);
		if (!status)
			status = sha256_update(sum, piece, len, err);
	}
	if (!status)
		status = sha256_final(sum, digest, err);
	sha256_free(sum);
	if (!status)
		text_hex(digest, sizeof(digest), hash);
	return status;
}

static enum wh_status put_part(void *arg, size_t index, struct wh_error *err)
{
	struct upload *upload = arg;
	const struct content *content = upload->content;
	struct http_body body = content_body(content);
	char before[40], hash[S3_HASH_SIZE];
	struct s3_request request = {.method = "PUT",
				     .path = content->path,
				     .body = &body,
				     .hash = hash};
	struct wh_buf query wh_buf_auto = {0};
	struct http_response response;
	enum wh_status status = WH_OK;

	if (*upload->parts[index].etag)
		return WH_OK;
	body.offset = index * upload->part_size;
	body.size = size_of(upload, index);
	snprintf(before, sizeof(before), "partNumber=%zu&", index + 1);
	WH_TRY(query_of(upload, before, &query, err));
	request.query = (const char *)query.data;
	WH_TRY(hash_part(&body, hash, err));
	WH_TRY(s3_send(upload->place, &request, &response, err));
	if (response.status != 200 ||
	    !http_header(&response, "ETag", upload->parts[index].etag,
			 sizeof(upload->parts[index].etag)))
		status = s3_refused(upload->place, &request, &response, err);
	http_response_free(&response);
	return status;
}

/* ---- Ending ---------------------------------------------------------------
 */

static enum wh_status print_parts(const struct upload *upload,
				  struct wh_buf *xml, struct wh_error *err)
{
	size_t i;

	WH_TRY(wh_buf_printf(xml, err, "<CompleteMultipartUpload>"));
	for (i = 0; i < upload->n; i++) {
		const char *etag = upload->parts[i].etag;

		WH_TRY(wh_buf_printf(xml, err,
				     "<Part><PartNumber>%zu"
				     "</PartNumber><ETag>",
				     i + 1));
		for (; *etag; etag++)
			WH_TRY(*etag == '"' ? wh_buf_printf(xml, err, "&quot;")
					    : wh_buf_append(xml, etag, 1, err));
		WH_TRY(wh_buf_printf(xml, err, "</ETag></Part>"));
	}
	return wh_buf_printf(xml, err, "</CompleteMultipartUpload>");
}

/* A 200 may carry an <Error>: the reply began before the work was done. And a
 * second Complete, after a reply that was lost, says NoSuchUpload. */
static enum wh_status judge_complete(struct upload *upload,
				     const struct s3_request *request,
				     const struct http_response *response,
				     bool *again, struct wh_error *err)
{
	struct s3_arrival arrival = {upload->place, upload->content};
	bool arrived;

	*again = false;
	if (response->arrived ||
	    (response->status == 200 &&
	     memmem(response->body.data, response->body.size,
		    "CompleteMultipartUploadResult", 29)))
		return WH_OK;
	WH_TRY(s3_has_arrived(&arrival, &arrived, err));
	if (arrived)
		return WH_OK;
	*again = response->status == 200 && s3_is(response, "InternalError");
	return s3_refused(upload->place, request, response, err);
}

static enum wh_status complete(struct upload *upload, struct wh_error *err)
{
	struct wh_buf query wh_buf_auto = {0}, xml wh_buf_auto = {0};
	char hash[S3_HASH_SIZE];
	struct http_body body = {.read = read_memory};
	struct s3_arrival arrival = {upload->place, upload->content};
	struct s3_request request = {.method = "POST",
				     .path = upload->content->path,
				     .body = &body,
				     .hash = hash,
				     .arrived = s3_has_arrived,
				     .arrived_arg = &arrival};
	struct http_response response;
	enum wh_status status = WH_OK;
	bool again = true;
	int tries;

	WH_TRY(print_parts(upload, &xml, err));
	body.arg = xml.data;
	body.size = xml.size;
	WH_TRY(hash_part(&body, hash, err));
	WH_TRY(query_of(upload, "", &query, err));
	request.query = (const char *)query.data;
	for (tries = 0; again && tries < 3; tries++) {
		WH_TRY(s3_send(upload->place, &request, &response, err));
		status = judge_complete(upload, &request, &response, &again,
					err);
		http_response_free(&response);
	}
	if (again)
		wh_error_prefix(err, "the server can't join the parts");
	return status;
}

static void give_up(struct upload *upload)
{
	struct wh_buf query wh_buf_auto = {0};
	struct s3_request request = {.method = "DELETE",
				     .path = upload->content->path};
	struct http_response response;

	journal_forget(upload->place->base.journal, upload->content->path);
	if (!*upload->id || query_of(upload, "", &query, NULL))
		return;
	request.query = (const char *)query.data;
	if (!s3_send(upload->place, &request, &response, NULL))
		http_response_free(&response);
}

/* What the server refused won't be taken later either; a server that is down or
 * has too much to do, a line that was cut, or Ctrl-C, leaves parts that the
 * next run goes on with. */
static bool is_final(enum wh_status status, const struct wh_error *err)
{
	return status != WH_ECANCELLED &&
	       (!err || http_is_final(err->http_status));
}

static enum wh_status run(struct upload *upload, struct wh_error *err)
{
	struct transfers transfers = {
		.n = upload->n,
		.parallel = upload->place->base.parallel,
		.transfer = put_part,
		.arg = upload,
		.meter = upload->place->base.meter,
	};
	enum wh_status status = begin(upload, err);

	if (!status)
		status = transfers_run(&transfers, err);
	if (!status)
		status = complete(upload, err);
	if (status && is_final(status, err))
		give_up(upload);
	if (!status)
		journal_forget(upload->place->base.journal,
			       upload->content->path);
	return status;
}

enum wh_status s3_upload(struct s3_place *place, const struct content *content,
			 struct wh_error *err)
{
	struct upload upload = {.place = place, .content = content};
	enum wh_status status;

	upload.part_size = choose_part_size(content, place->base.part_size);
	upload.n = (size_t)((content->size + upload.part_size - 1) /
			    upload.part_size);
	upload.parts = calloc(upload.n, sizeof(*upload.parts));
	if (!upload.parts)
		return wh_fail_memory(err);
	status = run(&upload, err);
	free(upload.parts);
	return status;
}
