/* A publication as a manifest of CNCF ModelPack: raw layers, each with its path
 * as annotation. */
#include "publish/oci.h"

#include <string.h>

#include <jansson.h>

#include "base/json_put.h"
#include "base/text.h"
#include "publish/publication.h"

#define ARTIFACT_TYPE "application/vnd.cncf.model.manifest.v1+json"
#define CONFIG_TYPE   "application/vnd.cncf.model.config.v1+json"
#define LAYER_TYPE    "application/vnd.cncf.model.weight.v1.raw"
#define FILE_PATH     "org.cncf.model.filepath"

void oci_digest_text(const uint8_t sha256[DIGEST_SIZE], char text[80])
{
	memcpy(text, "sha256:", 7);
	text_hex(sha256, DIGEST_SIZE, text + 7);
}

static json_t *layer_json(const struct publish_file *file)
{
	const char *name = strchr(strchr(file->path, '/') + 1, '/') + 1;
	char digest[80];

	oci_digest_text(file->sha256, digest);
	return json_pack("{s:s,s:s,s:I,s:{s:s,s:s}}", "mediaType", LAYER_TYPE,
			 "digest", digest, "size", (json_int_t)file->size,
			 "annotations", OCI_TITLE, name, FILE_PATH, name);
}

/* The model's config: what the layers are, by digest, as ModelPack wants. */
enum wh_status oci_print_config(const struct publication *publication,
				struct wh_buf *text, struct wh_error *err)
{
	json_t *digests = json_array();
	char digest[80], created[32];
	size_t i;

	for (i = 0; i <= publication->n_files; i++) {
		const struct publish_file *file =
			i < publication->n_files ? &publication->files[i]
						 : &publication->manifest;

		oci_digest_text(file->sha256, digest);
		json_add(&digests, json_string(digest));
	}
	time_print(publication->snapshot_time, created);
	return json_print(json_pack("{s:{s:s,s:s},s:{s:s,s:o},s:{}}",
				    "descriptor", "createdAt", created,
				    "revision", publication->snapshot,
				    "modelfs", "type", "layers", "diffIds",
				    digests, "config"),
			  JSON_COMPACT, text, err);
}

enum wh_status oci_print_manifest(const struct publication *publication,
				  const struct content *config,
				  struct wh_buf *text, struct wh_error *err)
{
	json_t *layers = json_array();
	char digest[80], created[32];
	size_t i;

	for (i = 0; i < publication->n_files; i++)
		json_add(&layers, layer_json(&publication->files[i]));
	json_add(&layers, layer_json(&publication->manifest));
	oci_digest_text(config->sha256, digest);
	time_print(publication->snapshot_time, created);
	return json_print(
		json_pack("{s:i,s:s,s:s,s:{s:s,s:s,s:I},s:o,s:{s:s,s:s}}",
			  "schemaVersion", 2, "mediaType", OCI_MANIFEST_TYPE,
			  "artifactType", ARTIFACT_TYPE, "config", "mediaType",
			  CONFIG_TYPE, "digest", digest, "size",
			  (json_int_t)config->size, "layers", layers,
			  "annotations", "org.opencontainers.image.created",
			  created, "org.opencontainers.image.revision",
			  publication->snapshot),
		JSON_COMPACT, text, err);
}
