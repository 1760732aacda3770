/* Alarms as a program gets them: a callback, a status, what is known to be
 * frozen. */
#include "support/damage.h"

#include <math.h>

struct told {
	enum wh_alarm_kind kinds[16];
	char sentences[16][256];
	double values[16];
	int n;
};

static void note(void *arg, const struct wh_alarm *alarm)
{
	struct told *told = arg;

	told->kinds[told->n] = alarm->kind;
	told->values[told->n] = alarm->value;
	snprintf(told->sentences[told->n++], 256, "%s", alarm->sentence);
}

/* Two layers: one that moves with `value`, and one that doesn't. */
static enum wh_status commit(struct fixture *f, float value,
			     enum wh_trainable still,
			     struct wh_alarm_options alarms)
{
	static const float fixed[2] = {1, 2};
	const float moving[2] = {value, 1};
	const uint64_t shape[] = {2};
	struct wh_array arrays[] = {
		{.name = "kernel",
		 .dtype = WH_FLOAT32,
		 .rank = 1,
		 .shape = shape,
		 .data = moving},
		{.name = "kernel",
		 .dtype = WH_FLOAT32,
		 .rank = 1,
		 .shape = shape,
		 .data = fixed,
		 .trainable = still},
	};
	struct wh_commit_options options = {.alarms = alarms};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	enum wh_status status;

	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	assert_ok(wh_builder_layer(builder, "moves", NULL, &f->err), &f->err);
	assert_ok(wh_builder_weight(builder, &arrays[0], &f->err), &f->err);
	assert_ok(wh_builder_layer(builder, "stays", NULL, &f->err), &f->err);
	assert_ok(wh_builder_weight(builder, &arrays[1], &f->err), &f->err);
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	status = wh_commit(f->store, source, &options, &f->result, &f->err);
	wh_source_close(source);
	return status;
}

static void a_program_is_told(void **state)
{
	struct fixture *f = *state;
	struct told told = {.n = 0};
	struct wh_alarm_options alarms = {.fn = note, .arg = &told};

	assert_ok(commit(f, 1, WH_TRAINABLE_UNKNOWN, alarms), &f->err);
	assert_ok(commit(f, NAN, WH_TRAINABLE_UNKNOWN, alarms), &f->err);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.kinds[0], WH_ALARM_NAN);
	assert_string_equal(told.sentences[0], "'kernel' has 1 NaN");
	assert_string_equal(wh_alarm_name(told.kinds[0]), "nan");
	assert_ok(commit(f, NAN, WH_TRAINABLE_UNKNOWN, alarms), &f->err);
	assert_int_equal(told.n, 1);
}

struct blocked {
	const char *path;
	int n_told;
};

