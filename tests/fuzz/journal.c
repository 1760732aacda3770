#include "fuzz/fuzz.h"

#include <stdio.h>

#include "publish/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *path = input_file("journal", bytes, len);
	char *folder = strdup(path), value[64];
	struct journal *journal;
	struct wh_error err;

	require(folder);
	*strrchr(folder, '/') = '\0';
	if (!journal_open(folder, "journal", &journal, &err)) {
		journal_get(journal, "v/1/model.h5", "part 1", value,
			    sizeof(value));
		journal_forget(journal, "v/1/model.h5");
		journal_put(journal, "v/1/model.h5", "part 1", "x");
		require(journal_get(journal, "v/1/model.h5", "part 1", value,
				    sizeof(value)));
		journal_done(journal);
		journal_close(journal);
	}
	free(folder);
	return 0;
}
