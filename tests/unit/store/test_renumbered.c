/* Bases of a model that is built anew: Keras numbers its layers, and the keys of
 * their tensors differ. */
#include "support/damage.h"

#define LAYER_COLUMNS 2000u
#define N_LAYERS      3u

#define N_WEIGHTS (4 * N_LAYERS * LAYER_COLUMNS)
#define N_WHOLE	  "select count(*) from storage where base_id is null"

static float weights[N_WEIGHTS];

static int make_weights(void **state)
{
	uint32_t value = 1;
	size_t i;

	(void)state;
	for (i = 0; i < N_WEIGHTS; i++) {
		value = value * 1664525u + 1013904223u;
		weights[i] = (float)(value >> 8) / (float)(1 << 24) - 0.5f;
	}
	return 0;
}

/* So little that differences are worth it. */
static void move_weights(void)
{
	size_t i;

	for (i = 0; i < N_WEIGHTS; i++)
		weights[i] += 1e-6f * (float)(i % 7);
}

/* Layers of equal shapes; one of a name of "" isn't there. */
static void commit_layers(struct fixture *f, const char *const names[N_LAYERS])
{
	const uint64_t shape[] = {LAYER_COLUMNS};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 1,
				 .shape = shape};
	struct wh_builder *builder;
	struct wh_source *source = NULL;
	unsigned i;

	move_weights();
	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	for (i = 0; i < N_LAYERS; i++) {
		array.data = weights + (size_t)i * LAYER_COLUMNS;
		if (!*names[i])
			continue;
		assert_ok(wh_builder_layer(builder, names[i], "Dense", &f->err),
			  &f->err);
		assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	}
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	assert_ok(wh_commit(f->store, source, NULL, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
	assert_ok(read_all(f, "HEAD"), &f->err);
}

/* Three tensors of a commit follow those of the one before, in order. */
#define N_IN_ORDER                                                             \
	"select count(*) from tensor as t join storage as s on s.id = "        \
	"t.storage_id join tensor as u on u.storage_id = s.base_id "           \
	"where u.id = t.id - 3"

static void a_model_that_is_built_anew_has_its_bases(void **state)
{
	static const char *const builds[][N_LAYERS] = {
		{"dense", "dense_1", "dense_2"},
		{"dense_3", "dense_4", "dense_5"},
		{"dense_8", "dense_9", "dense_10"},
		{"dense_99", "dense_100", "dense_101"},
	};
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < 4; i++)
		commit_layers(f, builds[i]);
	assert_int_equal(ask_integer(f, N_IN_ORDER), 9);
	assert_int_equal(ask_integer(f, N_WHOLE), 3);
}

/* A name that it has itself comes first, also one of an older version. */
static void a_key_of_its_own_is_followed_first(void **state)
{
	static const char *const mine[] = {"dense", "dense_1", "dense_2"};
	static const char *const others[] = {"dense_3", "dense_4", "dense_5"};
	struct fixture *f = *state;

	commit_layers(f, mine);
	commit_layers(f, others);
	commit_layers(f, mine);
	assert_int_equal(ask_integer(f, "select count(*) from storage as s join "
					"storage as b on b.id = s.base_id "
					"where b.base_id is null"),
			 6);
}

static void where_layers_came_or_went_none_is_guessed(void **state)
{
	static const char *const builds[][N_LAYERS] = {
		{"dense", "dense_1", "dense_2"},
		{"dense_3", "dense_4", ""},
		{"dense_5", "dense_6", "dense_7"},
		{"conv_8", "conv_9", "conv_10"},
	};
	struct fixture *f = *state;
	unsigned i;

	for (i = 0; i < 4; i++)
		commit_layers(f, builds[i]);
	assert_int_equal(ask_integer(f, N_WHOLE), 3 + 2 + 3 + 3);
}

/* Of values that have nothing to do with each other. */
static void a_wrong_guess_costs_nothing(void **state)
{
	static const char *const before[] = {"dense", "", ""};
	static const char *const now[] = {"dense_1", "", ""};
	static const char *const other[] = {"conv", "", ""};
	struct fixture *f = *state;
	uint64_t guessed;
	unsigned i;

	commit_layers(f, before);
	for (i = 0; i < LAYER_COLUMNS; i++)
		weights[i] = weights[N_WEIGHTS - 1 - i];
	commit_layers(f, now);
	guessed = f->result.stored_bytes;
	for (i = 0; i < LAYER_COLUMNS; i++)
		weights[i] = weights[N_WEIGHTS / 2 - 1 - i];
	commit_layers(f, other);
	assert_in_range(guessed, 1, f->result.stored_bytes * 101 / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_model_that_is_built_anew_has_its_bases),
		with_store(a_key_of_its_own_is_followed_first),
		with_store(where_layers_came_or_went_none_is_guessed),
		with_store(a_wrong_guess_costs_nothing),
	};

	return cmocka_run_group_tests(tests, make_weights, NULL);
}
