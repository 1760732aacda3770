#include "tf/state.h"
#include "tf/tf.h"

/* No suffix means tf: any name that isn't another format's. */
static const char *const suffixes[] = {NULL};

const struct wh_format tf_format = {
	.name = "tf",
	.summary = "TensorFlow checkpoint, as Model.save_weights('x')",
	.suffixes = suffixes,
	.needs = WH_CRC32C,
	.plan = tf_plan,
	.probe = tf_probe,
	.load = tf_load,
	.resolve = tf_resolve,
	.finish = tf_finish,
	.keeps_order = true,
	.shards = true,
	.takes_checkpoint_options = true,
	.makes_folders = true,
};
