/* base/sha256_rounds.h: sha256_lanes.c's blocks, by vectors of LANES words.
 *
 * Included once for each width, which defines what NAMEs are made of, the
 * TARGET of its functions, VECTOR and what is done with one.
 */

/* Big-endian words of one block of each message: word i of all in out[i]. */
TARGET static inline void NAME(load_words)(const uint8_t *const bytes[],
					   size_t offset, VECTOR out[16])
{
	_Alignas(64) uint32_t words[16][LANES];
	unsigned i, lane;

	for (lane = 0; lane < LANES; lane++)
		for (i = 0; i < 16; i++) {
			uint32_t word;

			memcpy(&word, bytes[lane] + offset + 4 * (size_t)i, 4);
			words[i][lane] = __builtin_bswap32(word);
		}
	for (i = 0; i < 16; i++)
		out[i] = LOAD(words[i]);
}

/* FIPS 180-4, 6.2.2, of one block; `w` are the schedule's last 16 words. */
TARGET static inline void NAME(add_block)(VECTOR state[8], VECTOR w[16])
{
	VECTOR a = state[0], b = state[1], c = state[2], d = state[3];
	VECTOR e = state[4], f = state[5], g = state[6], h = state[7];
	unsigned t;

	for (t = 0; t < 64; t++) {
		VECTOR first, second, word = w[t % 16];

		if (t >= 16) {
			VECTOR w2 = w[(t + 14) % 16], w15 = w[(t + 1) % 16];

			word = ADD(ADD(word, w[(t + 9) % 16]),
				   ADD(XOR3(ROTATE(w2, 17), ROTATE(w2, 19),
					    RIGHT(w2, 10)),
				       XOR3(ROTATE(w15, 7), ROTATE(w15, 18),
					    RIGHT(w15, 3))));
			w[t % 16] = word;
		}
		first = ADD(ADD(ADD(h, word), SPREAD(constants[t])),
			    ADD(XOR3(ROTATE(e, 6), ROTATE(e, 11),
				     ROTATE(e, 25)),
				CHOOSE(e, f, g)));
		second = ADD(XOR3(ROTATE(a, 2), ROTATE(a, 13), ROTATE(a, 22)),
			     MOST(a, b, c));
		h = g;
		g = f;
		f = e;
		e = ADD(d, first);
		d = c;
		c = b;
		b = a;
		a = ADD(first, second);
	}
	state[0] = ADD(state[0], a);
	state[1] = ADD(state[1], b);
	state[2] = ADD(state[2], c);
	state[3] = ADD(state[3], d);
	state[4] = ADD(state[4], e);
	state[5] = ADD(state[5], f);
	state[6] = ADD(state[6], g);
	state[7] = ADD(state[7], h);
}

TARGET static void NAME(add_blocks)(uint32_t words[8][SHA256_LANES],
				    const uint8_t *const bytes[],
				    size_t n_blocks)
{
	VECTOR state[8], w[16];
	size_t block;
	unsigned i;

	for (i = 0; i < 8; i++)
		state[i] = LOAD(words[i]);
	for (block = 0; block < n_blocks; block++) {
		NAME(load_words)(bytes, block * SHA256_BLOCK, w);
		NAME(add_block)(state, w);
	}
	for (i = 0; i < 8; i++)
		STORE(words[i], state[i]);
}

#undef NAME
#undef TARGET
#undef LANES
#undef VECTOR
#undef ADD
#undef RIGHT
#undef ROTATE
#undef XOR3
#undef CHOOSE
#undef MOST
#undef LOAD
#undef STORE
#undef SPREAD
