/* mapping/keras3_slots.h: the names that Keras 3's files give to objects. */
#ifndef WH_MAPPING_KERAS3_SLOTS_H
#define WH_MAPPING_KERAS3_SLOTS_H

#include "mapping/config.h"

/** "Conv2DTranspose" is "conv2d_transpose"; `>` of a registered name and what
 *  is before it go. tf-keras has "private__mine" for _Mine, Keras 3 "__mine".
 *  NULL without memory. */
const char *slot_of_class(const char *class_name, bool of_keras2,
			  struct arena *arena);

/** The class of "conv2d_transpose_2", if it is one of Keras's own with
 *  variables or objects; else NULL. */
const char *class_of_slot(const char *slot);

/** The length of a slot without its number. */
size_t slot_stem(const char *slot);

/** Whether it may be a layer with a vocabulary that it learned, which
 *  TensorFlow counts as a weight and Keras 3's files don't hold. */
bool slot_may_hold_table(const char *slot);

/** The slot of each child of a model in its configuration: of the children
 *  with one class the second is `_1`, the third `_2`. A call of a function has
 *  none: "". */
enum wh_status slots_of_model(const struct config_layer *model,
			      struct arena *arena, const char ***slots,
			      struct wh_error *err);

/** The attribute behind variable `index` of the `n` of an object of that
 *  class: "kernel". `config` may be NULL. NULL if the class is not known, or
 *  has no such set of variables. */
const char *leaf_of_value(const char *class_name,
			  const struct config_layer *config, uint32_t index,
			  uint32_t n);

/** The class of what an object of `parent` has under `attribute`
 *  ("LSTM", "cell"); NULL if it is not known. */
const char *class_of_attribute(const char *parent, const char *attribute);

/** How TensorFlow calls an attribute that Keras 3 calls `attribute`. */
const char *attribute_of_keras2(const char *parent, const char *attribute);

/** Whether a class lists its layers as `layers`: Sequential, Functional. */
bool class_is_model(const char *class_name);

#endif
