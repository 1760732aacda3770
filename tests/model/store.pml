/* Commit, gc, compacting, keep and moves of a branch, any of which may stop for ever
 * between two transactions: what store/README.md says under "How a commit
 * runs" and "Forgetting, and gc", in the same steps.
 *
 * A transaction is atomic: SQLite takes back one that a crash cuts. So crashes
 * are between them, and a step here is a transaction there.
 *
 * There are two contents of a tensor. Snapshot 0 has content 0; committers add
 * a snapshot each, and may find their tensor there or store it, coded against
 * one that is there. Snapshot 3 is the first tip and has no weights.
 *
 * NO_LEASE, NO_LOOKUP, NO_NAMED, NO_TIP and NO_EXCLUSIVE leave out a guard
 * each: then the search must find a history that breaks something.
 */
#define STORAGES  5
#define SNAPSHOTS 4
#define CONTENTS  2
#define NONE      15

#define ABSENT    0
#define LIVE      1
#define FORGOTTEN 2

#define WHOLE 2 /* chunks: 0 none, 1 some, 2 all */

/* storage and chunk */
bool row[STORAGES];
byte chunks[STORAGES];
byte base[STORAGES];
/* tensor: the storage of each content */
byte tensor[CONTENTS];
/* snapshot, forgotten, ref */
byte snapshot[SNAPSHOTS];
byte content[SNAPSHOTS];
bool acknowledged[SNAPSHOTS];
byte tip;
/* counter, lease: a lease is a storage id that its owner has reserved */
byte next_id;
bool leased[STORAGES];
byte owner[STORAGES];
bool running[SNAPSHOTS]; /* the kernel's lock of the commit that makes it */

#define is_named(s) (tensor[0] == (s) || tensor[1] == (s))
#define is_base(s) \
	((row[0] && base[0] == (s)) || (row[1] && base[1] == (s)) || \
	 (row[2] && base[2] == (s)) || (row[3] && base[3] == (s)) || \
	 (row[4] && base[4] == (s)))
#ifdef NO_LEASE
#define is_kept(s) (is_named(s) || is_base(s))
#else
#define is_kept(s) (is_named(s) || is_base(s) || leased[s])
#endif
#define wants(n, c) (snapshot[n] != ABSENT && content[n] == (c))
#define is_wanted(c) \
	(wants(0, c) || wants(1, c) || wants(2, c))

/* What a reader needs: the tensor, its storage, and what that is coded
 * against, link by link. */
#define reads(s)   (row[s] && chunks[s] == WHOLE)
#define link(s)    (base[s] == NONE || reads(base[s]))
#define readable(n) \
	(tensor[content[n]] != NONE && reads(tensor[content[n]]) && \
	 link(tensor[content[n]]) && \
	 (base[tensor[content[n]]] == NONE || link(base[tensor[content[n]]])))

#define is_whole(n) (snapshot[n] == ABSENT || readable(n))
/* A branch's tip is there; what was reported done goes only by being
 * forgotten, which gc alone turns into absent. */
inline check() {
	d_step {
		assert(is_whole(0) && is_whole(1) && is_whole(2));
		assert(snapshot[tip] == LIVE);
	}
}

/* May end here, as a process that is killed. */
#define may_die(n) \
	if \
	:: skip \
	:: atomic { running[n] = false; goto dead } \
	fi

proctype commit(byte n; byte what)
{
	byte id = NONE, against = NONE;
	bool stored = false, done = false;

	running[n] = true;
identify:
	may_die(n);
	if
	:: atomic { tensor[what] != NONE -> goto publish }
	:: tensor[what] == NONE
	fi;
	if /* the model's end: no ids are left */
	:: next_id == STORAGES -> goto dead
	:: else
	fi;
	/* Reserve, durably. */
	atomic {
		id = next_id;
		next_id++;
		leased[id] = true;
		owner[id] = n
	}
	may_die(n);
	/* Choose what to code against, in a transaction of its own. */
	if
	:: against = NONE
	:: tensor[1 - what] != NONE -> against = tensor[1 - what]
	fi;
	may_die(n);
	/* The first chunk, with the row; the base must still be named. */
	atomic {
#ifndef NO_NAMED
		if
		:: against != NONE && !is_named(against) -> against = NONE
		:: else
		fi;
#endif
		row[id] = true;
		base[id] = against;
		chunks[id] = 1
	}
	may_die(n);
	atomic { chunks[id] = WHOLE; stored = true }
publish:
	may_die(n);
	atomic {
		if
		:: stored && tensor[what] == NONE -> tensor[what] = id
#ifndef NO_LOOKUP
		:: !stored && tensor[what] == NONE -> goto identify
#endif
		:: else
		fi;
		snapshot[n] = LIVE;
		content[n] = what;
		tip = n;
		acknowledged[n] = true;
		if
		:: id != NONE -> leased[id] = false
		:: else
		fi;
		check()
	}
	running[n] = false;
dead:
	skip
}

