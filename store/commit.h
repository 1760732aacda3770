/* commit.h: the steps of a commit, in the order in which they run.
 *
 *	weigh     digests of every tensor of the source and of the texts, but
 *		  of large tensors that are likely new (commit_eager.c)
 *	identify  canonical texts of layers: which of them the store lacks
 *	look      what seems wrong against the parent (alarm.c)
 *	base      older versions of tensors that it lacks (commit_base.c)
 *	store     their payloads, as chunks that nothing names yet
 *		  (commit_store.c); small ones wait in memory
 *		  (commit_small.c)
 *	publish   all rows, what waits, and the branch's move, in one
 *		  transaction (commit_publish.c, commit_content.c)
 */
#ifndef WH_STORE_COMMIT_H
#define WH_STORE_COMMIT_H

#include "base/arena.h"
#include "base/buf.h"
#include "codec/codec.h"
#include "lease.h"
#include "lineage.h"
#include "ref.h"
#include "storage.h"
#include "store.h"

/** A tensor of the source, or a text. */
struct item {
	struct wh_source *source;
	uint32_t index;
	int64_t id;	 /* of its row, 0: not in the store */
	int64_t storage; /* reserved for it, 0: none */
	bool stored;	 /* its chunks are there */
	bool waits;	 /* they are coded, and go in when it is published */
	bool eager;	 /* is weighed while it is stored */
	bool half; /* its identity is known; the rest, when it is stored */
	/* What it may be coded against, and how many versions have been since
	 * a whole one (commit_base.c). */
	int64_t base; /* storage, 0: none */
	unsigned generation;
	bool has_version; /* one before it was found, be it a base or not */
};

enum text_kind { TEXT_GRAPH, TEXT_ATTRIBUTES, TEXT_TEMPLATE, N_TEXTS };

struct commit {
	struct wh_store *store;
	struct wh_source *source;
	const struct wh_commit_options *options;
	const char *message; /* without line feeds at its end */
	struct arena arena;
	struct wh_source *texts; /* graph, attributes, template as arrays */
	struct wh_buf text_bytes[N_TEXTS];
	struct item *items; /* the source's tensors, hidden ones, texts */
	uint32_t n_items, n_source_items;
	uint32_t text_item[N_TEXTS]; /* or UINT32_MAX */
	struct small_chunks *small;  /* commit_small.c; or NULL */
	uint64_t small_stored;
	struct layer_identity {
		uint8_t sha256[WH_SHA256_SIZE];
		int64_t id; /* 0: not in the store */
	} * layers;
	/* Of the store when the ids above were looked up: while it is the
	 * same they hold. MARK_NONE: they may not. */
	int64_t mark;
	/* One for each tensor, hidden ones too; NULL: none is eager. */
	struct weigh_probe *probes;
	bool any_eager;
	bool looks_late;    /* for alarms: what to look at isn't known before */
	struct lease lease; /* of the items' storages */
	enum codec_effort effort;
	unsigned n_lost; /* rounds of storing in which gc took a base */
	bool lost;	 /* in the one under way */
	bool buried;	 /* gc took the very same: nothing is to stay of this */
	struct wh_commit_result result;
};

const struct wh_tensor *item_tensor(const struct item *item);
/** Whether both are one tensor of the store: digest, dtype and shape. */
bool item_is_same(const struct item *a, const struct item *b);

/** The snapshot that a commit follows, 0: none. `branch` is filled with the
 *  one that moves, `tip` with where it is. */
enum wh_status commit_parent(struct db *db,
			     const struct wh_commit_options *options,
			     char branch[REF_NAME_SIZE], int64_t *tip,
			     int64_t *parent, struct wh_error *err);

/** Which digests a commit asks for. */
unsigned commit_needs(void);

/** Weighs the source's tensors, but those that shall be weighed while they are
 *  stored: `probes[i].skip`. */
enum wh_status commit_weigh(struct commit *commit, struct wh_error *err);

