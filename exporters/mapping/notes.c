#include "mapping/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"

void notes_free(struct notes *notes)
{
	free(notes->texts);
}

enum wh_status notes_add(struct notes *notes, struct wh_error *err,
			 const char *format, ...)
{
	char text[WH_ERROR_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	WH_TRY(array_grow(&notes->texts, notes->n, &notes->capacity,
			  sizeof(*notes->texts), err));
	notes->texts[notes->n] = arena_strdup(notes->arena, text);
	if (!notes->texts[notes->n])
		return wh_fail_memory(err);
	notes->n++;
	return WH_OK;
}

static uint32_t count_variables(const struct wh_manifest *manifest,
				const char *const *key_of,
				enum wh_layer_kind kind)
{
	uint32_t i, j, n = 0;

	for (i = 0; i < manifest->n_layers; i++) {
		const struct wh_layer *layer = &manifest->layers[i];

		for (j = 0; layer->kind == kind && j < layer->n_variables; j++)
			n += !key_of || !key_of[layer->variables[j].tensor];
	}
	return n;
}

enum wh_status notes_left_out(struct notes *notes,
			      const struct wh_manifest *manifest,
			      const char *const *key_of, struct wh_error *err)
{
	uint32_t optimizer =
		count_variables(manifest, key_of, WH_LAYER_OPTIMIZER);
	uint32_t state = count_variables(manifest, key_of, WH_LAYER_STATE);

	if (optimizer)
		WH_TRY(notes_add(notes, err, "left out: %u optimizer tensor%s",
				 optimizer, optimizer == 1 ? "" : "s"));
	if (state)
		WH_TRY(notes_add(notes, err, "left out: %u state tensor%s",
				 state, state == 1 ? "" : "s"));
	return WH_OK;
}

enum wh_status notes_settle(const struct notes *notes,
			    const char *const **texts, uint32_t *n,
			    struct wh_error *err)
{
	const char **made = arena_alloc(notes->arena, notes->n, sizeof(*made));

	if (!made)
		return wh_fail_memory(err);
	if (notes->n)
		memcpy(made, notes->texts, notes->n * sizeof(*made));
	*texts = made;
	*n = notes->n;
	return WH_OK;
}
