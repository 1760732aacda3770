/* Branches and tags are listed without holding the store, and moved by one
 * transaction. */
#include "support/damage.h"

#include <weighhouse/keep.h>
#include <weighhouse/publication.h>

#include "base/buf.h"

struct listed {
	struct fixture *f;
	int n;
	char names[8][32];
};

/* A callback that commits and lists in the middle of a listing. */
static int use_the_store(void *arg, const struct wh_ref *ref)
{
	struct listed *listed = arg;
	char id[WH_ID_SIZE];

	snprintf(listed->names[listed->n++], 32, "%s%s", ref->name,
		 ref->head ? "*" : "");
	assert_int_equal(wh_revision_parse(listed->f->store, "mian", id,
					   &listed->f->err),
			 WH_ENOTFOUND); /* looks through all names */
	commit_model(listed->f, (float)listed->n);
	return 0;
}

static void a_listing_lets_the_store_be_used(void **state)
{
	struct fixture *f = *state;
	struct listed listed = {.f = f};

	commit_model(f, 9.0f);
	assert_ok(wh_branch_create(f->store, "a", NULL, false, &f->err),
		  &f->err);
	assert_ok(wh_branch_create(f->store, "z", NULL, false, &f->err),
		  &f->err);
	assert_ok(wh_branch_list(f->store, use_the_store, &listed, &f->err),
		  &f->err);
	assert_int_equal(listed.n, 3);
	assert_string_equal(listed.names[0], "a");
	assert_string_equal(listed.names[1], "main*");
	assert_string_equal(listed.names[2], "z");
}

struct moves {
	struct fixture *f;
	int n, stop_at;
	char before[WH_ID_SIZE];
};

static int follow(void *arg, const struct wh_reflog_entry *entry)
{
	struct moves *moves = arg;

	/* Newest first: each move begins where the next one ends. */
	if (moves->n && *moves->before)
		assert_string_equal(entry->to, moves->before);
	memcpy(moves->before, entry->from, sizeof(moves->before));
	assert_string_equal(entry->branch, "main");
	return ++moves->n == moves->stop_at;
}

static void the_reflog_goes_back_to_the_start(void **state)
{
	struct fixture *f = *state;
	struct moves moves = {.f = f}, some = {.f = f, .stop_at = 70};
	int i;

	for (i = 0; i < 150; i++)
		commit_model(f, (float)(i % 2));
	assert_ok(wh_reflog(f->store, "main", follow, &moves, &f->err),
		  &f->err);
	assert_int_equal(moves.n, 150);
	assert_string_equal(moves.before, "");
	assert_ok(wh_reflog(f->store, NULL, follow, &some, &f->err), &f->err);
	assert_int_equal(some.n, 70);
}

static void tags_are_fixed(void **state)
{
	struct fixture *f = *state;
	char id[WH_ID_SIZE];

	commit_model(f, 1.0f);
	assert_ok(wh_tag_create(f->store, "v1", NULL, false, &f->err), &f->err);
	commit_model(f, 2.0f);
	assert_fails(wh_tag_create(f->store, "v1", NULL, false, &f->err),
		     &f->err, WH_EEXISTS, "there is a tag 'v1' already");
	assert_ok(wh_revision_parse(f->store, "v1", id, &f->err), &f->err);
	assert_string_not_equal(id, f->result.snapshot);
	assert_ok(wh_tag_create(f->store, "v1", NULL, true, &f->err), &f->err);
	assert_ok(wh_revision_parse(f->store, "v1", id, &f->err), &f->err);
	assert_string_equal(id, f->result.snapshot);
	assert_ok(wh_tag_delete(f->store, "v1", &f->err), &f->err);
	assert_fails(wh_tag_delete(f->store, "v1", &f->err), &f->err,
		     WH_ENOTFOUND, "there is no tag 'v1'");
}

static int note_policy(void *arg, const struct wh_policy *policy)
{
	struct wh_buf *text = arg;

	assert_false(wh_buf_printf(
		text, NULL, "%s%s %s;", policy->run ? "run " : "",
		policy->run ? policy->run : policy->branch, policy->rules[0]));
	return 0;
}

static int note_rule(void *arg, const struct wh_publish_rule *rule)
{
	assert_false(wh_buf_printf(arg, NULL, "%s ", rule->revision));
	return 0;
}

static void set_policy(struct fixture *f, const char *branch, const char *run,
		       const char *rule)
{
	const char *const rules[] = {rule, NULL};

	assert_ok(wh_policy_set(f->store, branch, run, rules, &f->err),
		  &f->err);
}

