package state

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The benchmarks' size: enough to show a trend; the figures in the manual come from 3,000,000 keys.
var benchKeys = 100_000

const benchBudget = 1 << 30

func benchKey(buf []byte, i uint64) []byte {
	buf = binary.BigEndian.AppendUint64(buf[:0], i*0x9e3779b97f4a7c15) // scattered
	buf = binary.BigEndian.AppendUint64(buf, i)
	return binary.BigEndian.AppendUint64(buf, i)
}

func openBench(b *testing.B) (*Store, *Txn, *Arrangement) {
	s, err := Open(Options{Dir: b.TempDir(), MemoryBudget: benchBudget, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	t := s.NewTxn()
	a, err := t.Open([16]byte{1}, "rows")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := t.Close(); err != nil {
			b.Error(err)
		}
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s, t, a
}

func loadBench(b *testing.B, t *Txn, a *Arrangement, n int) {
	start := time.Now()
	key, value := make([]byte, 0, 24), make([]byte, 60)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		for j := 0; j < 40; j += 8 {
			binary.LittleEndian.PutUint64(value[j:], r.Uint64())
		}
		if err := a.Set(benchKey(key, uint64(i)), value); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 999 {
			if err := t.Commit(nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := t.Commit(nil); err != nil {
		b.Fatal(err)
	}
	b.Logf("loaded %d keys by commits of 1000: %.0f/s", n, float64(n)/time.Since(start).Seconds())
}

// benchRMW reads, changes and writes picked keys, in ticks of 1000: one by one
// in the order picked, or as operators do, consolidated and in order of key.
func benchRMW(b *testing.B, consolidated bool, pick func() uint64) {
	s, t, a := openBench(b)
	loadBench(b, t, a, benchKeys)
	value := make([]byte, 60)
	keys := make([][24]byte, 1000)
	tick := func() {
		keys = keys[:1000]
		for i := range keys {
			benchKey(keys[i][:0], pick())
		}
		if consolidated {
			slices.SortFunc(keys, func(x, y [24]byte) int { return bytes.Compare(x[:], y[:]) })
			keys = slices.Compact(keys)
		}
		for i := range keys {
			v, ok, err := a.Get(keys[i][:])
			if err != nil || !ok || len(v) != 60 {
				b.Fatal(len(v), ok, err)
			}
			copy(value, v)
			value[i%60]++
			if err := a.Set(keys[i][:], value); err != nil {
				b.Fatal(err)
			}
		}
		if err := t.Commit(&Checkpoint{Tick: 1}); err != nil {
			b.Fatal(err)
		}
	}
	for range benchKeys / 2000 { // warm
		tick()
	}
	m := s.Metrics()
	b.ResetTimer()
	for range b.N {
		tick()
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "rmw/s")
	n := s.Metrics()
	b.ReportMetric(float64(n.HotHits-m.HotHits)/float64(n.HotHits-m.HotHits+n.HotMisses-m.HotMisses), "hot-hit-ratio")
}

func BenchmarkReadModifyWrite(b *testing.B) {
	for _, c := range []struct {
		name         string
		consolidated bool
	}{{"one by one", false}, {"consolidated", true}} {
		b.Run("uniform "+c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(2, 2))
			benchRMW(b, c.consolidated, func() uint64 { return r.Uint64N(uint64(benchKeys)) })
		})
		b.Run("zipf "+c.name, func(b *testing.B) {
			z := rand.NewZipf(rand.New(rand.NewPCG(3, 3)), 1.1, 1, uint64(benchKeys-1))
			benchRMW(b, c.consolidated, z.Uint64)
		})
	}
}

func BenchmarkGet(b *testing.B) {
	_, t, a := openBench(b)
	loadBench(b, t, a, benchKeys)
	for _, c := range []struct {
		name string
		base uint64
		want bool
	}{{"present", 0, true}, {"absent", 1 << 40, false}} {
		b.Run(c.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(4, 4))
			key := make([]byte, 0, 24)
			b.ReportAllocs()
			for range b.N {
				_, ok, err := a.Get(benchKey(key, c.base+r.Uint64N(uint64(benchKeys))))
				if err != nil || ok != c.want {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkCommitOneKey(b *testing.B) {
	for _, sync := range []bool{false, true} {
		name := map[bool]string{false: "unsynced", true: "synced"}[sync]
		b.Run(name, func(b *testing.B) {
			s, t, a := openBench(b)
			key, value := make([]byte, 0, 24), make([]byte, 60)
			b.ReportAllocs()
			for i := range b.N {
				if err := a.Set(benchKey(key, uint64(i%1000)), value); err != nil {
					b.Fatal(err)
				}
				if err := t.Commit(&Checkpoint{Tick: uint64(i)}); err != nil {
					b.Fatal(err)
				}
				if sync {
					if err := s.Sync(); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	s, t, a := openBench(b)
	loadBench(b, t, a, 10_000)
	key := make([]byte, 0, 24)
	b.Run("take", func(b *testing.B) {
		for range b.N {
			s.Snapshot().Release()
		}
	})
	b.Run("point read", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			sn := s.Snapshot()
			a, err := sn.Open([16]byte{1}, "rows")
			if err != nil {
				b.Fatal(err)
			}
			if _, ok, err := a.Get(benchKey(key, uint64(i%10_000))); !ok || err != nil {
				b.Fatal(ok, err)
			}
			sn.Release()
		}
	})
	b.Run("scan", func(b *testing.B) {
		sn := s.Snapshot()
		defer sn.Release()
		a, err := sn.Open([16]byte{1}, "rows")
		if err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		for n := 0; n < b.N; {
			c, err := a.Cursor()
			if err != nil {
				b.Fatal(err)
			}
			for ok := c.Range(nil, nil); ok && n < b.N; ok = c.Next() {
				n++
			}
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCursorSeek(b *testing.B) {
	_, t, a := openBench(b)
	loadBench(b, t, a, benchKeys)
	r := rand.New(rand.NewPCG(5, 5))
	c, err := a.Cursor()
	if err != nil {
		b.Fatal(err)
	}
	key := make([]byte, 0, 24)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		if !c.Seek(benchKey(key, r.Uint64N(uint64(benchKeys)))[:8]) {
			b.Fatal("not there")
		}
		c.Next()
	}
	if err := c.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkBulk(b *testing.B) {
	for _, c := range []struct {
		name string
		key  func(buf []byte, i uint64) []byte
	}{
		{"ascending", func(buf []byte, i uint64) []byte { return benchAscending(buf, i) }},
		{"nearly ascending", func(buf []byte, i uint64) []byte { return benchAscending(buf, i^3) }},
		{"random", benchKey},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, _, _ := openBench(b)
			key, value := make([]byte, 0, 24), make([]byte, 60)
			r := rand.New(rand.NewPCG(6, 6))
			b.ResetTimer()
			l, err := s.NewBulk([16]byte{2}, "rows")
			if err != nil {
				b.Fatal(err)
			}
			for i := range b.N {
				for j := 0; j < 40; j += 8 {
					binary.LittleEndian.PutUint64(value[j:], r.Uint64())
				}
				key = c.key(key, uint64(i))
				if err := l.Add(key, value); err != nil {
					b.Fatal(err)
				}
			}
			if err := l.Finish(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func benchAscending(buf []byte, i uint64) []byte {
	buf = binary.BigEndian.AppendUint64(buf[:0], i>>4)
	buf = binary.BigEndian.AppendUint64(buf, i)
	return binary.BigEndian.AppendUint64(buf, i)
}
