package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/zset"
)

func wantCode(t *testing.T, err error, code pgerr.Code, says string) {
	t.Helper()
	if err == nil || pgerr.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		t.Fatalf("got %s %v, want %s with %q", pgerr.CodeOf(err), err, code, says)
	}
}

func TestLock(t *testing.T) {
	o := testOptions(nil)
	o.Dir = t.TempDir()
	s := mustOpen(t, o)
	_, err := Open(o)
	wantCode(t, err, pgerr.ObjectInUse, o.Dir)
	must(t, s.Close())
	s = mustOpen(t, o)
	must(t, s.Close())
}

func TestFormat(t *testing.T) {
	o := testOptions(nil)
	o.Dir = filepath.Join(t.TempDir(), "a", "b")
	s := mustOpen(t, o)
	must(t, s.Close())
	path := filepath.Join(o.Dir, formatName)
	must(t, os.WriteFile(path, []byte("helios-sql state format 3\n"), 0o600))
	_, err := Open(o)
	wantCode(t, err, pgerr.FeatureNotSupported, "format 3")
	must(t, os.WriteFile(path, []byte("something else"), 0o600))
	_, err = Open(o)
	wantCode(t, err, pgerr.ObjectNotInPrerequisite, formatName)
	must(t, os.Remove(path))
	_, err = Open(o)
	wantCode(t, err, pgerr.ObjectNotInPrerequisite, "not empty")
}

// fill commits n rows of about 100 bytes under fp(1), rows, and closes the store.
func fillAndClose(t *testing.T, o Options, n int) {
	s := mustOpen(t, o)
	tx := s.NewTxn()
	a, err := tx.Open(fp(1), "rows")
	must(t, err)
	for i := range n {
		must(t, a.Set(fmt.Appendf(nil, "%08d", i), fmt.Appendf(nil, "%0100d", i*7919)))
		if i%1000 == 0 {
			must(t, tx.Commit(nil))
		}
	}
	must(t, tx.Commit(&Checkpoint{Tick: 1}))
	must(t, s.Sync())
	must(t, tx.Close())
	must(t, s.db.Flush())
	must(t, s.Close())
}

