package state

import "github.com/cockroachdb/pebble/v2"

// A memTable is what is known of Pebble's present one: whether a batch has
// room in it. A batch that has not waits for logs and perhaps flushes, and for
// ever if these fail (see failure).
type memTable struct {
	number uint64 // of those made
	size   int64  // 0: not known
	used   int64  // at most, nearly for certain
}

// What an entry takes in a memtable beside its bytes: a node of 24 bytes, padding,
// and links of 8 bytes to each of up to 20 levels, 1.6 on average.
const (
	entryBytes     = 48
	entryMostBytes = 24 + 8 + 20*8
)

// directBytes is the size of batches that are worth it: beyond, to wake the applier is nothing.
const directBytes = 32 << 10

// fits reports whether a small batch is certain to have room.
func (m *memTable) fits(s *Store, b *pebble.Batch) bool {
	if b.Len() > directBytes || s.events.flushes.Load() > 0 {
		return false
	}
	m.look(s)
	if m.size == 0 {
		if now := s.db.Metrics().MemTable; now.Count == 1 {
			m.size = int64(now.Size)
		}
	}
	return m.used+int64(b.Len())+int64(b.Count())*entryMostBytes <= m.size
}

// took notes that a batch was applied, the one that made the present memtable too.
func (m *memTable) took(s *Store, bytes int64) {
	m.look(s)
	m.used += bytes
}

// memTableBytes is what a batch takes.
func memTableBytes(b *pebble.Batch) int64 { return int64(b.Len()) + int64(b.Count())*entryBytes }

func (m *memTable) look(s *Store) {
	if n := s.events.memTables.Load(); n != m.number {
		*m = memTable{number: n}
	}
}
