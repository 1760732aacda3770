/* source.h: anything that has a manifest and can read payloads.
 *
 * A stored snapshot, an imported checkpoint and a trainer's arrays are all
 * sources: what commits, exports, converts or compares takes any of them.
 */
#ifndef WEIGHHOUSE_SOURCE_H
#define WEIGHHOUSE_SOURCE_H

#include <weighhouse/graph.h>
#include <weighhouse/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Called about every 8 MiB and at the end of a long call, always from the
 *  thread that made the call. `what` is a verb phrase ("hashing"). False
 *  cancels: the call ends with WH_ECANCELLED and leaves nothing behind. */
typedef bool wh_progress_fn(void *arg, const char *what, uint64_t done_bytes,
			    uint64_t total_bytes);

enum wh_role { WH_ROLE_WEIGHT = 0, WH_ROLE_OPTIMIZER, WH_ROLE_OTHER };
enum wh_trainable {
	WH_TRAINABLE_UNKNOWN = 0,
	WH_TRAINABLE_YES,
	WH_TRAINABLE_NO
};

/** A tensor in its role in a layer. */
struct wh_variable {
	const char *name;	 /* as the source spells it: "fc1/kernel:0" */
	const char *object_path; /* below the layer: "cell/kernel"; or NULL */
	const char *keras3_path; /* "layers/dense/vars/0", or NULL */
	enum wh_role role;
	enum wh_trainable trainable;
	uint32_t tensor; /* index in the manifest */
};

enum wh_layer_kind {
	WH_LAYER = 0,	    /* a layer of the model */
	WH_LAYER_MODEL,	    /* weights of the model object itself; name "" */
	WH_LAYER_OPTIMIZER, /* pseudo-layer; name "optimizer" */
	WH_LAYER_STATE,	    /* pseudo-layer of all other values; name "state" */
};

#define WH_NO_LAYER UINT32_MAX

/** A named, ordered group of variables. Layers without weights are listed. */
struct wh_layer {
	const char *name;
	const char *class_name; /* "Dense", or NULL where it isn't known */
	enum wh_layer_kind kind;
	uint32_t container; /* index of the enclosing layer, or WH_NO_LAYER */
	struct wh_variable *variables;
	uint32_t n_variables;
};

enum wh_value_kind {
	WH_VALUE_TEXT = 0, /* text and the bytes of its length */
	WH_VALUE_INTEGER,
	WH_VALUE_BYTES,
};

/** A typed attribute of the checkpoint: keras_version, model_config, ... */
struct wh_attribute {
	const char
		*path; /* of the object that carries it: "", "model_weights" */
	const char *key;
	enum wh_value_kind kind;
	const char *text; /* `size` bytes; a NUL follows, not counted */
	uint64_t size;
	int64_t integer;
};

#define WH_LITERAL UINT32_MAX

/** A run of a file: literal bytes, or a byte range of a tensor's payload. */
struct wh_extent {
	uint64_t offset, length; /* in the file */
	uint32_t tensor;	 /* index in the manifest, or WH_LITERAL */
	uint64_t start; /* in the payload, or in the image's literals */
	uint64_t run,
		stride; /* take `run` of each `stride` bytes; 0, 0: flat */
	uint8_t swap;	/* element width to reverse, or 0 */
};

/** One file of an imported checkpoint. */
struct wh_template_file {
	const char *suffix; /* what follows the checkpoint's path: ".index" */
	uint64_t size;
	bool canonical; /* the format's planner makes these bytes by itself */
	/* Sorted and gapless over [0, size); no extent is WH_LITERAL: what is
	 * not a payload's belongs to the template's hidden tensor. None if
	 * canonical. */
	struct wh_extent *extents;
	uint32_t n_extents;
};

/** The skeleton of a checkpoint's files: all but the payloads. */
struct wh_template {
	const char *format; /* "h5", "tf" */
	struct wh_template_file *files;
	uint32_t n_files;
	/* Index of the uint8 tensor that holds the bytes between payloads, all
	 * files' in order: the manifest's tensors[n_tensors], one past those
	 * that are listed; WH_LITERAL where there are no such bytes. */
	uint32_t skeleton;
};

