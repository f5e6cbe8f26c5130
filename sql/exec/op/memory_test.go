package op_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/sql/exec/op"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A Memory is a sorted map of which reads see what was committed.
func TestMemory(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	m := op.NewMemory(nil)
	model, pending := map[string]string{}, map[string]string{}
	key := func() []byte { return fmt.Appendf(nil, "%03d", rng.IntN(300))[:1+rng.IntN(3)] }
	for range 3000 {
		k := key()
		switch rng.IntN(8) {
		case 0:
			if err := m.Commit(); err != nil {
				t.Fatal(err)
			}
			model = maps.Clone(pending)
		case 1:
			delete(pending, string(k))
			if err := m.Delete(k); err != nil {
				t.Fatal(err)
			}
		case 2, 3:
			v := bytes.Repeat([]byte{byte(rng.IntN(256))}, rng.IntN(2000))
			pending[string(k)] = string(v)
			if err := m.Set(k, v); err != nil {
				t.Fatal(err)
			}
		default:
			checkMemory(t, m, model, k, key())
		}
	}
}

func checkMemory(t *testing.T, m *op.Memory, model map[string]string, k, high []byte) {
	v, ok, err := m.Get(k)
	if want, there := model[string(k)]; err != nil || ok != there || string(v) != want {
		t.Fatalf("Get(%s): %d bytes, %v, %v; want %d, %v", k, len(v), ok, err, len(want), there)
	}
	c, err := m.Cursor()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	walk := func(what string, ok bool, in func(string) bool) {
		for _, want := range slices.Sorted(maps.Keys(model)) {
			if !in(want) {
				continue
			}
			if !ok || string(c.Key()) != want || string(c.Value()) != model[want] {
				t.Fatalf("%s: not at %s", what, want)
			}
			ok = c.Next()
		}
		if ok {
			t.Fatalf("%s: goes on at %s", what, c.Key())
		}
	}
	walk("Seek", c.Seek(k), func(s string) bool { return bytes.HasPrefix([]byte(s), k) })
	walk("Range", c.Range(k, high), func(s string) bool { return s >= string(k) && s < string(high) })
}

func TestMemoryBudget(t *testing.T) {
	m := op.NewMemory(&op.Budget{Limit: 1 << 20})
	var err error
	for i := 0; err == nil; i++ {
		if i > 20_000 {
			t.Fatal("the budget has no effect")
		}
		if err = m.Set(fmt.Appendf(nil, "%08d", i), make([]byte, 100)); err == nil {
			err = m.Commit()
		}
	}
	if pgerr.CodeOf(err) != pgerr.OutOfMemory {
		t.Errorf("error %v", err)
	}
	if n := m.Len(); n < 5_000 {
		t.Errorf("only %d entries fit", n)
	}
}
