/* canonical.h: the texts whose SHA-256 are the identities of layers, trees
 * and snapshots, and the texts in which graphs, attributes and templates are
 * stored. Their grammar: README.md, "Canonical texts".
 */
#ifndef WH_STORE_CANONICAL_H
#define WH_STORE_CANONICAL_H

#include "base/arena.h"
#include "base/buf.h"
#include <weighhouse/source.h>

/** `weighhouse layer 1`: tensors must be weighed. */
enum wh_status canonical_layer(struct wh_buf *out,
			       const struct wh_manifest *manifest,
			       const struct wh_layer *layer,
			       struct wh_error *err);

struct canonical_place {
	uint8_t layer[WH_SHA256_SIZE];
	uint32_t container; /* position, or WH_NO_LAYER */
};
/** `weighhouse tree 1`; the digests of graph and attributes may be NULL. */
enum wh_status canonical_tree(struct wh_buf *out, const uint8_t *graph,
			      const uint8_t *attributes,
			      const struct canonical_place *places, uint32_t n,
			      struct wh_error *err);

struct canonical_snapshot {
	const uint8_t *tree;
	const uint8_t *parent;	  /* or NULL */
	const uint8_t *template_; /* or NULL */
	const char *template_format;
	int64_t time;
	const char *run_uuid;
	bool has_step, has_epoch;
	int64_t step, epoch;
	const char *origin_format, *origin_generator; /* or NULL */
	const char *message;
};
/** `weighhouse snapshot 1`. */
enum wh_status canonical_snapshot(struct wh_buf *out,
				  const struct canonical_snapshot *snapshot,
				  struct wh_error *err);

enum wh_status canonical_graph(struct wh_buf *out, const struct wh_graph *graph,
			       struct wh_error *err);
/** Reads it back; WH_ECORRUPT. Everything is allocated in `arena`. */
enum wh_status canonical_read_graph(const char *text, size_t len,
				    struct arena *arena,
				    struct wh_graph **graph,
				    struct wh_error *err);

enum wh_status canonical_attributes(struct wh_buf *out,
				    const struct wh_manifest *manifest,
				    struct wh_error *err);
enum wh_status canonical_read_attributes(const char *text, size_t len,
					 struct arena *arena,
					 struct wh_attribute **attributes,
					 uint32_t *n, struct wh_error *err);

/** Extents name tensors by their place in the model's order (core/order.h),
 *  the skeleton by `-`, so that epochs of one model share the text. */
enum wh_status canonical_template(struct wh_buf *out,
				  const struct wh_manifest *manifest,
				  struct wh_error *err);
enum wh_status canonical_read_template(const char *text, size_t len,
				       uint32_t n_tensors, struct arena *arena,
				       struct wh_template **template_,
				       struct wh_error *err);

/* ---- Lines (canonical_line.c) ------------------------------------------ */

/** Appends a value with `\\`, `\n`, `\r` and other control bytes as `\xHH`. */
enum wh_status line_escape(struct wh_buf *out, const char *value, size_t len,
			   struct wh_error *err);
/** "WORD VALUE\n"; nothing for a NULL value. */
enum wh_status line_field(struct wh_buf *out, const char *word,
			  const char *value, struct wh_error *err);
enum wh_status line_digest(struct wh_buf *out, const char *word,
			   const uint8_t *digest, struct wh_error *err);

/** "WORD 12" and what comes after it. */
enum wh_status line_number(struct wh_buf *out, const char *word, uint64_t value,
			   const char *after, struct wh_error *err);

/** Walks a text line by line; fields are cut in place by tabs. */
struct line_reader {
	const char *at, *end;
	struct arena *arena;
	const char *word; /* of the line */
	char *value;	  /* what follows the blank, still escaped; or "" */
};
/** False at the end, or WH_ECORRUPT in `*status` for a line without LF. */
bool line_next(struct line_reader *reader, enum wh_status *status,
	       struct wh_error *err);
/** Cuts `value` at tabs into exactly `n` unescaped fields. */
enum wh_status line_fields(struct line_reader *reader, char **fields,
			   size_t *sizes, uint32_t n, struct wh_error *err);
enum wh_status line_bad(const struct line_reader *reader, struct wh_error *err);

#endif