static void assert_policies(struct fixture *f, const char *wanted)
{
	struct wh_buf text = {0};

	assert_ok(wh_policy_list(f->store, note_policy, &text, &f->err),
		  &f->err);
	assert_false(wh_buf_append(&text, "", 1, NULL));
	assert_string_equal((const char *)text.data, wanted);
	wh_buf_free(&text);
}

/* One that waited under the new name was of no branch; a run of the old name
 * is none. */
static void a_renamed_branch_keeps_its_policy(void **state)
{
	struct fixture *f = *state;

	commit_model(f, 1.0f);
	set_policy(f, "main", NULL, "last=3");
	set_policy(f, "trunk", NULL, "last=9");
	set_policy(f, "other", NULL, "last=1");
	set_policy(f, NULL, "main", "last=2");
	assert_ok(wh_branch_rename(f->store, "main", "trunk", &f->err),
		  &f->err);
	assert_policies(f, "other last=1;trunk last=3;run main last=2;");
	assert_ok(wh_branch_rename(f->store, "trunk", "main", &f->err),
		  &f->err);
	assert_policies(f, "main last=3;other last=1;run main last=2;");
}

static void assert_rules_after(struct fixture *f, const char *from,
			       const char *to, const char *const *revisions,
			       const char *wanted)
{
	struct wh_publish_rule rule = {.remote = "lab", .formats = "h5"};
	struct wh_buf text = {0};
	char alias[16];
	int i;

	for (i = 0; revisions[i]; i++) {
		snprintf(alias, sizeof(alias), "a%d", i);
		rule.alias = alias;
		rule.revision = revisions[i];
		assert_ok(wh_publish_rule_set(f->store, &rule, &f->err),
			  &f->err);
	}
	assert_ok(wh_branch_rename(f->store, from, to, &f->err), &f->err);
	assert_ok(wh_publish_rule_list(f->store, note_rule, &text, &f->err),
		  &f->err);
	assert_false(wh_buf_append(&text, "", 1, NULL));
	assert_string_equal((const char *)text.data, wanted);
	wh_buf_free(&text);
}

static void a_renamed_branch_is_published_still(void **state)
{
	static const char *const of_main[] = {
		"main",	       "main~2", "main^",	  "main@{1}",
		"main:latest", "main@7", "main:latest~1", "maintain",
		"HEAD",	       NULL};
	static const char *const of_best[] = {
		"best",	     "best:latest", "best~", "best:loss",    "trunk~1",
		"trunk@{0}", "Best",	    "HEAD",  "trunk:latest", NULL};
	struct fixture *f = *state;

	commit_model(f, 1.0f);
	assert_rules_after(f, "main", "tr\xc3\xbcnk", of_main,
			   "tr\xc3\xbcnk tr\xc3\xbcnk~2 tr\xc3\xbcnk^ "
			   "tr\xc3\xbcnk@{1} tr\xc3\xbcnk:latest main@7 "
			   "tr\xc3\xbcnk:latest~1 maintain HEAD ");
	assert_ok(wh_branch_rename(f->store, "tr\xc3\xbcnk", "best", &f->err),
		  &f->err);
	assert_rules_after(f, "best", "b", of_best,
			   "b best:latest b~ best:loss trunk~1 trunk@{0} Best "
			   "HEAD trunk:latest ");
}

/* Ids that share four digits: made by hand, since they are rare. */
static void an_ambiguous_id_lists_its_candidates(void **state)
{
	struct fixture *f = *state;
	char id[WH_ID_SIZE];
	int i;

	for (i = 0; i < 6; i++)
		commit_model(f, (float)i);
	damage_store(f, "UPDATE snapshot SET sha256 = CAST(x'abcd' || "
			"randomblob(30) AS BLOB) "
			"WHERE id IN (2, 3)");
	assert_fails(wh_revision_parse(f->store, "abcd", id, &f->err), &f->err,
		     WH_ENOTFOUND, "'abcd' is ambiguous; candidates: abcd");
	assert_non_null(strstr(f->err.message, ", abcd"));
	assert_null(strstr(f->err.message, "..."));
	damage_store(f, "UPDATE snapshot SET sha256 = CAST(x'abcd' || "
			"randomblob(30) AS BLOB) WHERE id > 1");
	assert_fails(wh_revision_parse(f->store, "abcd", id, &f->err), &f->err,
		     WH_ENOTFOUND, ", ...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(a_listing_lets_the_store_be_used),
		with_store(the_reflog_goes_back_to_the_start),
		with_store(tags_are_fixed),
		with_store(a_renamed_branch_keeps_its_policy),
		with_store(a_renamed_branch_is_published_still),
		with_store(an_ambiguous_id_lists_its_candidates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
