package zset

// A Cursor walks an arrangement's entries in key order. What Key and Value
// return is borrowed until the cursor moves.
type Cursor interface {
	// Seek goes to the first entry whose key starts with prefix; Next then
	// stays among those. It reports whether there is one. Seeks in ascending
	// order are cheapest.
	Seek(prefix []byte) bool
	// Range goes to the first entry with low <= key < high (nil: open); Next
	// then stays in that range.
	Range(low, high []byte) bool
	Next() bool
	Key() []byte
	Value() []byte
	// Close frees the cursor and returns the first error met: Seek, Range and Next
	// report false on an error.
	Close() error
}
