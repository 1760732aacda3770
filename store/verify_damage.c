/* Which tensors are damaged, which snapshots need them, which are whole. */
#include "verify.h"

#include <stdio.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "mark.h"

enum wh_status verify_note_damage(struct verification *all,
				  const struct damaged *one,
				  struct wh_error *err)
{
	WH_TRY(array_grow(&all->damaged, all->n_damaged, &all->room,
			  sizeof(*all->damaged), err));
	all->damaged[all->n_damaged++] = *one;
	all->result->n_damaged++;
	return WH_OK;
}

struct owners {
	struct bitmap incomplete; /* snapshots */
	char layer[256], weight[256];
};

static void note_names(struct owners *owners, struct stmt *stmt)
{
	const char *layer = column_text(stmt, 2);
	const char *weight = column_text(stmt, 3);

	snprintf(owners->layer, sizeof(owners->layer), "%s",
		 layer ? layer : "");
	snprintf(owners->weight, sizeof(owners->weight), "%s",
		 weight ? weight : "");
}

static enum wh_status find_owners(struct verification *all,
				  struct owners *owners,
				  const struct damaged *one,
				  struct wh_damage *damage,
				  struct wh_error *err)
{
	int64_t last = 0, id;
	AUTO_STMT *stmt = NULL;
	bool row, was = false;

	owners->layer[0] = owners->weight[0] = '\0';
	WH_TRY(db_stmt(all->db, STMT_TENSOR_SNAPSHOTS, &stmt, err));
	stmt_integer(stmt, 1, one->tensor);
	for (;;) {
		char hex[WH_ID_SIZE];

		WH_TRY(stmt_step(stmt, &row, err));
		if (!row)
			break;
		id = column_integer(stmt, 0);
		if (id == last || !column_hex(stmt, 1, hex))
			continue;
		last = id;
		note_names(owners, stmt);
		memcpy(damage->newest, hex, sizeof(hex));
		if (damage->n_snapshots++ == 0)
			memcpy(damage->oldest, hex, sizeof(hex));
		if (!one->repaired)
			WH_TRY(bitmap_set(&owners->incomplete, id, &was, err));
		all->result->n_incomplete += !one->repaired && !was;
	}
	return WH_OK;
}

enum wh_status verify_tell_damage(struct verification *all,
				  struct wh_error *err)
{
	const struct wh_verify_options *options = all->options;
	struct owners owners = {.layer = ""};
	enum wh_status status = WH_OK;
	size_t i;

	for (i = 0; i < all->n_damaged && !status; i++) {
		const struct damaged *one = &all->damaged[i];
		struct wh_damage damage = {.layer = owners.layer,
					   .weight = owners.weight,
					   .repaired = one->repaired};

		text_hex(one->sha256, sizeof(one->sha256), damage.tensor);
		status = find_owners(all, &owners, one, &damage, err);
		if (!status && options->damage &&
		    options->damage(options->arg, &damage))
			break;
	}
	bitmap_free(&owners.incomplete);
	return status;
}
