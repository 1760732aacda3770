#include "support/assert.h"

#include <stdlib.h>

#include "csv_log.h"

static struct csv_head head;
static struct csv_row row;

static bool read_head(const char *text)
{
	char *line = strdup(text);
	bool taken = csv_head_read(&head, line);

	free(line);
	return taken;
}

static bool read_row(const char *text)
{
	char *line = strdup(text);
	bool taken = csv_row_read(&head, line, &row);

	free(line);
	return taken;
}

static void a_head_names_columns(void **state)
{
	(void)state;
	assert_true(read_head("epoch,loss,\"a,\"\"b\"\"\"\r\n"));
	assert_int_equal(head.n, 3);
	assert_string_equal(head.columns[2], "a,\"b\"");
	assert_false(csv_has_column(&head, "step"));
	csv_head_free(&head);
	assert_true(read_head("loss;step"));
	assert_int_equal(head.separator, ';');
	assert_true(csv_has_column(&head, "step"));
	csv_head_free(&head);
	assert_false(read_head("x,y"));
	assert_false(read_head(""));
	assert_int_equal(head.n, 0);
}

static void a_row_is_numbers_and_what_is_none(void **state)
{
	(void)state;
	assert_true(read_head("epoch,loss,acc,list,lr"));
	assert_true(read_row("3,0.5,NA,\"[0.1, 0.2]\",1e-3\n"));
	assert_int_equal(row.epoch, 3);
	assert_true(row.present[1] && row.present[4]);
	assert_false(row.present[0] || row.present[2] || row.present[3]);
	assert_float_equal(row.values[4], 1e-3, 0);
	assert_true(read_row("4,nan,inf,,x\n"));
	assert_true(row.present[1] && row.present[2]);
	assert_false(row.present[3] || row.present[4]);
	csv_head_free(&head);
}

static void a_row_that_is_not_as_its_head_says_is_refused(void **state)
{
	(void)state;
	assert_true(read_head("epoch,loss"));
	assert_false(read_row("3"));
	assert_false(read_row("3,1,2"));
	assert_false(read_row("x,1"));
	assert_false(read_row("-3,1"));
	assert_false(read_row(",1"));
	assert_false(read_row("\"3,1"));
	assert_true(read_row("3,"));
	csv_head_free(&head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_names_columns),
		cmocka_unit_test(a_row_is_numbers_and_what_is_none),
		cmocka_unit_test(a_row_that_is_not_as_its_head_says_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
