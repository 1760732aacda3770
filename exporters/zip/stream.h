/* zip/stream.h: the bytes of one member, from first to last. */
#ifndef WH_ZIP_STREAM_H
#define WH_ZIP_STREAM_H

#include "base/auto.h"
#include "zip/read.h"
#include <weighhouse/buffer.h>

struct zip_stream;

/** Begins to read a member, stored or deflated. Takes 128 KiB. WH_EUNSUPPORTED
 *  for other methods and encryption; WH_ECORRUPT where a deflated one declares
 *  over 256 MiB and over 100 times its stored bytes. The caller ends it with
 *  zip_stream_close, which takes NULL; `archive` and `member` outlive it. */
enum wh_status zip_stream_open(const struct zip_archive *archive,
			       const struct zip_member *member,
			       struct zip_stream **stream,
			       struct wh_error *err);
void zip_stream_close(struct zip_stream *stream);
WH_DEFINE_AUTO(zip_stream, zip_stream_close);

/** The next `len` bytes; no short reads. What gives the member's last byte
 *  also checks that the data ends there and has the CRC-32 that the directory
 *  says. WH_ECORRUPT; WH_EINVAL past the end. */
enum wh_status zip_stream_read(struct zip_stream *stream, void *buf, size_t len,
			       struct wh_error *err);

/** How many bytes have been read. */
uint64_t zip_stream_tell(const struct zip_stream *stream);

/** Goes on reading at byte `offset`: forward by unpacking what is between,
 *  back by beginning again. */
enum wh_status zip_stream_seek(struct zip_stream *stream, uint64_t offset,
			       struct wh_error *err);

/** Appends a whole member of at most `limit` bytes to `out`; WH_ECORRUPT if
 *  it is larger. */
enum wh_status zip_read_all(const struct zip_archive *archive,
			    const struct zip_member *member, uint64_t limit,
			    struct wh_buf *out, struct wh_error *err);

/** Unpacks a whole member into the file `fd`, from its position on. */
enum wh_status zip_unpack(const struct zip_archive *archive,
			  const struct zip_member *member, int fd,
			  struct wh_error *err);

#endif
