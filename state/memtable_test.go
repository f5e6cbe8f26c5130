package state

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A batch that is said to fit never makes a new memtable, whatever its entries
// are, and most small ones fit.
func TestMemTableFits(t *testing.T) {
	r := newRand(t)
	s := mustOpen(t, testOptions(vfs.NewMem()))
	tx := s.NewTxn()
	a, err := tx.Open(fp(1), "rows")
	must(t, err)
	fitted, all := 0, 0
	for n := 0; s.events.memTables.Load() < 8; n++ {
		for range 1 + r.IntN(40) {
			key := fmt.Appendf(nil, "%0*d", 1+r.IntN(60), r.IntN(1<<20))
			switch r.IntN(3) {
			case 0:
				must(t, a.Delete(key))
			case 1:
				must(t, a.Set(key, make([]byte, r.IntN(4))))
			default:
				must(t, a.Set(key, make([]byte, r.IntN(100))))
			}
		}
		s.commitMu.Lock()
		fits := s.memTable.fits(s, tx.batch)
		s.commitMu.Unlock()
		before := s.events.memTables.Load()
		must(t, tx.Commit(&Checkpoint{Tick: uint64(n + 1)}))
		if after := s.events.memTables.Load(); fits && after != before {
			t.Fatalf("commit %d made memtable %d", n, after)
		}
		all++
		if fits {
			fitted++
		}
	}
	must(t, tx.Close())
	must(t, s.Close())
	if t.Logf("%d of %d fitted", fitted, all); fitted < all/8 { // none does while a flush is under way
		t.Errorf("%d of %d fitted", fitted, all)
	}
}
