/* Publishers, a pointer that they move, and who removes what was published:
 * the steps of exporters/publish/, any of which may be a process's last one.
 *
 * A place can't do transactions: a file is there in part, or whole; a pointer
 * is replaced at once. There are two snapshots and three publishers, of which
 * two publish the same one, and one who withdraws.
 *
 * NO_ORDER, NO_LOOK, NO_POINTED and NO_GRACE leave out a guard each: then the
 * search must find a history that breaks something.
 */
#define SNAPSHOTS 2
#define NONE	  15

#define ABSENT	  0
#define PART	  1
#define WHOLE	  2

byte data[SNAPSHOTS], manifest[SNAPSHOTS];
byte pointer = NONE;
byte under_way[SNAPSHOTS]; /* publishers of it that are within the grace period */

#define is_complete(n) (data[n] == WHOLE && manifest[n] == WHOLE)

/* What readers rely on, whenever they come. */
ltl complete { [] (pointer == NONE || is_complete(pointer)) }

#define may_die \
	if \
	:: skip \
	:: goto dead \
	fi

/* Sends what lacks, verifies, then moves the pointer. */
proctype publish(byte n)
{
	under_way[n]++;
#ifdef NO_ORDER
	pointer = n;
#endif
	may_die;
	/* Some servers show what is there in part; nobody makes less of what is
	 * whole. Length and digest tell which it is. */
	if
#ifdef NO_LOOK
	:: data[n] != ABSENT
#else
	:: data[n] == WHOLE
#endif
	:: data[n] != WHOLE ->
		atomic {
			if
			:: data[n] == ABSENT -> data[n] = PART
			:: else
			fi
		}
		may_die;
		data[n] = WHOLE
	fi;
	may_die;
	if
	:: manifest[n] == WHOLE
	:: manifest[n] != WHOLE -> manifest[n] = WHOLE
	fi;
	may_die;
	pointer = n;
dead:
	/* A dead one's files are no younger than its last sign of life. */
	under_way[n]--
}

/* The files of a snapshot that no pointer names, manifests first, once the
 * grace period is over. */
proctype withdraw(byte n)
{
	do
	:: atomic {
#ifndef NO_POINTED
		pointer != n &&
#endif
#ifndef NO_GRACE
		under_way[n] == 0 &&
#endif
		manifest[n] != ABSENT -> manifest[n] = ABSENT
	   }
	   break
	:: break
	od
}

init {
	atomic {
		run publish(0);
		run publish(0);
		run publish(1);
		run withdraw(0);
		run withdraw(1)
	}
}
