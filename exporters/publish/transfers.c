#include "publish/transfers.h"

#include <pthread.h>
#include <time.h>

#include "publish/place.h"

#define MAX_PARALLEL 16u
#define POLL_MS	     100

struct pool {
	const struct transfers *transfers;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t ended; /* a thread has */
	struct turns turns;
	unsigned n_busy;
	struct wh_error failure;
};

static void fail(struct pool *pool, const struct wh_error *err)
{
	if (!pool->failure.status)
		pool->failure = *err;
}

/* Many servers fail under load before they slow down: fewer at a time. */
static void mind_busy(struct pool *pool)
{
	struct http_meter *meter = pool->transfers->meter;
	unsigned n = meter ? atomic_load(&meter->busy) : 0;

	if (n == pool->n_busy)
		return;
	pool->n_busy = n;
	turns_halve(&pool->turns);
}

bool turns_take(struct turns *turns, size_t *index)
{
	if (turns->next < turns->n && turns->running <= turns->limit) {
		*index = turns->next++;
		return true;
	}
	turns->running--;
	return false;
}

void turns_halve(struct turns *turns)
{
	if (turns->limit > 1)
		turns->limit /= 2;
}

static bool take_turn(struct pool *pool, size_t *index)
{
	bool taken;

	pthread_mutex_lock(&pool->lock);
	mind_busy(pool);
	if (pool->failure.status)
		pool->turns.next = pool->turns.n; /* none begins any more */
	taken = turns_take(&pool->turns, index);
	if (!taken)
		pthread_cond_signal(&pool->ended);
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

static void *run_thread(void *arg)
{
	struct pool *pool = arg;
	const struct transfers *transfers = pool->transfers;
	struct wh_error err;
	size_t index;

	while (take_turn(pool, &index))
		if (transfers->transfer(transfers->arg, index, &err)) {
			pthread_mutex_lock(&pool->lock);
			fail(pool, &err);
			pthread_mutex_unlock(&pool->lock);
		}
	return NULL;
}

static void wait_some(struct pool *pool)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += POLL_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&pool->ended, &pool->lock, &until);
}

static void poll_user(struct pool *pool)
{
	const struct transfers *transfers = pool->transfers;
	struct wh_error err;

	if (!transfers->poll)
		return;
	pthread_mutex_unlock(&pool->lock);
	if (!transfers->poll(transfers->poll_arg)) {
		if (transfers->meter)
			atomic_store(&transfers->meter->cancelled, true);
		wh_fail(&err, WH_ECANCELLED, "cancelled");
		pthread_mutex_lock(&pool->lock);
		fail(pool, &err);
		return;
	}
	pthread_mutex_lock(&pool->lock);
}

static unsigned start_threads(struct pool *pool, pthread_t *threads)
{
	unsigned wanted = pool->transfers->parallel, started = 0;

	if (wanted > MAX_PARALLEL)
		wanted = MAX_PARALLEL;
	if (wanted > pool->transfers->n)
		wanted = (unsigned)pool->transfers->n;
	pool->turns.limit = wanted ? wanted : 1;
	while (started < pool->turns.limit) {
		pool->turns.running++;
		if (pthread_create(&threads[started], NULL, run_thread, pool)) {
			pool->turns.running--;
			break;
		}
		started++;
	}
	return started;
}

enum wh_status transfers_run(const struct transfers *transfers,
			     struct wh_error *err)
{
	struct pool pool = {.transfers = transfers,
			    .turns = {.n = transfers->n}};
	pthread_t threads[MAX_PARALLEL];
	unsigned i, n;

	if (!transfers->n)
		return WH_OK;
	if (transfers->meter)
		pool.n_busy = atomic_load(&transfers->meter->busy);
	pthread_mutex_init(&pool.lock, NULL);
	pthread_cond_init(&pool.ended, NULL);
	pthread_mutex_lock(&pool.lock);
	n = start_threads(&pool, threads);
	while (pool.turns.running) {
		wait_some(&pool);
		poll_user(&pool);
	}
	pthread_mutex_unlock(&pool.lock);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	pthread_cond_destroy(&pool.ended);
	pthread_mutex_destroy(&pool.lock);
	if (!n)
		return wh_fail(err, WH_EIO, "no thread can be started");
	if (pool.failure.status && err)
		*err = pool.failure;
	return pool.failure.status;
}

struct work {
	enum wh_status (*work)(void *arg, struct wh_error *err);
	void *arg;
};

static enum wh_status do_work(void *arg, size_t index, struct wh_error *err)
{
	const struct work *work = arg;

	(void)index;
	return work->work(work->arg, err);
}

enum wh_status place_work(struct place *place,
			  enum wh_status (*work)(void *arg,
						 struct wh_error *err),
			  void *arg, struct wh_error *err)
{
	struct work alone = {work, arg};
	struct transfers transfers = {.n = 1,
				      .parallel = 1,
				      .transfer = do_work,
				      .arg = &alone,
				      .meter = place->meter,
				      .poll = place->go_on,
				      .poll_arg = place->go_on_arg};

	return transfers_run(&transfers, err);
}
