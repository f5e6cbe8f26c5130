package state

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

var crashFPs = []int{1, 2, 3}

// A history is the models of all commits since the last one known to be durable.
type history []*model

// findIn checks that what a store recovered is exactly one of the history's commits.
func (h history) findIn(r *rand.Rand, s *Store) (*model, error) {
	sn := s.Snapshot()
	defer sn.Release()
	tick := sn.Checkpoint().Tick
	for _, m := range h {
		if m.tick == tick {
			return m, errors.Join(m.diff(r, sn, crashFPs), m.checkMeta(sn))
		}
	}
	return nil, fmt.Errorf("recovered tick %d, durable was %d", tick, h[0].tick)
}

// commitSome commits random changes and sometimes syncs. It ends early, with
// the error, when the store fails; the commit under way may be in or not.
func (h history) commitSome(t *testing.T, r *rand.Rand, s *Store, n int) (history, error) {
	tx := s.NewTxn()
	defer func() {
		if s.Err() == nil {
			must(t, tx.Close())
		}
	}()
	for range n {
		m := h[len(h)-1].clone()
		m.change(t, r, tx, crashFPs, 1+r.IntN(1<<r.IntN(9)))
		m.tick++
		err := tx.Commit(&Checkpoint{Tick: m.tick})
		h = append(h, m)
		if err != nil {
			return h, err
		}
		if r.IntN(6) == 0 {
			if err := s.Sync(); err != nil {
				return h, err
			}
			h = history{m}
		}
	}
	return h, nil
}

// After a crash at any point the state is that of one commit, at or after the last sync.
func TestCrash(t *testing.T) {
	r := newRand(t)
	fs := vfs.NewCrashableMem()
	h := history{newModel()}
	for range 40 {
		s := mustOpen(t, testOptions(fs))
		m, err := h.findIn(r, s)
		must(t, err)
		h = history{m}
		must(t, s.Sync())
		h, err = h.commitSome(t, r, s, r.IntN(60))
		must(t, err)
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[r.IntN(3)], RNG: r})
		must(t, s.Close())
		fs = crashed
	}
}

// Crashes while a commit, a flush or a bulk load is under way on other goroutines.
func TestCrashDuring(t *testing.T) {
	r := newRand(t)
	fs := vfs.NewCrashableMem()
	for i := range 15 {
		s := mustOpen(t, testOptions(fs))
		sn := s.Snapshot()
		tick := sn.Checkpoint().Tick
		checkUniform(t, sn, tick)
		sn.Release()
		stop, done := make(chan struct{}), make(chan error, 1)
		synced := make(chan uint64, 1)
		go func() {
			tx := s.NewTxn()
			var a []*Arrangement
			for p := range 3 {
				x, err := tx.Open(fp(p), "rows")
				if err != nil {
					done <- err
					return
				}
				a = append(a, x)
			}
			for n := tick + 1; ; n++ {
				select {
				case <-stop:
					done <- tx.Close()
					return
				default:
				}
				var err error
				for _, x := range a { // every key says the tick
					for k := range 50 {
						err = errors.Join(err, x.Set(fmt.Appendf(nil, "%d", k), fmt.Appendf(nil, "%d", n)))
					}
				}
				if err = errors.Join(err, tx.Commit(&Checkpoint{Tick: n})); err == nil && n%50 == 0 {
					err = s.Sync()
					select {
					case synced <- n:
					default:
					}
				}
				if err != nil {
					done <- err
					return
				}
			}
		}()
		at := <-synced // what it covered must survive
		for range r.IntN(3) {
			b, err := s.NewBulk(fp(100+i), "rows")
			must(t, err)
			for k := range 5000 {
				must(t, b.Add(fmt.Appendf(nil, "%d", k), []byte("x")))
			}
			must(t, b.Finish())
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})
		close(stop)
		must(t, <-done)
		must(t, s.Close())
		fs = crashed
		s = mustOpen(t, testOptions(fs))
		sn = s.Snapshot()
		if got := sn.Checkpoint().Tick; got < at {
			t.Fatalf("recovered tick %d, durable was %d", got, at)
		}
		checkUniform(t, sn, sn.Checkpoint().Tick)
		sn.Release()
		must(t, s.Close())
	}
}

func checkUniform(t *testing.T, sn *Snapshot, tick uint64) {
	t.Helper()
	if tick == 0 {
		return
	}
	for p := range 3 {
		a, err := sn.Open(fp(p), "rows")
		must(t, err)
		for k := range 50 {
			v, ok, err := a.Get(fmt.Appendf(nil, "%d", k))
			must(t, err)
			if !ok || string(v) != fmt.Sprint(tick) {
				t.Fatalf("key %d: %q at tick %d", k, v, tick)
			}
		}
	}
}

// A write error at any point fails the store in an orderly way: the error
// comes back, and reopening recovers a commit at or after the last sync.
func TestWriteErrors(t *testing.T) {
	r := newRand(t)
	failed := 0
	for n := int32(0); ; n++ {
		mem := vfs.NewCrashableMem()
		left := atomic.Int32{}
		left.Store(n)
		h, err := history{newModel()}.failing(t, r, errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && left.Add(-1) == -1 {
				return errorfs.ErrInjected
			}
			return nil
		})))
		if err != nil {
			failed++
			if code := pgerr.CodeOf(err); code != pgerr.IOError {
				t.Fatalf("write %d: %s %v", n, code, err)
			}
		}
		s := mustOpen(t, testOptions(mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: r.IntN(101), RNG: r})))
		if _, err := h.findIn(r, s); err != nil {
			t.Fatalf("write %d: %v", n, err)
		}
		must(t, s.Close())
		if left.Load() >= 0 { // the run had fewer writes
			break
		}
		n += int32(r.IntN(12)) // not all of them each time
	}
	if failed == 0 {
		t.Fatal("no injected error had an effect")
	}
}

func (h history) failing(t *testing.T, r *rand.Rand, fs vfs.FS) (history, error) {
	s, err := Open(testOptions(fs))
	if err != nil {
		return h, err
	}
	r = rand.New(rand.NewPCG(1, r.Uint64()))
	if h, err = h.commitSome(t, r, s, 120); err != nil {
		if s.Err() != nil {
			if again := s.NewTxn().Commit(nil); again == nil {
				t.Fatal("a failed store takes commits")
			}
			select {
			case <-s.Failed():
			default:
				t.Fatal("not said to have failed")
			}
		}
		return h, err
	}
	return h, s.Close()
}
