#include "publish/home.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *home_folder(void)
{
	const char *home = getenv("HOME");
	struct passwd entry, *found = NULL;
	char text[4096];

	if (home && *home)
		return strdup(home);
	if (getpwuid_r(geteuid(), &entry, text, sizeof(text), &found) || !found)
		return NULL;
	return strdup(found->pw_dir);
}