/** All that is known of a model but the payloads. Everything is owned by the
 *  source and lives as long as it does. Tensors stand in model order: that of
 *  the layers, or with an object graph that of its nodes. */
struct wh_manifest {
	struct wh_tensor *tensors; /* n_tensors, then n_hidden */
	uint32_t n_tensors;
	uint32_t n_hidden; /* 1 if `template_` has a skeleton, else 0 */
	struct wh_layer *layers;
	uint32_t n_layers;
	struct wh_graph *graph; /* or NULL */
	struct wh_attribute *attributes;
	uint32_t n_attributes;
	const char *origin_format;     /* "h5", "tf", "memory" */
	const char *origin_generator;  /* "keras 2.21.0"; or NULL */
	struct wh_template *template_; /* or NULL */
	const char *const *warnings;   /* what was assumed or left out, a
					  sentence each */
	uint32_t n_warnings;
};

struct wh_source;

/* read and close are mandatory; unchanged may be NULL. */
struct wh_source_ops {
	/** Reads all `len` bytes from byte `offset` of tensor `index` (hidden
	 *  ones too), or fails: no short reads. Any order; safe from several
	 *  threads at once if `concurrent`.
	 *  WH_EIO, WH_ECORRUPT, WH_ENOMEM. */
	enum wh_status (*read)(struct wh_source *source, uint32_t index,
			       uint64_t offset, void *buf, size_t len,
			       struct wh_error *err);
	/** WH_EMISMATCH if what the source reads from (a file) has changed
	 *  since it was opened. */
	enum wh_status (*unchanged)(struct wh_source *source,
				    struct wh_error *err);
	/** Frees the source and all that it owns. */
	void (*close)(struct wh_source *source);
	bool concurrent;
	/** Pieces of some ten KiB, here and there, cost what they do in order:
	 *  payloads lie flat, in memory or in a file. Several tensors are then
	 *  hashed side by side. */
	bool scattered;
};

/** Made by an importer, wh_snapshot_open or wh_builder_finish; the caller
 *  owns it and ends it with wh_source_close. Complete before anyone reads. A
 *  program may fill one by itself: what commits or saves it gives WH_EINVAL for
 *  a tensor whose nbytes aren't what dtype and shape need (strings and variants
 *  have any), for a name that is missing, a key that is there twice, a value
 *  that an enum doesn't have, an index of no tensor, layer or node, a layer
 *  before its container, and a template whose extents have gaps; each listed
 *  tensor needs exactly one variable. */
struct wh_source {
	const struct wh_source_ops *ops;
	struct wh_manifest manifest;
};

/** Takes NULL. */
WH_API void wh_source_close(struct wh_source *source);

/** Checks range and index, then reads as ops->read does.
 *  WH_EINVAL if the range is not in the tensor. */
WH_API enum wh_status wh_source_read(struct wh_source *source, uint32_t index,
				     uint64_t offset, void *buf, size_t len,
				     struct wh_error *err);

/** Fills what `needs` (enum wh_weighed) asks of every tensor, hidden ones
 *  too, in one bounded pass over those that lack it. `threads` 0: as many as
 *  the machine has. Peak memory: threads x 1 MiB. */
WH_API enum wh_status wh_source_weigh(struct wh_source *source, unsigned needs,
				      unsigned threads,
				      wh_progress_fn *progress, void *arg,
				      struct wh_error *err);

/** Index of the tensor that `name` means: its key, its variable's name, or
 *  "layer/object_path", in that order. WH_ENOTFOUND with the nearest name. */
WH_API enum wh_status wh_manifest_find(const struct wh_manifest *manifest,
				       const char *name, uint32_t *index,
				       struct wh_error *err);

/** The layer and the variable that own tensor `index`; false if none does. */
WH_API bool wh_manifest_owner(const struct wh_manifest *manifest,
			      uint32_t index, const struct wh_layer **layer,
			      const struct wh_variable **variable);

