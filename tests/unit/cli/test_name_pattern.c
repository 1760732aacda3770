/* What names say: expected values are what Python's str.format makes of the
 * pattern, read back by hand. */
#include "support/assert.h"

#include <math.h>

#include "name_pattern.h"

/* epoch and step: -1 where there is none; metric: NaN where there is none. */
static void assert_says(const char *pattern, const char *path, int64_t epoch,
			int64_t step, double metric)
{
	struct name_values values;

	if (!name_match(path, pattern, &values))
		fail_msg("'%s' doesn't fit '%s'", path, pattern);
	if ((values.has_epoch ? values.epoch : -1) != epoch ||
	    (values.has_number ? values.number : -1) != step)
		fail_msg("'%s': epoch %d, step %d", path, (int)values.epoch,
			 (int)values.number);
	assert_int_equal(values.n, isnan(metric) ? 0 : 1);
	if (values.n)
		assert_float_equal(values.values[0], metric, 1e-12);
	name_values_free(&values);
}

static void refuse(const char *pattern, const char *path)
{
	struct name_values values = {.n = 9};

	if (name_match(path, pattern, &values))
		fail_msg("'%s' fits '%s'", path, pattern);
	assert_int_equal(values.n, 0);
	assert_false(values.has_number);
}

#define NONE ((double)NAN)

static void fields_are_epoch_step_and_metrics(void **state)
{
	(void)state;
	assert_says("w-{epoch:02d}-{val_loss:.2f}.h5", "w-03-0.25.h5", 3, 3,
		    0.25);
	assert_says("{epoch}-{step}", "3-700", 3, 700, NONE);
	assert_says("{step}-{epoch}", "700-3", 3, 700, NONE);
	assert_says("{loss}.h5", "-1.5e-03.h5", -1, -1, -1.5e-3);
	assert_says("{loss:+.3f}.h5", "+0.125.h5", -1, -1, 0.125);
	assert_says("{acc:.1%}.h5", "93.2%.h5", -1, -1, 0.932);
	assert_says("{epoch:4d}.h5", "   7.h5", 7, 7, NONE);
	assert_says("{epoch!r}.h5", "7.h5", 7, 7, NONE);
}

static void a_training_that_diverged_is_read(void **state)
{
	struct name_values values;

	(void)state;
	assert_says("{epoch}-{loss:.2f}.h5", "3-inf.h5", 3, 3,
		    (double)INFINITY);
	assert_says("{epoch}-{loss:.2f}.h5", "3--inf.h5", 3, 3,
		    -(double)INFINITY);
	assert_true(name_match("3-nan.h5", "{epoch}-{loss:.2f}.h5", &values));
	assert_int_equal(values.n, 1);
	assert_true(isnan(values.values[0]));
	name_values_free(&values);
}

static void a_format_says_where_a_number_ends(void **state)
{
	(void)state;
	assert_says("{epoch:d}.{loss:.2f}.h5", "3.0.25.h5", 3, 3, 0.25);
	assert_says("{loss:.1f}5.h5", "0.25.h5", -1, -1, 0.2);
	refuse("{epoch:02d}{step:06d}", "03000700");
}

static void braces_are_doubled_or_alone(void **state)
{
	(void)state;
	assert_says("{{x}}-{epoch}.h5", "{x}-4.h5", 4, 4, NONE);
	assert_says("{{{epoch}}}.h5", "{4}.h5", 4, 4, NONE);
	assert_says("{epoch}-{open", "4-{open", 4, 4, NONE);
	assert_says("}-{epoch}", "}-4", 4, 4, NONE);
	refuse("{{epoch}}.h5", "4.h5");
	refuse("{}.h5", "4.h5");
}

static void folders_count_from_the_first_with_a_field(void **state)
{
	(void)state;
	assert_says("out/ckpt/{epoch}.h5", "4.h5", 4, 4, NONE);
	assert_says("out/ckpt/{epoch}.h5", "elsewhere/4.h5", 4, 4, NONE);
	assert_says("out/ckpt-{epoch}/model", "a/ckpt-4/model", 4, 4, NONE);
	refuse("out/ckpt-{epoch}/model", "model");
	refuse("ckpt-{epoch}/model", "xckpt-4/model");
	refuse("{epoch}/model", "ckpt-4/model");
}

static void a_name_that_does_not_fit_says_nothing(void **state)
{
	(void)state;
	refuse("{epoch:02d}-{val_loss:.2f}.h5", "final.h5");
	refuse("{epoch:02d}-{val_loss:.2f}.h5", "03-best.h5");
	refuse("{epoch}.h5", "3.h5.bak");
	refuse("{epoch}.h5", "-.h5");
	refuse("{loss}-x.h5", "0.25-y.h5");
	refuse("{epoch}.h5", "");
	refuse("", "3.h5");
}

static void steps_that_no_training_has_are_none(void **state)
{
	(void)state;
	assert_says("{epoch}.h5", "-3.h5", -1, -1, NONE);
	assert_says("{step}.h5", "99999999999999999999.h5", -1, -1, NONE);
}

static void guess(const char *path, int64_t epoch)
{
	struct name_values values;

	name_guess(path, &values);
	if ((values.has_epoch ? values.epoch : -1) != epoch)
		fail_msg("'%s': %d", path,
			 values.has_epoch ? (int)values.epoch : -1);
}

static void without_a_pattern_the_last_number_is_the_epoch(void **state)
{
	(void)state;
	guess("epoch-37-final2.h5", 37);
	guess("epoch-01-1.696.weights.h5", 1);
	guess("weights.02-1.28.hdf5", 2);
	guess("val0.93-Epoch_7.h5", 7);
	guess("epoch=3-step=1200.ckpt", 3);
	guess("e1-v2.5-12.h5", 12);
	guess("epochs.h5", -1);
	guess("w0.25.h5", 25);
	guess("epoch-1.5/9.h5", 9);
	guess("epoch-37.h5", 37);
	guess("epoch-37.weights.h5", 37);
	guess("weights.h5", -1);
	guess("weights.03", 3);
	guess("ckpt-12", 12);
	guess("ckpt-12/weights.h5", 12);
	guess("run7/ckpt/weights.h5", 7);
	guess("12345678901234567890123.h5", -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_epoch_step_and_metrics),
		cmocka_unit_test(a_training_that_diverged_is_read),
		cmocka_unit_test(a_format_says_where_a_number_ends),
		cmocka_unit_test(braces_are_doubled_or_alone),
		cmocka_unit_test(folders_count_from_the_first_with_a_field),
		cmocka_unit_test(a_name_that_does_not_fit_says_nothing),
		cmocka_unit_test(steps_that_no_training_has_are_none),
		cmocka_unit_test(
			without_a_pattern_the_last_number_is_the_epoch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