/* Who is told may be slow, and must not hold a lock on the file. */
static void write_past(void *arg, const struct wh_alarm *alarm)
{
	struct blocked *blocked = arg;
	sqlite3 *file;

	assert_int_not_equal(alarm->sentence[0], '\0');
	assert_int_equal(sqlite3_open(blocked->path, &file), SQLITE_OK);
	assert_int_equal(
		sqlite3_exec(file, "BEGIN EXCLUSIVE; COMMIT", NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_close(file), SQLITE_OK);
	blocked->n_told++;
}

/* A norm, NaN, and a layer that stands still, each found in its own way. */
static void others_write_while_a_program_is_told(void **state)
{
	struct fixture *f = *state;
	struct blocked blocked = {.path = f->path};
	struct wh_alarm_options alarms = {
		.fn = write_past, .arg = &blocked, .norm = 10, .stuck = 3};

	assert_ok(commit(f, 1, WH_TRAINABLE_UNKNOWN, alarms), &f->err);
	assert_ok(commit(f, 1000, WH_TRAINABLE_UNKNOWN, alarms), &f->err);
	assert_int_equal(blocked.n_told, 1);
	assert_ok(commit(f, NAN, WH_TRAINABLE_UNKNOWN, alarms), &f->err);
	assert_int_equal(blocked.n_told, 2);
	assert_ok(commit(f, 1, WH_TRAINABLE_UNKNOWN, alarms), &f->err);
	assert_int_equal(blocked.n_told, 3);
}

/* Layers whose names say nothing, by their classes; each is as large as its
 * class's name is long. */
static void commit_classes(struct fixture *f, const char *const (*layers)[2],
			   size_t n, struct told *told)
{
	static const float values[16] = {1};
	struct wh_commit_options options = {
		.alarms = {.fn = note, .arg = told}};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	size_t i;

	told->n = 0;
	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	for (i = 0; i < n; i++) {
		const uint64_t shape[] = {strlen(layers[i][1])};
		struct wh_array array = {.name = "w",
					 .dtype = WH_FLOAT32,
					 .rank = 1,
					 .shape = shape,
					 .data = values};

		assert_ok(wh_builder_layer(builder, layers[i][0], layers[i][1],
					   &f->err),
			  &f->err);
		assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	}
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

static void a_layer_of_the_same_class_stands_for_another(void **state)
{
	static const char *const first[][2] = {{"head", "Dense"},
					       {"tail", "Dense"},
					       {"low", "Dense"},
					       {"norm", "Scale"}};
	static const char *const renamed[][2] = {{"head", "Dense"},
						 {"tail", "Dense"},
						 {"first", "Dense"},
						 {"norm_1", "Scale"}};
	/* Of the same size and nearly the same name, but another class. */
	static const char *const other[][2] = {{"head", "Dense"},
					       {"tail", "Dense"},
					       {"first", "Dense"},
					       {"norm_2", "Shift"}};
	struct fixture *f = *state;
	struct told told;

	commit_classes(f, first, 4, &told);
	commit_classes(f, renamed, 4, &told);
	assert_int_equal(told.n, 0);
	commit_classes(f, other, 4, &told);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.kinds[0], WH_ALARM_MISSING);
	assert_string_equal(told.sentences[0], "layer 'norm_1' is missing");
}

static void nobody_asks_and_nobody_is_told(void **state)
{
	struct fixture *f = *state;
	struct wh_alarm_options none = {.off = false};

	assert_ok(commit(f, 1, WH_TRAINABLE_UNKNOWN, none), &f->err);
	assert_ok(commit(f, NAN, WH_TRAINABLE_UNKNOWN, none), &f->err);
}

static void strict_is_a_status(void **state)
{
	struct fixture *f = *state;
	struct wh_alarm_options strict = {.strict = true}, none = {.off = true};
	char tip[WH_ID_SIZE], after[WH_ID_SIZE];

	assert_ok(commit(f, 1, WH_TRAINABLE_UNKNOWN, strict), &f->err);
	assert_ok(wh_revision_parse(f->store, "HEAD", tip, &f->err), &f->err);
	assert_fails(commit(f, INFINITY, WH_TRAINABLE_UNKNOWN, strict), &f->err,
		     WH_EALARM, "'kernel' has 1 infinities");
	assert_ok(wh_revision_parse(f->store, "HEAD", after, &f->err), &f->err);
	assert_string_equal(tip, after);
	assert_string_equal(wh_status_text(WH_EALARM), "alarm");
	assert_ok(wh_config_set(f->store, "alarms", "strict", &f->err),
		  &f->err);
	assert_fails(commit(f, INFINITY, WH_TRAINABLE_UNKNOWN,
			    (struct wh_alarm_options){.off = false}),
		     &f->err, WH_EALARM, "infinities");
	assert_ok(commit(f, INFINITY, WH_TRAINABLE_UNKNOWN, none), &f->err);
}

/* Two chunks, of which the first is always the same: so the tensor is not
 * weighed again where the store has it. */
static enum wh_status commit_large(struct fixture *f, float last,
				   struct wh_alarm_options alarms)
{
	enum { N = 500000 };
	static float values[N];
	const uint64_t shape[] = {N};
	struct wh_array array = {.name = "kernel",
				 .dtype = WH_FLOAT32,
				 .rank = 1,
				 .shape = shape,
				 .data = values};
	struct wh_commit_options options = {.alarms = alarms};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	enum wh_status status;

	values[N - 1] = last;
	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	assert_ok(wh_builder_layer(builder, "fc", NULL, &f->err), &f->err);
	assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	status = wh_commit(f->store, source, &options, &f->result, &f->err);
	wh_source_close(source);
	return status;
}

static int count_read(void *arg, uint64_t offset, void *buf, size_t len)
{
	(void)offset;
	++*(int *)arg;
	memset(buf, 0, len);
	return 0;
}

/* How often a complex tensor is read that stays, in a layer that changes. */
static int count_reads(struct fixture *f, float value,
		       struct wh_alarm_options alarms)
{
	const uint64_t one[] = {1}, many[] = {(uint64_t)1 << 18};
	int n_reads = 0;
	struct wh_array arrays[] = {
		{.name = "scale",
		 .dtype = WH_FLOAT32,
		 .rank = 1,
		 .shape = one,
		 .data = &value},
		{.name = "phase",
		 .dtype = WH_COMPLEX64,
		 .rank = 1,
		 .shape = many,
		 .read = count_read,
		 .arg = &n_reads},
	};
	struct wh_commit_options options = {.alarms = alarms};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;

	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	assert_ok(wh_builder_layer(builder, "fc", NULL, &f->err), &f->err);
	assert_ok(wh_builder_weight(builder, &arrays[0], &f->err), &f->err);
	assert_ok(wh_builder_weight(builder, &arrays[1], &f->err), &f->err);
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
	return n_reads;
}

static void what_has_no_figures_is_not_read_for_them(void **state)
{
	struct fixture *f = *state;
	struct wh_alarm_options strict = {.strict = true}, none = {.off = true};
	int n_reads;

	count_reads(f, 1, none);
	n_reads = count_reads(f, 2, none);
	assert_int_equal(count_reads(f, 3, strict), n_reads);
}

static void a_tensor_whose_figures_were_dropped_is_told_of(void **state)
{
	struct fixture *f = *state;
	struct wh_alarm_options strict = {.strict = true}, none = {.off = true};
	int i;

	for (i = 0; i < 2; i++) {
		assert_ok(commit_large(f, 1, strict), &f->err);
		assert_ok(commit_large(f, NAN, none), &f->err);
		assert_ok(commit_large(f, 1, strict), &f->err);
		if (i)
			damage_store(f, "DELETE FROM tensor_statistics");
		assert_fails(commit_large(f, NAN, strict), &f->err, WH_EALARM,
			     "'kernel' has 1 NaN");
	}
}

/* What was told and reported, in order: an a for an alarm, an s for what is
 * stored. */
struct order {
	char steps[8];
	size_t n;
};

static void note_alarm(void *arg, const struct wh_alarm *alarm)
{
	struct order *order = arg;

	(void)alarm;
	if (order->n < sizeof(order->steps) - 1)
		order->steps[order->n++] = 'a';
}

static bool note_storing(void *arg, const char *what, uint64_t done,
			 uint64_t total)
{
	struct order *order = arg;

	(void)done, (void)total;
	if (strcmp(what, "storing") == 0 && order->n < sizeof(order->steps) - 1)
		order->steps[order->n++] = 's';
	return true;
}

enum { LARGE = 500000 };

static void commit_noting(struct fixture *f, float *small, float *large,
			  struct order *order)
{
	const uint64_t shapes[][1] = {{1}, {LARGE}};
	const float *const data[] = {small, large};
	struct wh_commit_options options = {
		.alarms = {.fn = note_alarm, .arg = order},
		.progress = note_storing,
		.arg = order};
	struct wh_builder *builder = NULL;
	struct wh_source *source = NULL;
	int i;

	assert_ok(wh_builder_new(&builder, &f->err), &f->err);
	for (i = 0; i < 2; i++) {
		const struct wh_array array = {.name = i ? "table" : "scale",
					       .dtype = WH_FLOAT32,
					       .rank = 1,
					       .shape = shapes[i],
					       .data = data[i]};

		assert_ok(wh_builder_weight(builder, &array, &f->err), &f->err);
	}
	assert_ok(wh_builder_finish(builder, &source, &f->err), &f->err);
	memset(order, 0, sizeof(*order));
	assert_ok(wh_commit(f->store, source, &options, &f->result, &f->err),
		  &f->err);
	wh_source_close(source);
}

/* Of a large tensor that begins as the parent's does no more than its identity
 * is known soon: enough where it is unchanged. Nothing is told twice. */
static void alarms_are_told_as_soon_as_all_is_known(void **state)
{
	static float large[LARGE];
	struct fixture *f = *state;
	struct order order;
	float small = 1;

	large[LARGE - 1] = 0;
	commit_noting(f, &small, large, &order);
	small = NAN;
	commit_noting(f, &small, large, &order);
	assert_string_equal(order.steps, "as");
	small = 2;
	commit_noting(f, &small, large, &order);
	small = NAN;
	large[LARGE - 1] = 1;
	commit_noting(f, &small, large, &order);
	assert_string_equal(order.steps, "sa");
}

static int stuck_after(struct fixture *f, enum wh_trainable still)
{
	struct told told = {.n = 0};
	struct wh_alarm_options alarms = {.fn = note, .arg = &told, .stuck = 2};
	int i;

	for (i = 0; i < 4; i++)
		assert_ok(commit(f, (float)i, still, alarms), &f->err);
	for (i = 0; i < told.n; i++) {
		assert_int_equal(told.kinds[i], WH_ALARM_STUCK);
		assert_int_equal((int)told.values[i], 2 + i);
	}
	return told.n;
}

static void a_layer_that_may_train_is_watched(void **state)
{
	assert_int_equal(stuck_after(*state, WH_TRAINABLE_YES), 2);
}

static void a_layer_of_which_nothing_is_known_is_watched(void **state)
{
	assert_int_equal(stuck_after(*state, WH_TRAINABLE_UNKNOWN), 2);
}

static void a_frozen_layer_may_stand_still(void **state)
{
	assert_int_equal(stuck_after(*state, WH_TRAINABLE_NO), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_program_is_told),
		with_store(others_write_while_a_program_is_told),
		with_store(a_layer_of_the_same_class_stands_for_another),
		with_store(nobody_asks_and_nobody_is_told),
		with_store(strict_is_a_status),
		with_store(what_has_no_figures_is_not_read_for_them),
		with_store(a_tensor_whose_figures_were_dropped_is_told_of),
		with_store(alarms_are_told_as_soon_as_all_is_known),
		with_store(a_layer_that_may_train_is_watched),
		with_store(a_layer_of_which_nothing_is_known_is_watched),
		with_store(a_frozen_layer_may_stand_still),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
