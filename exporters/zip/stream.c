#include "zip/stream.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/crc.h"
#include "base/write.h"
#include "zip/layout.h"

#define PIECE ((size_t)64 << 10)
/* Weights that were not trained yet are zeros and pack well; more than this
 * of both is a bomb. Deflate itself can't exceed 1032 times. */
#define UNPACK_FREELY (UINT64_C(256) << 20)
#define MAX_RATIO     100

struct zip_stream {
	const struct zip_archive *archive;
	const struct zip_member *member;
	uint64_t packed_at, at; /* bytes taken of the data, bytes given */
	uint32_t crc;
	z_stream inflate;
	bool inflating; /* `inflate` is to be ended */
	bool ended;	/* it has seen the last of the packed data */
	uint8_t packed[PIECE], scrap[PIECE];
};

static enum wh_status fail_member(const struct zip_stream *stream,
				  const char *what, struct wh_error *err)
{
	return wh_fail(err, WH_ECORRUPT, "zip member '%s': %s",
		       stream->member->name, what);
}

static enum wh_status check_member(const struct zip_member *member,
				   struct wh_error *err)
{
	if (member->encrypted)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "the zip member '%s' is encrypted",
			       member->name);
	if (member->method != ZIP_STORED && member->method != ZIP_DEFLATED)
		return wh_fail(err, WH_EUNSUPPORTED,
			       "the zip member '%s' is packed by method %u; "
			       "stored and deflated ones are read",
			       member->name, member->method);
	if (member->size > UNPACK_FREELY &&
	    member->size / MAX_RATIO > member->packed)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip member '%s': %llu stored bytes would "
			       "unpack to %llu",
			       member->name, (unsigned long long)member->packed,
			       (unsigned long long)member->size);
	return WH_OK;
}

/* A raw deflate stream: no zlib header, so the window size is negative. */
static enum wh_status begin(struct zip_stream *stream, struct wh_error *err)
{
	stream->packed_at = stream->at = 0;
	stream->crc = 0;
	stream->ended = false;
	if (stream->member->method != ZIP_DEFLATED)
		return WH_OK;
	stream->inflate.avail_in = 0;
	if (stream->inflating)
		return inflateReset(&stream->inflate) == Z_OK
			       ? WH_OK
			       : wh_fail_memory(err);
	if (inflateInit2(&stream->inflate, -MAX_WBITS) != Z_OK)
		return wh_fail_memory(err);
	stream->inflating = true;
	return WH_OK;
}

enum wh_status zip_stream_open(const struct zip_archive *archive,
			       const struct zip_member *member,
			       struct zip_stream **out, struct wh_error *err)
{
	wh_auto(zip_stream) stream = NULL;

	WH_TRY(check_member(member, err));
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return wh_fail_memory(err);
	stream->archive = archive;
	stream->member = member;
	WH_TRY(begin(stream, err));
	*out = wh_steal(&stream);
	return WH_OK;
}

void zip_stream_close(struct zip_stream *stream)
{
	if (stream && stream->inflating)
		inflateEnd(&stream->inflate);
	free(stream);
}

uint64_t zip_stream_tell(const struct zip_stream *stream)
{
	return stream->at;
}

static enum wh_status refill(struct zip_stream *stream, struct wh_error *err)
{
	uint64_t left = stream->member->packed - stream->packed_at;
	size_t some = left < PIECE ? (size_t)left : PIECE;

	if (some == 0)
		return fail_member(stream, "its packed data ends too early",
				   err);
	WH_TRY(zip_pread(stream->archive,
			 stream->member->offset + stream->packed_at,
			 stream->packed, some, err));
	stream->packed_at += some;
	stream->inflate.next_in = stream->packed;
	stream->inflate.avail_in = (uInt)some;
	return WH_OK;
}

/* Unpacks up to `len` bytes, at most a piece; `*got` says how many. */
static enum wh_status unpack_some(struct zip_stream *stream, uint8_t *out,
				  size_t len, size_t *got, struct wh_error *err)
{
	uInt some = (uInt)(len < PIECE ? len : PIECE);
	int done;

	if (stream->inflate.avail_in == 0)
		WH_TRY(refill(stream, err));
	stream->inflate.next_out = out;
	stream->inflate.avail_out = some;
	done = inflate(&stream->inflate, Z_NO_FLUSH);
	*got = some - stream->inflate.avail_out;
	stream->ended = done == Z_STREAM_END;
	if (done != Z_OK && done != Z_STREAM_END && done != Z_BUF_ERROR)
		return fail_member(stream, "its packed data is damaged", err);
	return WH_OK;
}

