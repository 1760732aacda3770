#include "hdf5/keras3/children.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/text.h"
#include "hdf5/classic/group.h"
#include <weighhouse/tensor.h>

void keras3_children_free(struct keras3_children *children)
{
	free(children->list);
	*children = (struct keras3_children){0};
}

/* ---- Listing ---------------------------------------------------------- */

struct listing {
	struct keras3_children *children;
	struct arena *arena;
	uint64_t limit;
	struct wh_error *err;
	enum wh_status status;
};

static enum wh_status keep_child(struct listing *listing, const char *name,
				 uint64_t address)
{
	struct keras3_children *children = listing->children;

	WH_TRY(array_grow(&children->list, children->n, &children->room,
			  sizeof(*children->list), listing->err));
	name = arena_strdup(listing->arena, name);
	if (!name)
		return wh_fail_memory(listing->err);
	children->list[children->n++] = (struct keras3_child){name, address};
	return WH_OK;
}

static enum wh_status take_link(struct listing *listing, const char *name,
				H5L_type_t type, uint64_t address)
{
	size_t len = strlen(name);

	if (type != H5L_TYPE_HARD)
		return wh_fail(
			listing->err, WH_ECORRUPT,
			"'%s' is %s, which is not followed", name,
			(int)type == H5L_TYPE_EXTERNAL ? "an external link"
			: (int)type == H5L_TYPE_SOFT   ? "a soft link"
						       : "a user-defined link");
	if (len == 0 || len > WH_MAX_NAME || !text_is_name(name, len) ||
	    strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return wh_fail(listing->err, WH_ECORRUPT,
			       "a group has a member without a proper name");
	if (listing->children->n >= listing->limit)
		return wh_fail(listing->err, WH_ECORRUPT,
			       "a group has more members than the file can "
			       "hold");
	return keep_child(listing, name, address);
}

static herr_t visit(hid_t group, const char *name, const H5L_info_t *info,
		    void *arg)
{
	struct listing *listing = arg;

	(void)group;
	listing->status = take_link(listing, name, info->type, info->u.address);
	return listing->status ? 1 : 0; /* 1: enough */
}

static enum wh_status list_classic(const struct classic_group *group,
				   struct listing *listing)
{
	uint32_t i;

	for (i = 0; i < group->n_entries; i++)
		WH_TRY(take_link(listing, group->entries[i].name, H5L_TYPE_HARD,
				 group->entries[i].address));
	return WH_OK;
}

enum wh_status keras3_children_list(const struct h5_view *group, uint64_t limit,
				    struct arena *arena,
				    struct keras3_children *children,
				    struct wh_error *err)
{
	struct listing listing = {children, arena, limit, err, WH_OK};
	hsize_t from = 0;

	if (group->group)
		return list_classic(group->group, &listing);
	if (H5Literate(group->id, H5_INDEX_NAME, H5_ITER_NATIVE, &from, visit,
		       &listing) < 0 &&
	    !listing.status)
		return wh_fail(err, WH_ECORRUPT, "a group can't be listed");
	return listing.status;
}

/* ---- Order ------------------------------------------------------------ */

static int by_address(const void *a, const void *b)
{
	const struct keras3_child *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
	const struct keras3_child *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_name_reversed(const void *a, const void *b)
{
	return by_name(b, a);
}

static int by_attribute(const void *a, const void *b)
{
	const struct keras3_child *x = a, *y = b;
	bool private_x = x->name[0] == '_', private_y = y->name[0] == '_';

	return private_x != private_y ? private_x - private_y : by_name(a, b);
}

/* Sequential and Functional models have `layers` before all others; what is
 * left over of a subclassed model's comes in the order of the names. */
static void put_layers_first(struct keras3_children *children)
{
	struct keras3_child layers;
	uint32_t i, at = children->n;

	for (i = 0; i < children->n; i++)
		if (strcmp(children->list[i].name, "layers") == 0)
			at = i;
	for (i = 0; at < children->n && i < at; i++)
		if (children->list[i].address < children->list[at].address)
			return;
	if (at == children->n)
		return;
	layers = children->list[at];
	memmove(children->list + 1, children->list, at * sizeof(layers));
	children->list[0] = layers;
}

/* "9" before "10"; what is no number behind all numbers. */
static int by_number(const void *a, const void *b)
{
	const struct keras3_child *x = a, *y = b;
	uint64_t left = UINT64_MAX, right = UINT64_MAX;

	if (!text_to_u64(x->name, &left))
		left = UINT64_MAX;
	if (!text_to_u64(y->name, &right))
		right = UINT64_MAX;
	if (left != right)
		return left < right ? -1 : 1;
	return left == UINT64_MAX ? by_address(a, b) : by_name(a, b);
}

/* "dense_2": the stem's length, and 2; 0 where there is no number. */
static size_t split_slot(const char *name, uint64_t *number)
{
	const char *bar = strrchr(name, '_');

	*number = 0;
	if (bar && bar > name && bar[1] != '0' && text_to_u64(bar + 1, number))
		return (size_t)(bar - name);
	*number = 0;
	return strlen(name);
}

static int by_slot(const void *a, const void *b)
{
	const struct keras3_child *x = a, *y = b;
	uint64_t left, right;
	size_t stem_x = split_slot(x->name, &left);
	size_t stem_y = split_slot(y->name, &right);

	if (stem_x != stem_y || memcmp(x->name, y->name, stem_x) != 0)
		return by_name(a, b);
	return left < right ? -1 : left > right;
}

/* Of one class, the second made is `_1`, the third `_2`. */
static bool numbers_ascend(const struct keras3_children *children)
{
	uint32_t i, j;

	for (i = 0; i < children->n; i++)
		for (j = i + 1; j < children->n; j++) {
			uint64_t left, right;
			const char *x = children->list[i].name;
			const char *y = children->list[j].name;
			size_t len = split_slot(x, &left);

			if (split_slot(y, &right) == len &&
			    memcmp(x, y, len) == 0 && left > right)
				return false;
			/* Neighbours of one class are enough to compare. */
			if (j - i > 64)
				break;
		}
	return true;
}

void keras3_children_sort(struct keras3_children *children,
			  enum keras3_order order)
{
	static int (*const compare[])(const void *, const void *) = {
		[KERAS3_SLOTS] = by_address,
		[KERAS3_ATTRIBUTES] = by_attribute,
		[KERAS3_REVERSED] = by_name_reversed,
		[KERAS3_NUMBERS] = by_number,
	};

	if (children->n == 0)
		return;
	qsort(children->list, children->n, sizeof(*children->list),
	      compare[order]);
	if (order == KERAS3_ATTRIBUTES)
		put_layers_first(children);
	/* A file that was written anew, by another program, shows no order:
	 * then that of the names, which is seen to be one (FORMAT.md). */
	if (order == KERAS3_SLOTS && !numbers_ascend(children))
		qsort(children->list, children->n, sizeof(*children->list),
		      by_slot);
}
