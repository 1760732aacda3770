/* A .keras archive that was none before: metadata.json, config.json and
 * model.weights.h5, stored and in Keras's order. */
#include <jansson.h>
#include <string.h>

#include "base/json_put.h"
#include "base/json_python.h"
#include "core/manifest.h"
#include "hdf5/keras3/plan.h"
#include "zip/write.h"

/* A model that was in no archive: the version whose layout it is. */
#define DEFAULT_VERSION "3.15.1"
#define DEFAULT_DATE	"1980-01-01@00:00:00" /* as the members' own */

static const char *metadata(const struct wh_manifest *manifest, const char *key,
			    const char *otherwise)
{
	const struct wh_attribute *at =
		manifest_attribute(manifest, "metadata.json", key);

	return at && at->kind == WH_VALUE_TEXT ? at->text : otherwise;
}

/* Keras 2's to_json() is another text than its archives' config.json. */
static enum wh_status check_config(const char *text, struct wh_error *err)
{
	json_error_t why = {0};
	json_auto_t *root = json_from_python(text, strlen(text), &why);

	if (!root && json_error_code(&why) == json_error_out_of_memory)
		return wh_fail_memory(err);
	if (json_is_string(json_object_get(root, "module")))
		return WH_OK;
	return wh_fail(err, WH_EUNSUPPORTED,
		       "a .keras archive holds no configuration without a "
		       "'module', as tf-keras's to_json() and HDF5 files have "
		       "it; --model-config FILE takes Keras 3's to_json(), or "
		       "an archive's config.json");
}

static enum wh_status add_text(struct zip_writer *writer, const char *name,
			       const char *text, struct wh_error *err)
{
	struct zip_entry entry = {.name = name};
	struct wh_image content = {0};
	enum wh_status status =
		wh_image_literal(&content, text, strlen(text), err);

	if (!status)
		status = zip_add(writer, &entry, &content, err);
	zip_content_free(&content);
	return status;
}

static enum wh_status add_metadata(struct zip_writer *writer,
				   const struct wh_manifest *manifest,
				   struct wh_error *err)
{
	json_auto_t *root = json_pack(
		"{s:s, s:s}", "keras_version",
		metadata(manifest, "keras_version", DEFAULT_VERSION),
		"date_saved", metadata(manifest, "date_saved", DEFAULT_DATE));
	char *text = json_to_text(root, JSON_PRESERVE_ORDER);
	enum wh_status status;

	if (!text)
		return wh_fail_memory(err);
	status = add_text(writer, "metadata.json", text, err);
	free(text);
	return status;
}

static enum wh_status add_weights(struct zip_writer *writer,
				  const struct keras3_objects *objects,
				  struct wh_error *err)
{
	struct zip_entry entry = {.name = "model.weights.h5"};
	struct wh_image content = {0};
	enum wh_status status =
		keras3_image_fill(writer->source, objects, 0, &content, err);

	if (!status)
		status = zip_add(writer, &entry, &content, err);
	zip_content_free(&content);
	return status;
}

enum wh_status keras3_archive_fill(struct wh_source *source,
				   const struct keras3_objects *objects,
				   const char *model_config,
				   struct wh_image *image, struct wh_error *err)
{
	struct zip_writer writer = {.source = source, .image = image};
	enum wh_status status;

	WH_TRY(check_config(model_config, err));
	WH_TRY(wh_source_weigh(source, WH_CRC32, 0, NULL, NULL, err));
	status = add_metadata(&writer, &source->manifest, err);
	if (!status)
		status = add_text(&writer, "config.json", model_config, err);
	if (!status)
		status = add_weights(&writer, objects, err);
	if (status) {
		zip_writer_free(&writer);
		return status;
	}
	return zip_finish(&writer, err);
}
