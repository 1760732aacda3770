/* Stores that earlier builds wrote, with every codec: each payload is what
 * NumPy had, each hidden one what its writer weighed. A codec that this build
 * writes and no golden store holds fails the last test: see
 * tests/golden/store/make_codecs.py. */
#include "support/golden.h"
#include "support/json.h"
#include "support/store.h"

#include <zlib.h>

#include "base/sha256.h"
#include "codec/codec.h"
#include "codec/element.h"

#define FOLDER	   GOLDEN "/store"
#define MAX_CODECS 64

/** The store of a name, unpacked over the fixture's own, and its truth. */
static json_t *unpack(struct fixture *f, const char *name)
{
	char path[512], bytes[1 << 14];
	json_error_t error;
	json_t *truth;
	FILE *out;
	gzFile in;
	int n;

	wh_store_close(f->store);
	f->store = NULL;
	snprintf(path, sizeof(path), FOLDER "/%s.json", name);
	truth = json_load_file(path, 0, &error);
	if (!truth)
		fail_msg("%s: %s", path, error.text);
	snprintf(path, sizeof(path), FOLDER "/%s.wh.gz", name);
	in = gzopen(path, "rb");
	out = fopen(f->path, "wb");
	assert_true(in && out);
	while ((n = gzread(in, bytes, sizeof(bytes))) > 0)
		assert_int_equal(fwrite(bytes, 1, (size_t)n, out), n);
	assert_int_equal(n, 0);
	assert_int_equal(gzclose(in), Z_OK);
	assert_int_equal(fclose(out), 0);
	assert_ok(wh_store_open(f->path, WH_OPEN_READ, &f->store, &f->err),
		  &f->err);
	return truth;
}

/** Calls `check` with each golden store that tells its codecs. */
static size_t each_store(struct fixture *f,
			 void (*check)(struct fixture *, json_t *))
{
	struct golden_names *names = calloc(1, sizeof(*names));
	size_t i, n = 0;

	golden_list(names, FOLDER, ".json");
	for (i = 0; i < names->n; i++) {
		json_t *truth;

		if (strncmp(names->list[i], "codecs", strlen("codecs")) != 0)
			continue;
		print_message("%s\n", names->list[i]);
		truth = unpack(f, names->list[i]);
		check(f, truth);
		json_decref(truth);
		n++;
	}
	free(names);
	return n;
}

static void digest_payload(struct wh_source *source, uint32_t index,
			   uint8_t digest[SHA256_SIZE])
{
	size_t nbytes = (size_t)source->manifest.tensors[index].nbytes;
	uint8_t *bytes = malloc(nbytes + 1);
	struct wh_error err;

	assert_ok(wh_source_read(source, index, 0, bytes, nbytes, &err), &err);
	assert_ok(sha256_of(bytes, nbytes, digest, &err), &err);
	free(bytes);
}

static void check_snapshot(struct wh_source *source, json_t *payloads)
{
	const struct wh_manifest *manifest = &source->manifest;
	uint8_t digest[SHA256_SIZE];
	const char *layer;
	char name[128], hex[65];
	struct wh_error err;
	json_t *wanted;
	uint32_t i;

	json_object_foreach(payloads, layer, wanted)
	{
		snprintf(name, sizeof(name), "%s/kernel", layer);
		assert_ok(wh_manifest_find(manifest, name, &i, &err), &err);
		digest_payload(source, i, digest);
		text_hex(digest, sizeof(digest), hex);
		assert_string_equal(hex, json_string_value(wanted));
	}
}

static int tell(void *arg, const char *sentence)
{
	(void)arg;
	fprintf(stderr, "%s\n", sentence);
	return 0;
}

static void check_hidden(struct fixture *f)
{
	const struct wh_verify_options options = {.read_data = true};
	struct wh_verify_result result;

	assert_ok(wh_verify(f->store, &options, tell, &result, &f->err),
		  &f->err);
	assert_int_equal(result.n_errors, 0);
}

static void check_payloads(struct fixture *f, json_t *truth)
{
	const json_t *snapshots = json_object_get(truth, "snapshots");
	size_t n = json_array_size(snapshots), i;

	assert_true(n >= 6);
	for (i = 0; i < n; i++) {
		struct wh_source *source = NULL;
		char revision[32];

		snprintf(revision, sizeof(revision), "HEAD~%zu", n - 1 - i);
		assert_ok(
			wh_snapshot_open(f->store, revision, &source, &f->err),
			&f->err);
		check_snapshot(source, json_array_get(snapshots, i));
		wh_source_close(source);
	}
	check_hidden(f);
}

static void what_older_builds_coded_is_what_was_given(void **state)
{
	assert_true(each_store(*state, check_payloads) >= 1);
}

static void by_all_kernels_too(void **state)
{
	unsigned level;

	for (level = LEVEL_PORTABLE; level < LEVEL_FASTEST; level++)
		if (element_kernels_limit((enum element_level)level))
			each_store(*state, check_payloads);
	element_kernels_limit(LEVEL_FASTEST);
}

/** The golden file's own word on its codecs is true. */
static bool held[MAX_CODECS];

static void note_codecs(struct fixture *f, json_t *truth)
{
	const json_t *codecs = json_object_get(truth, "codecs");
	size_t n = json_array_size(codecs), i;
	char query[128];

	for (i = 0; i < n; i++) {
		json_int_t codec =
			json_integer_value(json_array_get(codecs, i));

		snprintf(query, sizeof(query),
			 "SELECT count(*) FROM chunk WHERE codec = %lld",
			 (long long)codec);
		assert_true(ask_integer(f, query) > 0);
		assert_in_range(codec, 0, MAX_CODECS - 1);
		held[codec] = true;
	}
}

static void every_codec_was_written_by_an_older_build(void **state)
{
	struct wh_error err;
	bool base;
	int codec;

	each_store(*state, note_codecs);
	for (codec = 0; codec < MAX_CODECS; codec++)
		if (!codec_needs(codec, &base, &err) && !held[codec])
			fail_msg("no golden store holds codec %d", codec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_older_builds_coded_is_what_was_given),
		with_store(by_all_kernels_too),
		with_store(every_codec_was_written_by_an_older_build),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
