#include "base/late.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

static enum wh_status complain(struct wh_error *err)
{
	const char *text = dlerror();

	return wh_fail(err, WH_EUNSUPPORTED,
		       "a library that this needs can't be loaded: %s",
		       text ? text : "unknown error");
}

static enum wh_status find_symbols(const struct late_library *library,
				   void *object, struct wh_error *err)
{
	const struct late_symbol *symbol;
	void *address;

	for (symbol = library->symbols; symbol->name; symbol++) {
		address = dlsym(object, symbol->name);
		if (!address)
			return complain(err);
		memcpy(symbol->pointer, &address, sizeof(address));
	}
	return WH_OK;
}

/* Functions are bound when they are first called: most never are. */
static enum wh_status load(struct late_library *library, struct wh_error *err)
{
	void *object = dlopen(library->soname, RTLD_LAZY | RTLD_LOCAL);
	enum wh_status status;

	if (!object)
		return complain(err);
	status = find_symbols(library, object, err);
	if (status)
		dlclose(object);
	else
		atomic_store(&library->loaded, true);
	return status;
}

enum wh_status late_load(struct late_library *library, struct wh_error *err)
{
	enum wh_status status = WH_OK;

	if (!library->soname || atomic_load(&library->loaded))
		return WH_OK;
	pthread_mutex_lock(&turn);
	if (!atomic_load(&library->loaded))
		status = load(library, err);
	pthread_mutex_unlock(&turn);
	return status;
}
