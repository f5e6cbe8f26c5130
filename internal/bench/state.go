package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"time"

	"github.com/helios-sql/helios-sql/state"
)

// rmwBudget is the memory of the store; the ticks read and write this many keys.
const (
	rmwBudget = 1 << 30
	rmwTick   = 1000
)

// state measures read-modify-writes of single keys through the store, in ticks
// as operators make them: in the order of keys, each key once.
func (b *bench) state(ctx context.Context) (err error) {
	say("state: %d keys", b.stateKeys)
	store, err := state.Open(state.Options{Dir: filepath.Join(b.dir, "state"), MemoryBudget: rmwBudget, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		return err
	}
	defer func() { err = closeStore(store, err) }()
	t := store.NewTxn()
	defer t.Close()
	arr, err := t.Open([16]byte{1}, "rows")
	if err != nil {
		return err
	}
	value := make([]byte, 60)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range b.stateKeys {
		for j := 0; j < 40; j += 8 {
			binary.LittleEndian.PutUint64(value[j:], random.Uint64())
		}
		key := rmwKey(uint64(i))
		if err := arr.Set(key[:], value); err != nil {
			return err
		}
		if (i+1)%rmwTick == 0 {
			if err := t.Commit(nil); err != nil {
				return err
			}
		}
	}
	if err := t.Commit(nil); err != nil {
		return err
	}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(3, 3)), 1.1, 1, uint64(b.stateKeys-1))
	for _, mix := range []struct {
		name string
		want float64
		pick func() uint64
	}{
		{"uniform", 80_000, func() uint64 { return random.Uint64N(uint64(b.stateKeys)) }},
		{"zipfian", 300_000, zipf.Uint64},
	} {
		if err := rmw(ctx, t, arr, b.stateKeys/4/rmwTick, mix.pick); err != nil { // warm
			return err
		}
		f := figure{Name: fmt.Sprintf("state: %s read-modify-writes, %s keys", mix.name, number(float64(b.stateKeys))), Unit: "/s",
			Note: fmt.Sprintf("ticks of %d, each key once", rmwTick)}
		for range min(3, b.rounds) {
			began := time.Now()
			if err := rmw(ctx, t, arr, b.stateTicks, mix.pick); err != nil {
				return err
			}
			f.Rounds = append(f.Rounds, float64(b.stateTicks*rmwTick)/time.Since(began).Seconds())
		}
		goal := atLeast(mix.want)
		b.report.add(f, &goal)
	}
	return nil
}

func closeStore(s *state.Store, err error) error {
	if e := s.Close(); err == nil {
		err = e
	}
	return err
}

func rmwKey(i uint64) (key [24]byte) {
	binary.BigEndian.PutUint64(key[:], i*0x9e3779b97f4a7c15) // scattered
	binary.BigEndian.PutUint64(key[8:], i)
	binary.BigEndian.PutUint64(key[16:], i)
	return key
}

func rmw(ctx context.Context, t *state.Txn, arr *state.Arrangement, ticks int, pick func() uint64) error {
	keys := make([][24]byte, rmwTick)
	value := make([]byte, 60)
	for n := range ticks {
		if err := ctx.Err(); err != nil {
			return err
		}
		keys = keys[:rmwTick]
		for i := range keys {
			keys[i] = rmwKey(pick())
		}
		slices.SortFunc(keys, func(x, y [24]byte) int { return bytes.Compare(x[:], y[:]) })
		keys = slices.Compact(keys)
		for i := range keys {
			v, ok, err := arr.Get(keys[i][:])
			if err != nil {
				return err
			}
			if !ok || len(v) != len(value) {
				return fmt.Errorf("state: key %x has a value of %d bytes", keys[i], len(v))
			}
			copy(value, v)
			value[i%len(value)]++
			if err := arr.Set(keys[i][:], value); err != nil {
				return err
			}
		}
		if err := t.Commit(&state.Checkpoint{Tick: uint64(n + 1)}); err != nil {
			return err
		}
	}
	return nil
}