/* keep, keep --undo, and a rollback, in any order. */
proctype people()
{
	byte n = 0, times = 0;

	do
	:: times < 3 ->
		times++;
		if
		:: n = 0
		:: n = 1
		:: n = 2
		fi;
		if
#ifdef NO_TIP
		:: atomic { snapshot[n] == LIVE -> snapshot[n] = FORGOTTEN }
#else
		:: atomic {
			snapshot[n] == LIVE && tip != n ->
			snapshot[n] = FORGOTTEN
		}
#endif
		:: atomic { snapshot[n] == FORGOTTEN -> snapshot[n] = LIVE }
		:: atomic { snapshot[n] == LIVE -> tip = n }
		:: skip
		fi
	:: break
	od
}

/* The file is written anew, in one transaction, with nobody else's in between.
 * Without that guard it is a copy that takes the store's place later. */
#ifdef NO_EXCLUSIVE
byte copied[SNAPSHOTS], copied_tip;
inline compact() {
	d_step {
		copied[0] = snapshot[0]; copied[1] = snapshot[1];
		copied[2] = snapshot[2]; copied[3] = snapshot[3];
		copied_tip = tip
	}
	d_step {
		snapshot[0] = copied[0]; snapshot[1] = copied[1];
		snapshot[2] = copied[2]; snapshot[3] = copied[3];
		tip = copied_tip;
		assert(!acknowledged[1] || snapshot[1] != ABSENT);
		assert(!acknowledged[2] || snapshot[2] != ABSENT)
	}
}
#else
inline compact() {
	check()
}
#endif

proctype gc()
{
	byte i, rounds = 0;
	bool more;

again:
	/* Leases whose lock is free are dead commits'. */
	i = 0;
	do
	:: i < STORAGES ->
		if
		:: leased[i] && !running[owner[i]] ->
			atomic { chunks[i] = (chunks[i] > 0 -> 1 : 0) }
			atomic { chunks[i] = 0; row[i] = false; base[i] = NONE }
			leased[i] = false
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < SNAPSHOTS ->
		atomic {
			if
			:: snapshot[i] == FORGOTTEN && tip != i ->
				snapshot[i] = ABSENT;
				acknowledged[i] = false
			:: else
			fi
		}
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < CONTENTS ->
		atomic {
			if
			:: !is_wanted(i) -> tensor[i] = NONE
			:: else
			fi
		}
		i++
	:: else -> break
	od;
	/* From high ids to low: chunks in as many turns as they take, and each
	 * turn looks again whether the storage is still unnamed. */
sweep:
	more = false;
	i = STORAGES;
	do
	:: i > 0 ->
		i--;
		atomic {
			if
			:: row[i] && !is_kept(i) -> chunks[i] = 1
			:: else
			fi
		}
		atomic {
			if
			:: row[i] && !is_kept(i) ->
				chunks[i] = 0;
				row[i] = false;
				base[i] = NONE;
				more = true
			:: else
			fi;
			check()
		}
	:: else -> break
	od;
	if
	:: more -> goto sweep
	:: else
	fi;
	compact();
	rounds++;
	if
	:: rounds < 2 -> goto again
	:: skip
	fi
}

/* Holds in every state, not only where a process looks. */
ltl whole {
	[] (is_whole(0) && is_whole(1) && is_whole(2) &&
	    (!acknowledged[0] || snapshot[0] != ABSENT) &&
	    (!acknowledged[1] || snapshot[1] != ABSENT) &&
	    (!acknowledged[2] || snapshot[2] != ABSENT))
}

init {
	atomic {
		byte i = 0;

		do
		:: i < STORAGES -> base[i] = NONE; i++
		:: else -> break
		od;
		tensor[0] = 0;
		tensor[1] = NONE;
		row[0] = true;
		chunks[0] = WHOLE;
		next_id = 1;
		snapshot[0] = LIVE;
		content[0] = 0;
		acknowledged[0] = true;
		snapshot[3] = LIVE;
		tip = 3;
		run commit(1, 1);
		run commit(2, 0);
		run people();
		run gc()
	}
}
