/* The size of pages, by the model that a store begins with: README.md, "The
 * file".
 *
 * A small model's pages are small, since each table and index takes one. But of
 * chunks that take a little more than half of a page, each has one for itself:
 * then larger pages make a smaller file, and less work.
 */
#include "commit.h"
#include "store.h"

#define MIDDLE_MODEL ((uint64_t)16 << 20)
#define LARGE_MODEL  ((uint64_t)256 << 20)
#define SMALL_PAGE   (2u << 10) /* what a store is created with */
#define MIDDLE_PAGE  (16u << 10)
#define LARGE_PAGE   (64u << 10)
#define N_TREES	     76u /* tables and indexes: a page each */

/* Of a chunk's row beside its bytes, at most: cell, header, other columns. */
#define ROW_EXTRA 22u

/* What a model's pages would take of one size, in bytes. */
struct guess {
	uint32_t page;
	uint64_t whole; /* if nothing is coded */
	uint64_t coded; /* if all takes what a whole float32 tensor does */
};

/* The bytes of pages that a row of the chunks' table takes among others like
 * it. What doesn't fit into a leaf's page goes on in pages of its own, so that
 * the rest fits (SQLite's file format, 1.6). */
static uint64_t row_bytes(uint64_t bytes, uint32_t page)
{
	uint64_t row = bytes + ROW_EXTRA, least, rest;

	if (row <= page - 35u)
		return page / ((page - 8u) / row);
	least = (page - 12u) * 32u / 255u - 23u;
	rest = least + (row - least) % (page - 4u);
	if (rest > page - 35u)
		rest = least;
	return (row - rest + page - 5u) / (page - 4u) * page +
	       page / ((page - 8u) / rest);
}

static void add_chunk(struct guess *guess, uint64_t bytes)
{
	guess->whole += row_bytes(bytes, guess->page);
	guess->coded += row_bytes(bytes - bytes / 6, guess->page);
}

static void add_tensor(struct guess *guess, uint64_t bytes)
{
	for (; bytes > CHUNK_SIZE; bytes -= CHUNK_SIZE)
		add_chunk(guess, CHUNK_SIZE);
	if (bytes)
		add_chunk(guess, bytes);
}

static struct guess make_guess(const struct commit *commit, uint32_t page)
{
	struct guess guess = {.page = page};
	uint32_t i;

	guess.whole = guess.coded = (uint64_t)N_TREES * page;
	for (i = 0; i < commit->n_items; i++)
		add_tensor(&guess, item_tensor(&commit->items[i])->nbytes);
	return guess;
}

/* Larger ones where they gain a tenth, and lose no more than that where all is
 * coded. */
static uint32_t choose(const struct commit *commit)
{
	const struct guess small = make_guess(commit, SMALL_PAGE);
	struct guess best = small;
	uint32_t page;

	for (page = 2 * SMALL_PAGE; page <= MIDDLE_PAGE; page *= 2) {
		struct guess guess = make_guess(commit, page);

		if (guess.whole <= small.whole - small.whole / 10 &&
		    guess.coded <= small.coded + small.coded / 10 &&
		    guess.whole + guess.coded < best.whole + best.coded)
			best = guess;
	}
	return best.page;
}

enum wh_status commit_choose_page_size(struct commit *commit,
				       struct wh_error *err)
{
	uint64_t nbytes = commit->result.nbytes;
	uint32_t page = LARGE_PAGE;
	enum wh_status status;

	if (nbytes < LARGE_MODEL)
		page = nbytes < MIDDLE_MODEL ? choose(commit) : MIDDLE_PAGE;
	if (page == SMALL_PAGE)
		return WH_OK;
	status = db_set_page_size(commit->store->db, page, err);
	/* Another program reads just now: other pages are only slower. */
	return status == WH_EBUSY ? WH_OK : status;
}