/** An eager item is stored and weighed. `*known`: the store has it, or this
 *  commit has stored it under another name; its chunks were taken back. In a
 *  transaction. */
enum wh_status commit_settle(struct commit *commit, struct item *item,
			     bool *known, struct wh_error *err);

/** Reads the eager tensors of a source that can't say whether it has changed
 *  once more. WH_EMISMATCH. */
enum wh_status commit_read_again(struct commit *commit, struct wh_error *err);

/** Tells of what looks wrong (alarm.c); WH_EALARM where that is strict. */
enum wh_status commit_look_for_alarms(struct commit *commit,
				      struct wh_error *err);

/** Before the first commit of a store: pages that suit its model. */
enum wh_status commit_choose_page_size(struct commit *commit,
				       struct wh_error *err);

/** Finds bases for the items of `todo`; none once gc has taken several. */
enum wh_status commit_choose_bases(struct commit *commit, struct item **todo,
				   uint32_t n_todo, struct wh_error *err);

/** Whether the base that was chosen for an item is there still. `*there` is
 *  true of one without. Once false it stays so. */
enum wh_status commit_base_is_there(struct db *db, const struct item *item,
				    bool *there, struct wh_error *err);

/** What one item's chunks came to. */
struct coded_sum {
	uint64_t stored; /* bytes */
	bool uses_base, uses_context;
};

/** The row to be of an item whose chunks are in. `*lost`: gc has taken what
 *  they are coded against: it is to be stored anew. */
enum wh_status commit_make_storage(struct db *db, const struct item *item,
				   const struct coded_sum *sum,
				   struct storage *storage, bool *lost,
				   struct wh_error *err);

/* Bytes of payloads that wait in memory at most. */
#define COMMIT_SMALL_TOTAL ((uint64_t)8 << 20)

/** Takes those out of `todo` that are small, and codes them into memory. */
enum wh_status commit_code_small(struct commit *commit, struct item **todo,
				 uint32_t *n_todo, struct wh_error *err);
/** In the publishing transaction: their chunks and storages. `trusted`: no
 *  trigger runs. `*again`: gc has taken what one is coded against; store it,
 *  and publish again. */
enum wh_status commit_put_small(struct commit *commit, bool trusted,
				bool *again, struct wh_error *err);
void commit_free_small(struct commit *commit);

/** Chunks of all items that have neither row nor storage; those whose base gc
 *  takes meanwhile are coded anew. */
enum wh_status commit_store(struct commit *commit, struct wh_error *err);

/** Deletes the chunks of a storage that nothing names; in a transaction
 *  (commit_abandon.c). */
enum wh_status commit_take_back(struct db *db, int64_t storage,
				struct wh_error *err);

/** After a failure: deletes what commit_store stored (commit_abandon.c). */
enum wh_status commit_abandon(struct commit *commit, struct wh_error *err);

/** What a snapshot is of, in the publishing transaction. */
struct content {
	struct commit *commit;
	struct db *db;
	bool unchanged; /* by others, since ids were looked up */
	int64_t graph_id, attributes_id, tree_id, template_id; /* set */
	uint8_t tree[WH_SHA256_SIZE], template_[WH_SHA256_SIZE];
};
/** Rows of tensors, layers and the tree (commit_content.c). `*again`: one that
 *  was there is gone. */
enum wh_status commit_put_content(struct content *content, bool *again,
				  struct wh_error *err);
/** The template's, if there is one. */
enum wh_status commit_put_template(struct content *content,
				   struct wh_error *err);

/** lineage_add of the snapshot, whose weights are in memory. */
enum wh_status commit_add_lineage(const struct content *content,
				  struct lineage_member *member,
				  struct wh_error *err);

/** `*again`: a tensor or a base that was there is gone; store what is missing,
 *  and publish again. */
enum wh_status commit_publish(struct commit *commit, bool *again,
			      struct wh_error *err);

#endif
