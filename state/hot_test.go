package state

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
)

// What the cache says of a key is always the latest, through evictions,
// entries that grow and shrink, and padding at the end of the ring.
func TestHotCache(t *testing.T) {
	r := newRand(t)
	c := newHotCache(0)
	var commits atomic.Uint64
	latest := map[string]string{} // of all keys; absent ones are not there
	hits := 0
	for i := range 300_000 {
		key := append(appendNumber(nil, 1+uint32(r.IntN(2))), fmt.Sprint(min(r.IntN(20_000), r.IntN(20_000)))...)
		h := maphash.Bytes(c.seed, key)
		switch r.IntN(4) {
		case 0:
			if ok := r.IntN(4) > 0; ok {
				value := bytes.Repeat([]byte{byte(i)}, r.IntN(1<<r.IntN(9)))
				latest[string(key)] = string(value)
				c.update(key, value, pebble.InternalKeyKindSet)
			} else {
				delete(latest, string(key))
				c.update(key, nil, pebble.InternalKeyKindDelete)
			}
		default:
			want, has := latest[string(key)]
			value, ok, found := c.get(h, key, nil)
			if !found {
				c.fill(h, key, []byte(want), has, &commits, commits.Load())
				continue
			}
			hits++
			if ok != has || string(value) != want {
				t.Fatalf("step %d: %q: %v %q, want %v %q", i, key, ok, value, has, want)
			}
		}
		if i%50_000 == 0 {
			c.forget(2)
			for k := range latest {
				if k[3] == 2 {
					delete(latest, k)
				}
			}
		}
	}
	if hits < 10_000 {
		t.Fatalf("%d hits", hits)
	}
	for i := range c.shards {
		s := &c.shards[i]
		n := 0
		for _, slot := range s.table {
			if slot.place != 0 {
				n++
			}
		}
		if n != s.live || s.used > len(s.ring) {
			t.Fatalf("shard %d: %d live of %d, %d used of %d", i, n, s.live, s.used, len(s.ring))
		}
	}
	// A value read before a commit began does not go in after it.
	key := []byte("0001stale")
	commits.Store(2)
	c.fill(maphash.Bytes(c.seed, key), key, []byte("old"), true, &commits, 0)
	if _, _, found := c.get(maphash.Bytes(c.seed, key), key, nil); found {
		t.Fatal("stale value cached")
	}
}

func TestHotCacheAllocatesNothing(t *testing.T) {
	c := newHotCache(0)
	var commits atomic.Uint64
	key, value, dst := []byte("0001key-000"), make([]byte, 60), make([]byte, 0, 100)
	n := 0
	step := func() {
		n++
		key[9], key[10] = byte(n), byte(n>>8)
		h := maphash.Bytes(c.seed, key)
		if _, _, found := c.get(h, key, dst); !found {
			c.fill(h, key, value, true, &commits, 0)
		}
		c.update(key, value[:30], pebble.InternalKeyKindSet)
	}
	for range 1 << 17 {
		step()
	}
	if allocs := testing.AllocsPerRun(1000, step); allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}