static enum wh_status read_deflated(struct zip_stream *stream, uint8_t *out,
				    size_t len, struct wh_error *err)
{
	size_t got;

	while (len) {
		if (stream->ended)
			return fail_member(
				stream, "it unpacks to less than it says", err);
		WH_TRY(unpack_some(stream, out, len, &got, err));
		out += got;
		len -= got;
	}
	return WH_OK;
}

/* Behind the last byte the packed stream must end, and the data with it. */
static enum wh_status expect_end(struct zip_stream *stream,
				 struct wh_error *err)
{
	uint8_t extra;
	size_t got = 0;

	while (!stream->ended && got == 0)
		WH_TRY(unpack_some(stream, &extra, 1, &got, err));
	if (got || stream->inflate.avail_in ||
	    stream->packed_at != stream->member->packed)
		return fail_member(stream, "it unpacks to more than it says",
				   err);
	return WH_OK;
}

static enum wh_status check_whole(struct zip_stream *stream,
				  struct wh_error *err)
{
	if (stream->member->method == ZIP_DEFLATED)
		WH_TRY(expect_end(stream, err));
	if (stream->crc != stream->member->crc32)
		return fail_member(stream,
				   "its bytes don't have the CRC-32 that the "
				   "directory says",
				   err);
	return WH_OK;
}

enum wh_status zip_stream_read(struct zip_stream *stream, void *buf, size_t len,
			       struct wh_error *err)
{
	const struct zip_member *member = stream->member;

	if (len > member->size - stream->at)
		return wh_fail(err, WH_EINVAL, "zip member '%s' has %llu bytes",
			       member->name, (unsigned long long)member->size);
	if (member->method == ZIP_DEFLATED)
		WH_TRY(read_deflated(stream, buf, len, err));
	else
		WH_TRY(zip_pread(stream->archive, member->offset + stream->at,
				 buf, len, err));
	stream->crc = crc32_update(stream->crc, buf, len);
	stream->at += len;
	return stream->at == member->size ? check_whole(stream, err) : WH_OK;
}

enum wh_status zip_stream_seek(struct zip_stream *stream, uint64_t offset,
			       struct wh_error *err)
{
	if (offset < stream->at)
		WH_TRY(begin(stream, err));
	while (stream->at < offset) {
		uint64_t left = offset - stream->at;
		size_t some = left < PIECE ? (size_t)left : PIECE;

		WH_TRY(zip_stream_read(stream, stream->scrap, some, err));
	}
	return WH_OK;
}

enum wh_status zip_read_all(const struct zip_archive *archive,
			    const struct zip_member *member, uint64_t limit,
			    struct wh_buf *out, struct wh_error *err)
{
	wh_auto(zip_stream) stream = NULL;
	size_t size = (size_t)member->size;

	if (member->size > limit)
		return wh_fail(err, WH_ECORRUPT,
			       "the zip member '%s' has %llu bytes; at most "
			       "%llu are read",
			       member->name, (unsigned long long)member->size,
			       (unsigned long long)limit);
	WH_TRY(zip_stream_open(archive, member, &stream, err));
	/* One more: an empty member, too, is read to a place. */
	WH_TRY(wh_buf_reserve(out, size + 1, err));
	WH_TRY(zip_stream_read(stream, out->data + out->size, size, err));
	out->size += size;
	return WH_OK;
}

enum wh_status zip_unpack(const struct zip_archive *archive,
			  const struct zip_member *member, int fd,
			  struct wh_error *err)
{
	wh_auto(zip_stream) stream = NULL;

	WH_TRY(zip_stream_open(archive, member, &stream, err));
	while (stream->at < member->size) {
		uint64_t left = member->size - stream->at;
		size_t some = left < PIECE ? (size_t)left : PIECE;

		WH_TRY(zip_stream_read(stream, stream->scrap, some, err));
		if (!write_on(fd, stream->scrap, some))
			return wh_fail_errno(err, errno,
					     "can't unpack to a temporary "
					     "file");
	}
	return WH_OK;
}
