#include "support/assert.h"
#include "support/little.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/number.h"
#include "core/statistics.h"

static void assert_near(double got, double wanted)
{
	if (!(fabs(got - wanted) <= 1e-12 * (1 + fabs(wanted))))
		fail_msg("%.17g is not near %.17g", got, wanted);
}

static struct wh_statistics summarize(enum wh_dtype dtype, const void *values,
				      size_t len, size_t piece)
{
	uint8_t *payload = malloc(len + 1);
	struct statistics_sum sum;
	struct wh_statistics out;
	size_t at;

	assert_non_null(payload);
	memcpy(payload, values, len);
	make_little(payload, len, (unsigned)wh_dtype_size(dtype));
	statistics_begin(&sum, dtype);
	for (at = 0; at < len; at += piece)
		statistics_add(&sum, payload + at,
			       len - at < piece ? len - at : piece);
	statistics_end_chunk(&sum);
	statistics_finish(&sum, &out);
	free(payload);
	return out;
}

static void special_values_are_counted_and_left_out(void **state)
{
	const float values[] = {1, -2, 0, -0.0f, NAN, INFINITY, 3};
	struct wh_statistics s =
		summarize(WH_FLOAT32, values, sizeof(values), sizeof(values));

	(void)state;
	assert_int_equal(s.n_elements, 7);
	assert_int_equal(s.n_zero, 2);
	assert_int_equal(s.n_nan, 1);
	assert_int_equal(s.n_inf, 1);
	assert_near(s.mean, 2.0 / 5);
	assert_near(s.l2, sqrt(14));
	assert_near(s.std, sqrt(14.0 / 5 - 4.0 / 25));
	assert_near(s.min, -2);
	assert_true(isinf(s.max) && s.max > 0);
}

/* Against two passes in extended precision. */
/* The judge takes the large part off, which is exact. */
static void a_large_mean_costs_the_deviation_no_digits(void **state)
{
	enum { n = 100000 };
	const double large = 1e6;
	double *values = calloc(n, sizeof(*values));
	double total = 0, spread = 0, mean;
	struct wh_statistics s;
	size_t i;

	(void)state;
	assert_non_null(values);
	srand(11);
	values[0] = (double)NAN;
	values[1] = (double)INFINITY;
	for (i = 2; i < n; i++) {
		values[i] = large + rand() / (RAND_MAX + 1.0) * 1e-4;
		total += values[i] - large;
	}
	mean = total / (n - 2);
	for (i = 2; i < n; i++)
		spread +=
			(values[i] - large - mean) * (values[i] - large - mean);
	s = summarize(WH_FLOAT64, values, n * sizeof(*values), 4096);
	free(values);
	assert_near(s.mean, large + mean);
	assert_near(s.std / sqrt(spread / (n - 2)), 1);
}

/* Whose squares are infinite; the differences need not be. */
static void values_near_the_limit_have_a_mean(void **state)
{
	double values[64] = {-DBL_MAX}, same[64];
	struct wh_statistics s;
	size_t i;

	(void)state;
	values[63] = DBL_MAX;
	s = summarize(WH_FLOAT64, values, sizeof(values), sizeof(values));
	assert_near(s.mean, 0);
	assert_true(isinf(s.std));
	values[63] = 0;
	s = summarize(WH_FLOAT64, values, sizeof(values), sizeof(values));
	assert_near(s.mean, -DBL_MAX / 64);
	assert_true(isinf(s.std));
	for (i = 0; i < 64; i++)
		same[i] = 1e200;
	s = summarize(WH_FLOAT64, same, sizeof(same), sizeof(same));
	assert_near(s.mean, 1e200);
	assert_near(s.std, 0);
}

static void the_size_of_pieces_does_not_change_a_bit(void **state)
{
	float values[4096];
	struct wh_statistics a, b;
	size_t i;

	(void)state;
	srand(7);
	for (i = 0; i < 4096; i++)
		values[i] = (float)rand() / 1e8f - 10;
	a = summarize(WH_FLOAT32, values, sizeof(values), sizeof(values));
	b = summarize(WH_FLOAT32, values, sizeof(values), 32);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void every_processor_gives_the_same_bits(void **state)
{
	static const double odd[] = {(double)NAN, (double)INFINITY, -0.0, 0.0,
				     1e-310};
	float values[4099];
	struct wh_statistics fast, plain;
	size_t i, k;

	(void)state;
	srand(11);
	for (k = 0; k < 6; k++) {
		for (i = 0; i < 4099; i++)
			values[i] = (float)rand() / 1e8f - 10;
		/* The last round is of finite values alone. */
		for (i = k; k < 5 && i < 4099; i += 700)
			values[i] = (float)odd[(i + k) % 5];
		fast = summarize(WH_FLOAT32, values, sizeof(values), 512);
		statistics_portable(true);
		plain = summarize(WH_FLOAT32, values, sizeof(values), 512);
		statistics_portable(false);
		assert_memory_equal(&fast, &plain, sizeof(fast));
	}
}

static void integers_and_halves_are_widened(void **state)
{
	const int8_t bytes[] = {-128, 127, 0};
	const uint16_t halves[] = {0x3c00, 0xc000, 0x0001};
	struct wh_statistics s = summarize(WH_INT8, bytes, 3, 3);

	(void)state;
	assert_near(s.min, -128);
	assert_near(s.max, 127);
	s = summarize(WH_FLOAT16, halves, sizeof(halves), sizeof(halves));
	assert_near(s.min, -2);
	assert_near(s.max, 1);
	assert_near((double)number_from_half(0x0001), ldexp(1, -24));
	assert_false(statistics_has(WH_STRING));
}

static void an_empty_tensor_has_no_extremes(void **state)
{
	struct wh_statistics s = summarize(WH_FLOAT64, "", 0, 8);

	(void)state;
	assert_true(isnan(s.min) && isnan(s.max) && isnan(s.mean));
	assert_near(s.l2, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_values_are_counted_and_left_out),
		cmocka_unit_test(a_large_mean_costs_the_deviation_no_digits),
		cmocka_unit_test(values_near_the_limit_have_a_mean),
		cmocka_unit_test(the_size_of_pieces_does_not_change_a_bit),
		cmocka_unit_test(every_processor_gives_the_same_bits),
		cmocka_unit_test(integers_and_halves_are_widened),
		cmocka_unit_test(an_empty_tensor_has_no_extremes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