// A flipped byte anywhere in a table is an error that names the file, or
// makes no difference; never a wrong answer.
func TestDamagedTable(t *testing.T) {
	r := newRand(t)
	o := testOptions(nil)
	o.Dir = t.TempDir()
	fillAndClose(t, o, 3000)
	tables, err := filepath.Glob(filepath.Join(o.Dir, dbName, "*.sst"))
	must(t, err)
	met := 0
	for range 40 {
		path := tables[r.IntN(len(tables))]
		good, err := os.ReadFile(path)
		must(t, err)
		bad := bytes.Clone(good)
		at := r.IntN(len(bad))
		bad[at] ^= 1 << r.IntN(8)
		must(t, os.WriteFile(path, bad, 0o600))
		if err := readAll(o, 3000); err != nil {
			met++
			wantCode(t, err, pgerr.DataCorrupted, filepath.Base(path))
			if !strings.Contains(err.Error(), "/rows") && !strings.Contains(err.Error(), "opening state") {
				t.Fatalf("error does not name the arrangement: %v", err)
			}
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
	if met == 0 {
		t.Fatal("no damage was noticed")
	}
	must(t, readAll(o, 3000))
}

func readAll(o Options, n int) error {
	s, err := Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	sn := s.Snapshot()
	defer sn.Release()
	a, err := sn.Open(fp(1), "rows")
	if err != nil {
		return err
	}
	c, err := a.Cursor()
	if err != nil {
		return err
	}
	i := 0
	for ok := c.Range(nil, nil); ok; ok = c.Next() {
		if string(c.Key()) != fmt.Sprintf("%08d", i) || string(c.Value()) != fmt.Sprintf("%0100d", i*7919) {
			return errors.Join(fmt.Errorf("wrong answer at %d: %q", i, c.Key()), c.Close())
		}
		i++
	}
	if err := c.Close(); err != nil {
		return err
	}
	if i != n {
		return fmt.Errorf("wrong answer: %d rows", i)
	}
	tx := s.NewTxn()
	defer tx.Close()
	if a, err = tx.Open(fp(1), "rows"); err != nil {
		return err
	}
	for i := 0; i < n; i += 17 {
		v, ok, err := a.Get(fmt.Appendf(nil, "%08d", i))
		if err != nil {
			return err
		}
		if !ok || string(v) != fmt.Sprintf("%0100d", i*7919) {
			return fmt.Errorf("wrong answer to get %d", i)
		}
	}
	return nil
}

func TestBulk(t *testing.T) {
	r := newRand(t)
	for _, rows := range []int{0, 1, 1000, 60_000} {
		for _, order := range []string{"ascending", "local", "random"} {
			fs := vfs.NewCrashableMem()
			s := mustOpen(t, testOptions(fs))
			tx := s.NewTxn()
			a, err := tx.Open(fp(1), "rows")
			must(t, err)
			must(t, tx.Commit(nil))
			if _, ok, err := a.Get([]byte("00000000")); ok || err != nil { // cached as absent
				t.Fatal(ok, err)
			}
			perm := make([]int, rows)
			for i := range perm {
				perm[i] = i
			}
			switch order {
			case "local":
				for i := range perm {
					j := min(i+r.IntN(50), rows-1)
					perm[i], perm[j] = perm[j], perm[i]
				}
			case "random":
				r.Shuffle(rows, func(i, j int) { perm[i], perm[j] = perm[j], perm[i] })
			}
			aborted, err := s.NewBulk(fp(2), "rows")
			must(t, err)
			b, err := s.NewBulk(fp(1), "rows")
			must(t, err)
			for _, i := range perm {
				key, value := fmt.Appendf(nil, "%08d", i), fmt.Appendf(nil, "%050d", i)
				must(t, b.Add(key, value))
				must(t, aborted.Add(key, value))
			}
			must(t, aborted.Abort())
			must(t, b.Finish())
			must(t, b.Abort())
			check := func(s *Store) {
				t.Helper()
				sn := s.Snapshot()
				defer sn.Release()
				for n, want := range map[int]int{1: rows, 2: 0} {
					a, err := sn.Open(fp(n), "rows")
					must(t, err)
					c, err := a.Cursor()
					must(t, err)
					i := 0
					for ok := c.Range(nil, nil); ok; ok = c.Next() {
						if string(c.Key()) != fmt.Sprintf("%08d", i) || string(c.Value()) != fmt.Sprintf("%050d", i) {
							t.Fatalf("%s: %q at %d", order, c.Key(), i)
						}
						i++
					}
					must(t, c.Close())
					if i != want {
						t.Fatalf("%s: %d rows, want %d", order, i, want)
					}
				}
			}
			check(s)
			if _, ok, err := a.Get([]byte("00000000")); ok != (rows > 0) || err != nil {
				t.Fatal(ok, err)
			}
			crashed := mustOpen(t, testOptions(fs.CrashClone(vfs.CrashCloneCfg{})))
			check(crashed)
			must(t, crashed.Close())
			left, err := fs.List("data/" + bulkName)
			must(t, err)
			if len(left) != 0 {
				t.Fatalf("left behind: %v", left)
			}
			must(t, errors.Join(tx.Close(), s.Close()))
		}
	}
}

func TestBulkDuplicate(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	b, err := s.NewBulk(fp(1), "rows")
	must(t, err)
	must(t, b.Add([]byte("k"), nil))
	must(t, b.Add([]byte("k"), nil))
	wantCode(t, b.Finish(), pgerr.InternalError, "twice")
	must(t, b.Abort())
	must(t, s.Close())
}

// Counts are added up in runs, between runs, between loads, and with what is there.
func TestBulkCounts(t *testing.T) {
	r := newRand(t)
	fs := vfs.NewCrashableMem()
	s := mustOpen(t, testOptions(fs))
	m := map[string]string{}
	add := func(key []byte, n uint64) {
		before, _ := binary.Uvarint([]byte(m[string(key)]))
		m[string(key)] = string(binary.AppendUvarint(nil, before+n))
	}
	check := func(s *Store) {
		t.Helper()
		sn := s.Snapshot()
		defer sn.Release()
		a, err := sn.Open(fp(1), "rows")
		must(t, err)
		must(t, checkPart(r, a, m))
	}
	tx := s.NewTxn()
	a, err := tx.Open(fp(1), "rows")
	must(t, err)
	for i := range 100 {
		key := fmt.Appendf(nil, "%c%d", 'a'+i%4, i)
		must(t, a.Add(key, 1<<40))
		add(key, 1<<40)
	}
	must(t, tx.Commit(nil))
	check(s)
	for load := range 3 {
		b, err := s.NewBulk(fp(1), "rows")
		must(t, err)
		row := randomKey(r)
		pad := bytes.Repeat([]byte("p"), 500) // several runs
		for i := range 30_000 {
			switch {
			case load == 2 && i > 10_000: // equal ones in a row, ascending
				row = fmt.Appendf(row[:0], "%c%d", 'a'+i/10_000, 100+i%10_000/500)
			case r.IntN(3) > 0:
				row = randomKey(r)
			default:
				row = append(fmt.Appendf(row[:0], "%c%d", 'a'+r.IntN(4), r.IntN(4000)), pad...)
			}
			n := uint64(1 + r.IntN(200)*r.IntN(2))
			must(t, b.AddCount(row, n))
			add(row, n)
			if r.IntN(15_000) == 0 {
				must(t, b.Ingest())
				check(s)
			}
		}
		if load == 0 && b.seq < 4 {
			t.Fatalf("%d tables written", b.seq)
		}
		must(t, b.Finish())
		check(s)
	}
	for _, key := range slices.Sorted(maps.Keys(m))[:50] { // as any count
		must(t, a.Add([]byte(key), 3))
		add([]byte(key), 3)
	}
	must(t, tx.Commit(nil))
	check(s)
	must(t, s.Sync())
	crashed := mustOpen(t, testOptions(fs.CrashClone(vfs.CrashCloneCfg{})))
	check(crashed)
	must(t, errors.Join(crashed.Close(), tx.Close(), s.Close()))
}

func TestVoidArrangements(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	tx := s.NewTxn()
	a, err := tx.Open(fp(1), "rows")
	must(t, err)
	must(t, a.Set([]byte("k"), []byte("v")))
	must(t, tx.Commit(nil))
	sn := s.Snapshot()
	old, err := sn.Open(fp(1), "rows")
	must(t, err)
	wantCode(t, old.Set(nil, nil), pgerr.InternalError, "snapshot")

	tx.DropState(fp(1))
	wantCode(t, a.Set(nil, nil), pgerr.InternalError, "dropped")
	b, err := tx.Open(fp(1), "rows")
	must(t, err)
	if b.num == a.num {
		t.Fatal("number used again")
	}
	must(t, tx.Commit(nil))
	if _, ok, err := b.Get([]byte("k")); ok || err != nil {
		t.Fatal(ok, err)
	}
	if v, ok, err := old.Get([]byte("k")); !ok || err != nil || string(v) != "v" {
		t.Fatal(ok, err)
	}
	c, err := tx.Open(fp(2), "rows")
	must(t, err)
	tx.Abort()
	wantCode(t, c.Set(nil, nil), pgerr.InternalError, "dropped")
	sn.Release()
	must(t, tx.Close())
	must(t, s.Close())
	wantCode(t, s.Sync(), pgerr.AdminShutdown, "closed")
	_, err = s.Snapshot().Open(fp(1), "rows")
	wantCode(t, err, pgerr.AdminShutdown, "closed")
}

func TestCollector(t *testing.T) {
	s := mustOpen(t, testOptions(vfs.NewMem()))
	tx := s.NewTxn()
	for i := range 3 {
		_, err := tx.Open(fp(i), "rows")
		must(t, err)
	}
	must(t, tx.Commit(nil))
	reg := prometheus.NewPedanticRegistry()
	must(t, reg.Register(s.Collector(func(fp [16]byte) string {
		return []string{"", "v", "v"}[fp[0]] // one unnamed, two of one view
	})))
	families, err := reg.Gather()
	must(t, err)
	if len(families) != len(figures)+1 {
		t.Fatalf("%d families", len(families))
	}
	must(t, errors.Join(tx.Close(), s.Close()))
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(appendCheckpoint(nil, &Checkpoint{Tick: 9, WallMicros: -1, Sources: map[uint32]SourcePosition{3: {1, 2, 3}}}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := decodeCheckpoint(b)
		if err != nil {
			return
		}
		d, err := decodeCheckpoint(appendCheckpoint(nil, c))
		if err != nil || fmt.Sprint(*c) != fmt.Sprint(*d) {
			t.Fatalf("%v: %v, %v", err, c, d)
		}
	})
}

// Many keys looked up at once are what each is by itself, there or not, kept at
// hand or not, in a transaction and in a snapshot.
func TestGetAll(t *testing.T) {
	o := testOptions(nil)
	o.Dir = t.TempDir()
	s := mustOpen(t, o)
	defer s.Close()
	txn := s.NewTxn()
	defer txn.Close()
	a, err := txn.Open([16]byte{1}, "rows")
	if err != nil {
		t.Fatal(err)
	}
	key := func(i int) []byte { return fmt.Appendf(nil, "%06d", i) }
	check := func(a *Arrangement, round int) {
		t.Helper()
		for _, n := range []int{0, 1, 100, 5000} {
			for _, how := range [][2]bool{{}, {}, {true, false}, {false, true}, {true, true}} {
				l := zset.Lookups{Once: how[0], There: how[1]}
				l.Reset()
				for i := range n {
					l.Add(key(i))
				}
				if err := a.GetAll(&l); err != nil {
					t.Fatal(err)
				}
				for i := range n {
					want := []byte(nil)
					if i%3 > 0 && round > 0 {
						want = fmt.Appendf(nil, "value %d of %d", i, round)
					}
					if v := l.Value(i); !bytes.Equal(v, want) || (v == nil) != (want == nil) {
						t.Fatalf("round %d, %d keys, once and there %v: key %d is %q, want %q", round, n, how, i, v, want)
					}
				}
			}
		}
	}
	check(a, 0)
	for round := 1; round < 4; round++ {
		for i := range 5000 {
			if i%3 > 0 {
				if err := a.Set(key(i), fmt.Appendf(nil, "value %d of %d", i, round)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := txn.Commit(nil); err != nil {
			t.Fatal(err)
		}
		check(a, round)
		snap := s.Snapshot()
		b, err := snap.Open([16]byte{1}, "rows")
		if err != nil {
			t.Fatal(err)
		}
		check(b, round)
		snap.Release()
	}
}