/* ---- A trainer's arrays as a source --------------------------------- */

struct wh_builder;

/** An array as the trainer has it. */
struct wh_array {
	const char *name; /* of the weight: "kernel", "cell/bias" */
	enum wh_dtype dtype;
	uint32_t rank;
	const uint64_t *shape;
	/* Bytes from an element to the next along each dimension, of any sign;
	 * NULL for packed C order. */
	const int64_t *strides;
	/* The element at index 0, 0, ...; native order, but in a file that is
	 * mapped (wh_builder_map). */
	const void *data;
	/* Instead of `data` (then NULL): fills `len` bytes of the packed
	 * little-endian payload; called again for the same bytes, and must
	 * then give the same. Nonzero fails the call that reads. */
	int (*read)(void *arg, uint64_t offset, void *buf, size_t len);
	void *arg;
	enum wh_trainable trainable;
};

/** An empty model. The caller owns it until wh_builder_finish. */
WH_API enum wh_status wh_builder_new(struct wh_builder **builder,
				     struct wh_error *err);
WH_API void wh_builder_free(struct wh_builder *builder);

/** Begins the next layer; `class_name` may be NULL. Names are copied.
 *  WH_EEXISTS if the model has a layer of that name; WH_ECORRUPT, as from the
 *  calls below, if a name is no valid UTF-8 or longer than WH_MAX_NAME, or if
 *  there are too many. */
WH_API enum wh_status wh_builder_layer(struct wh_builder *builder,
				       const char *name, const char *class_name,
				       struct wh_error *err);

/** Adds a weight to the layer begun last, or, before any layer, to the model
 *  itself. The array's memory is borrowed: it must stay as it is until the
 *  source is closed; a change between the two times that a commit reads it
 *  is noticed and refused. WH_EINVAL for an array without name or data, with a
 *  dtype of no fixed size, or too large; WH_ECORRUPT if the layer has a weight
 *  of that name. */
WH_API enum wh_status wh_builder_weight(struct wh_builder *builder,
					const struct wh_array *array,
					struct wh_error *err);

/** Adds a variable of the optimizer ("iteration", "m/fc1/kernel"). */
WH_API enum wh_status wh_builder_optimizer(struct wh_builder *builder,
					   const struct wh_array *array,
					   struct wh_error *err);

/** Adds an attribute; strings and text are copied. */
WH_API enum wh_status wh_builder_attribute(struct wh_builder *builder,
					   const struct wh_attribute *attribute,
					   struct wh_error *err);

/** For importers: which format the names are from, and what wrote them (may
 *  be NULL). Without it they are "memory"'s. Copied. */
WH_API enum wh_status wh_builder_origin(struct wh_builder *builder,
					const char *format,
					const char *generator,
					struct wh_error *err);

/** For importers: `release(arg)` is called once, when the source is closed or
 *  the builder freed: what the arrays lie in goes then. At most one. */
WH_API void wh_builder_release(struct wh_builder *builder,
			       void (*release)(void *arg), void *arg);

/** For importers: maps the file at `path`, for arrays to lie in; it stays
 *  mapped until the source is closed or the builder freed. What lies in it is
 *  little-endian, whatever the machine is. Payloads of packed arrays are read
 * from the file itself, so that one that is cut or written meanwhile is
 * noticed. One file a builder. WH_ENOTFOUND, WH_EIO; WH_EINVAL if it is no
 * regular file; WH_ECORRUPT if it is empty; WH_EUNSUPPORTED if it is larger
 * than a process of 32 bits. */
WH_API enum wh_status wh_builder_map(struct wh_builder *builder,
				     const char *path, const uint8_t **bytes,
				     uint64_t *size, struct wh_error *err);

/** Turns the builder into a source and frees it, also when it fails. */
WH_API enum wh_status wh_builder_finish(struct wh_builder *builder,
					struct wh_source **source,
					struct wh_error *err);

#ifdef __cplusplus
}
#endif
#endif
