/* Rules as texts: keep.h, public. */
#include "keep.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const struct {
	const char *name;
	enum keep_kind kind;
} kinds[] = {
	{"last", KEEP_LAST}, {"best", KEEP_BEST},     {"every", KEEP_EVERY},
	{"tag", KEEP_TAG},   {"within", KEEP_WITHIN},
};

/* As best: in a revision: STORE.md, "Metrics". */
bool metric_lower_is_better(const char *metric)
{
	return text_ends(metric, "loss") || text_ends(metric, "error") ||
	       text_ends(metric, "mae") || text_ends(metric, "mse");
}

/* A count above zero, and what follows its digits. */
static bool take_count(const char *text, uint64_t *n, const char **rest)
{
	size_t len = strspn(text, "0123456789");
	char digits[20];

	if (len == 0 || len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	*rest = text + len;
	return text_to_u64(digits, n) && *n > 0;
}

bool wh_duration_parse(const char *text, int64_t *seconds)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = {{"s", 1},	   {"m", 60},	  {"h", 3600},
		     {"d", 86400}, {"w", 604800}, {"", 1}};
	const char *rest;
	uint64_t n;
	size_t i;

	if (strcmp(text, "0") == 0) {
		*seconds = 0;
		return true;
	}
	if (!take_count(text, &n, &rest))
		return false;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(rest, units[i].unit) == 0 &&
		    n <= (uint64_t)(INT64_MAX / units[i].seconds) / 4) {
			*seconds = (int64_t)n * units[i].seconds;
			return true;
		}
	return false;
}

static bool parse_best(const char *value, struct arena *arena,
		       struct keep_rule *rule)
{
	const char *metric;
	char *name, *way;

	if (!take_count(value, &rule->n, &metric) || *metric++ != ':')
		return false;
	name = arena_strdup(arena, metric);
	if (!name || !*name)
		return false;
	way = strrchr(name, ':');
	rule->lowest = metric_lower_is_better(name);
	if (way && (strcmp(way, ":min") == 0 || strcmp(way, ":max") == 0)) {
		rule->lowest = way[2] == 'i';
		*way = '\0';
	}
	rule->metric = name;
	return *name != '\0';
}

static bool parse_every(const char *value, struct keep_rule *rule)
{
	static const struct {
		const char *name;
		enum keep_unit unit;
		uint64_t scale;
	} units[] = {{"", KEEP_STEPS, 1},
		     {"step", KEEP_STEPS, 1},
		     {"epoch", KEEP_EPOCHS, 1},
		     {"h", KEEP_SECONDS, 3600},
		     {"d", KEEP_SECONDS, 86400}};
	const char *unit;
	size_t i;

	if (!take_count(value, &rule->n, &unit))
		return false;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(unit, units[i].name) == 0 &&
		    rule->n <= INT64_MAX / units[i].scale) {
			rule->unit = units[i].unit;
			rule->n *= units[i].scale;
			return true;
		}
	return false;
}

static bool parse_value(const char *value, struct arena *arena,
			struct keep_rule *rule)
{
	const char *rest;
	int64_t seconds;

	switch (rule->kind) {
	case KEEP_LAST:
		return take_count(value, &rule->n, &rest) && !*rest;
	case KEEP_BEST:
		return parse_best(value, arena, rule);
	case KEEP_EVERY:
		return parse_every(value, rule);
	case KEEP_TAG:
		rule->metric = arena_strdup(arena, value);
		return rule->metric && *value;
	case KEEP_WITHIN:
		if (!wh_duration_parse(value, &seconds) || seconds == 0)
			return false;
		rule->n = (uint64_t)seconds;
		return true;
	}
	return false;
}

static enum wh_status parse_rule(const char *text, struct arena *arena,
				 struct keep_rule *rule, struct wh_error *err)
{
	const char *equals = strchr(text, '=');
	size_t i, len = equals ? (size_t)(equals - text) : strlen(text);
	char *shown = arena_strdup(arena, text);

	if (!shown)
		return wh_fail_memory(err);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].name) != len ||
		    strncmp(kinds[i].name, text, len) != 0)
			continue;
		rule->kind = kinds[i].kind;
		if (!equals || !parse_value(equals + 1, arena, rule))
			return wh_fail(err, WH_EINVAL,
				       "'%s' is no value of the rule '%s'",
				       equals ? equals + 1 : "", kinds[i].name);
		shown[len] = ' ';
		rule->text = shown;
		return WH_OK;
	}
	return wh_fail(err, WH_EINVAL,
		       "there is no rule '%s': rules are last, best, every, "
		       "tag, within",
		       text);
}

enum wh_status keep_parse(const char *const *texts, struct arena *arena,
			  struct keep_rule rules[KEEP_MAX_RULES],
			  size_t *n_rules, struct wh_error *err)
{
	size_t n = 0;

	for (; texts && *texts; texts++) {
		if (n == KEEP_MAX_RULES)
			return wh_fail(err, WH_EINVAL,
				       "there are too many "
				       "rules");
		memset(&rules[n], 0, sizeof(rules[n]));
		WH_TRY(parse_rule(*texts, arena, &rules[n++], err));
	}
	if (!n)
		return wh_fail(err, WH_EINVAL,
			       "without a rule nothing would be kept; say "
			       "which snapshots to keep");
	*n_rules = n;
	return WH_OK;
}
