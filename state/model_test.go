package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// newRand gives a source whose seed is printed when the test fails.
func newRand(t *testing.T) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// testOptions are those of a store so small that everything spills.
func testOptions(fs vfs.FS) Options {
	return Options{Dir: "data", FS: fs, MemoryBudget: 8 << 20, MinFreeBytes: -1, BallastBytes: -1, Logger: quiet()}
}

func mustOpen(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fp(n int) (out [16]byte) {
	out[0], out[15] = byte(n), 0xff
	return out
}

// A model is what a store should hold.
type model struct {
	parts map[partID]map[string]string
	meta  map[string]string
	tick  uint64
}

func newModel() *model {
	return &model{parts: map[partID]map[string]string{}, meta: map[string]string{}}
}

func (m *model) clone() *model {
	out := &model{parts: make(map[partID]map[string]string, len(m.parts)), meta: maps.Clone(m.meta), tick: m.tick}
	for id, p := range m.parts {
		out.parts[id] = maps.Clone(p)
	}
	return out
}

func (m *model) part(id partID) map[string]string {
	if m.parts[id] == nil {
		m.parts[id] = map[string]string{}
	}
	return m.parts[id]
}

// change applies random changes to a transaction and the model alike. Ends
// of key space (empty keys, 0xff) are among the keys.
func (m *model) change(t *testing.T, r *rand.Rand, tx *Txn, fps []int, n int) {
	t.Helper()
	if r.IntN(40) == 0 {
		f := fp(fps[r.IntN(len(fps))])
		tx.DropState(f)
		maps.DeleteFunc(m.parts, func(id partID, _ map[string]string) bool { return id.fp == f })
	}
	for range n {
		id := partID{fp(fps[r.IntN(len(fps))]), []string{"rows", "errs"}[r.IntN(2)]}
		a, err := tx.Open(id.fp, id.part)
		must(t, err)
		p := m.part(id)
		key := randomKey(r)
		if high := randomKey(r); r.IntN(100) == 0 && (high == nil || bytes.Compare(key, high) < 0) {
			must(t, a.DeleteRange(key, high))
			maps.DeleteFunc(p, func(k, _ string) bool { return k >= string(key) && (high == nil || k < string(high)) })
			continue
		}
		if r.IntN(3) == 0 {
			must(t, a.Delete(key))
			delete(p, string(key))
			continue
		}
		value := bytes.Repeat([]byte{byte(r.IntN(256))}, r.IntN(1<<r.IntN(10)))
		must(t, a.Set(key, value))
		p[string(key)] = string(value)
	}
	m.count(t, r, tx, fps, n)
	if r.IntN(4) == 0 {
		key, value := fmt.Sprintf("k%d", r.IntN(20)), fmt.Sprint(r.IntN(1000))
		tx.SetMeta(key, []byte(value))
		m.meta[key] = value
	}
	if r.IntN(8) == 0 {
		key := fmt.Sprintf("k%d", r.IntN(20))
		tx.DeleteMeta(key)
		delete(m.meta, key)
	}
}

// count changes counts, each at most once: adds blindly, or reads and takes away.
func (m *model) count(t *testing.T, r *rand.Rand, tx *Txn, fps []int, n int) {
	id := partID{fp(fps[r.IntN(len(fps))]), "counts"}
	a, err := tx.Open(id.fp, id.part)
	must(t, err)
	p, counted := m.part(id), map[string]bool{}
	for range n {
		key := randomKey(r)
		if counted[string(key)] {
			continue
		}
		counted[string(key)] = true
		before, _ := binary.Uvarint([]byte(p[string(key)]))
		if before > 0 && r.IntN(2) == 0 {
			value, ok, err := a.Get(key)
			must(t, err)
			if got, err := decodeCount(value); !ok || got != before || err != nil {
				t.Fatalf("count of %q is %d, want %d", key, got, before)
			}
			if before /= 2; before == 0 {
				must(t, a.Delete(key))
				delete(p, string(key))
			} else {
				must(t, a.Set(key, binary.AppendUvarint(nil, before)))
				p[string(key)] = string(binary.AppendUvarint(nil, before))
			}
			continue
		}
		add := uint64(1 + r.IntN(100))
		must(t, a.Add(key, add))
		p[string(key)] = string(binary.AppendUvarint(nil, before+add))
	}
}

func randomKey(r *rand.Rand) []byte {
	switch r.IntN(20) {
	case 0:
		return nil
	case 1:
		return bytes.Repeat([]byte{0xff}, r.IntN(4))
	}
	return fmt.Appendf(nil, "%c%d", 'a'+r.IntN(4), r.IntN(300))
}

// opener is what Txn and Snapshot share.
type opener interface {
	Open(fp [16]byte, part string) (*Arrangement, error)
}

// check compares everything that an opener shows with the model: some
// parts by scan, ranges and prefixes, some keys by Get.
func (m *model) check(t *testing.T, r *rand.Rand, o opener, fps []int) {
	t.Helper()
	if err := m.diff(r, o, fps); err != nil {
		t.Fatal(err)
	}
}

func (m *model) diff(r *rand.Rand, o opener, fps []int) error {
	for _, f := range fps {
		for _, part := range []string{"rows", "errs", "counts"} {
			id := partID{fp(f), part}
			a, err := o.Open(id.fp, part)
			if err != nil {
				return err
			}
			want := m.parts[id]
			if err := checkPart(r, a, want); err != nil {
				return fmt.Errorf("%s: %w", id, err)
			}
		}
	}
	return nil
}

func checkPart(r *rand.Rand, a *Arrangement, want map[string]string) error {
	keys := slices.Sorted(maps.Keys(want))
	c, err := a.Cursor()
	if err != nil {
		return err
	}
	expect := func(what string, ok bool, in func(k string) bool) error {
		for _, k := range keys {
			if !in(k) {
				continue
			}
			if !ok || string(c.Key()) != k || string(c.Value()) != want[k] {
				return fmt.Errorf("%s: want %q, found %v", what, k, ok)
			}
			ok = c.Next()
		}
		if ok {
			return fmt.Errorf("%s: %q too much", what, c.Key())
		}
		return nil
	}
	if err := expect("scan", c.Range(nil, nil), func(string) bool { return true }); err != nil {
		return err
	}
	for range 3 {
		prefix := randomKey(r)
		prefix = prefix[:r.IntN(len(prefix)+1)]
		err := expect(fmt.Sprintf("prefix %q", prefix), c.Seek(prefix), func(k string) bool { return bytes.HasPrefix([]byte(k), prefix) })
		if err != nil {
			return err
		}
		low, high := randomKey(r), randomKey(r)
		err = expect(fmt.Sprintf("range %q %q", low, high), c.Range(low, high), func(k string) bool {
			return k >= string(low) && (high == nil || k < string(high))
		})
		if err != nil {
			return err
		}
	}
	for range 20 {
		key := randomKey(r)
		get := a.Get
		if r.IntN(2) == 0 {
			get = a.Read
		}
		value, ok, err := get(key)
		if err != nil {
			return err
		}
		if w, has := want[string(key)]; has != ok || ok && w != string(value) {
			return fmt.Errorf("get %q: %v, want %v", key, ok, has)
		}
	}
	return c.Close()
}

func (m *model) checkMeta(s *Snapshot) error {
	got := map[string]string{}
	err := s.MetaPrefix("k", func(key string, value []byte) bool {
		got[key] = string(value)
		return true
	})
	if err != nil {
		return err
	}
	if !maps.Equal(got, m.meta) {
		return fmt.Errorf("metadata %v, want %v", got, m.meta)
	}
	for k, v := range m.meta {
		if value, ok, err := s.Meta(k); err != nil || !ok || string(value) != v {
			return fmt.Errorf("metadata %q: %q %v", k, value, err)
		}
	}
	if tick := s.Checkpoint().Tick; tick != m.tick {
		return fmt.Errorf("tick %d, want %d", tick, m.tick)
	}
	return nil
}

// Two transactions over disjoint states, aborts, snapshots held for long,
// and restarts: everything read equals the model as of that commit.
func TestModel(t *testing.T) {
	r := newRand(t)
	fs := vfs.NewMem()
	s := mustOpen(t, testOptions(fs))
	sides := [2][]int{{1, 2, 3}, {11, 12}}
	all := append(slices.Clone(sides[0]), sides[1]...)
	m := newModel()
	txns := [2]*Txn{s.NewTxn(), s.NewTxn()}
	type held struct {
		sn *Snapshot
		m  *model
	}
	var snaps []held
	for range 1500 {
		side := r.IntN(2)
		tx := txns[side]
		next := m.clone()
		next.change(t, r, tx, sides[side], 1+r.IntN(1<<r.IntN(7)))
		if r.IntN(20) == 0 {
			tx.Abort()
		} else {
			if r.IntN(3) == 0 { // its own changes are not seen before
				for _, f := range sides[side] {
					if !slices.Contains(tx.dropped, fp(f)) {
						m.check(t, r, tx, []int{f})
					}
				}
			}
			var cp *Checkpoint
			if r.IntN(2) == 0 {
				next.tick++
				cp = &Checkpoint{Tick: next.tick}
			}
			must(t, tx.Commit(cp))
			m = next
		}
		m.check(t, r, tx, sides[side][:1])
		switch r.IntN(12) {
		case 0:
			snaps = append(snaps, held{s.Snapshot(), m.clone()})
		case 1:
			if len(snaps) > 0 {
				i := r.IntN(len(snaps))
				snaps[i].m.check(t, r, snaps[i].sn, all)
				must(t, snaps[i].m.checkMeta(snaps[i].sn))
				snaps[i].sn.Release()
				snaps = slices.Delete(snaps, i, i+1)
			}
		case 2:
			if r.IntN(10) > 0 {
				continue
			}
			for _, h := range snaps {
				h.m.check(t, r, h.sn, all)
				h.sn.Release()
			}
			snaps = snaps[:0]
			must(t, txns[0].Close())
			must(t, txns[1].Close())
			must(t, s.Close())
			s = mustOpen(t, testOptions(fs))
			txns = [2]*Txn{s.NewTxn(), s.NewTxn()}
			sn := s.Snapshot()
			m.check(t, r, sn, all)
			must(t, m.checkMeta(sn))
			sn.Release()
		}
	}
	for _, h := range snaps {
		h.m.check(t, r, h.sn, all)
		h.sn.Release()
	}
	must(t, errors.Join(txns[0].Close(), txns[1].Close(), s.Close()))
}
