package zset

// LookupReaders is how many may look keys of one Lookups up side by side.
const LookupReaders = 2

// Lookups are keys that are looked up in an arrangement at once, in ascending
// order, and the values that were found. They are reused.
type Lookups struct {
	Once  bool // the keys are not asked for again soon
	There bool // they are there, as a rule

	keys   []byte
	ends   []int
	values [][]byte // nil: there is none
	arenas [LookupReaders][]byte
}

// Reset empties it and keeps its memory.
func (l *Lookups) Reset() {
	l.keys, l.ends, l.values = l.keys[:0], l.ends[:0], l.values[:0]
	for i, a := range l.arenas {
		if a == nil {
			a = make([]byte, 0, 64) // so that no value is nil
		}
		l.arenas[i] = a[:0]
	}
}

// Add appends a copy of a key.
func (l *Lookups) Add(key []byte) {
	l.keys = append(l.keys, key...)
	l.ends = append(l.ends, len(l.keys))
	l.values = append(l.values, nil)
}

// Len gives the number of keys.
func (l *Lookups) Len() int { return len(l.ends) }

// Key gives the i-th key, borrowed until Reset.
func (l *Lookups) Key(i int) []byte {
	off := 0
	if i > 0 {
		off = l.ends[i-1]
	}
	return l.keys[off:l.ends[i]:l.ends[i]]
}

// Found notes a copy of the i-th key's value. Several readers may do so side by
// side, each of its own number and for keys of its own.
func (l *Lookups) Found(reader, i int, value []byte) {
	a := append(l.arenas[reader], value...)
	l.values[i] = a[len(l.arenas[reader]):len(a):len(a)]
	l.arenas[reader] = a
}

// Value gives the value of the i-th key, nil if there is none, borrowed until
// Reset.
func (l *Lookups) Value(i int) []byte { return l.values[i] }
