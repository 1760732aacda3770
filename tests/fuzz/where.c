/* --where: conditions on snapshots and runs, as users write them. */
#include "fuzz/fuzz.h"

#include "where.h"

static bool some_field(const void *subject, const char *field,
		       struct where_value *value)
{
	(void)subject;
	*value = (struct where_value){.text = field,
				      .number = (double)strlen(field)};
	return field[0] != 'x';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = input_text(bytes, len);
	struct where where = {.text = text, .field = some_field};

	where_holds(&where, NULL);
	if (*where.error)
		require(where_complaint(&where));
	free(text);
	return 0;
}
