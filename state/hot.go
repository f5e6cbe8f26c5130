package state

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
)

// A hotCache keeps the latest values of keys that were read lately, and which
// keys are absent, in front of Pebble: CLOCK by bytes, in shards. It holds no
// pointers, so the garbage collector never walks it, and allocates nothing once full.
type hotCache struct {
	seed   maphash.Seed
	shards [hotShards]hotShard
	kept   [keptBits / 64]atomic.Uint64 // of which arrangements there ever was a key, by number

	hits, misses atomic.Int64
}

const (
	hotShards   = 16
	hotMinBytes = 64 << 10 // per shard
	keptBits    = 1 << 12
)

// A hotShard is a ring of entries in order of arrival and an open-addressing
// table of their places. A full ring drops its oldest entry, or moves it to the
// front when it was used since it came.
type hotShard struct {
	mu    sync.Mutex
	ring  []byte
	first int // the oldest entry
	next  int // where the next one goes
	used  int // bytes of ring in use, dead ones and padding included
	live  int // entries in the table
	table []hotSlot
	mask  uint32
}

// A hotSlot is a place in the ring, in eights of bytes plus one; 0 is empty.
type hotSlot struct{ hash, place uint32 }

// An entry is a header, the key and room for a value, in a multiple of eight bytes.
const (
	hotHash  = 0  // uint32; low half of the hash
	hotSize  = 4  // uint32; of the whole entry
	hotKey   = 8  // uint32; length of the key
	hotVal   = 12 // uint32; length of the value, and two flags
	hotStart = 16 // of the key

	hotUsed    = 1 << 31 // read since it came or was moved
	hotAbsent  = 1 << 30 // the key is known to be absent
	hotDead    = 1<<32 - 1
	hotValMask = 1<<30 - 1
)

func newHotCache(size int64) *hotCache {
	c := &hotCache{seed: maphash.MakeSeed()}
	per := max(int(size/hotShards), hotMinBytes) &^ 7
	for i := range c.shards {
		s := &c.shards[i]
		s.ring = make([]byte, per)
		s.table = make([]hotSlot, 1024)
		s.mask = uint32(len(s.table) - 1)
	}
	return c
}

// keptBit gives the word and the bit of kept for a key of the store. Numbers may share one.
func (c *hotCache) keptBit(key []byte) (word *atomic.Uint64, bit uint64) {
	num := binary.BigEndian.Uint32(key) % keptBits
	return &c.kept[num/64], 1 << (num % 64)
}

func (c *hotCache) shard(h uint64) *hotShard { return &c.shards[h>>(64-4)] }

// get appends the key's value to dst; found is false when nothing is known of
// the key, ok is false when it is known to be absent.
func (c *hotCache) get(h uint64, key, dst []byte) (value []byte, ok, found bool) {
	s := c.shard(h)
	s.mu.Lock()
	slot, ok := s.find(uint32(h), key)
	if !ok {
		s.mu.Unlock()
		c.misses.Add(1)
		return dst, false, false
	}
	e := s.entry(slot)
	v := binary.LittleEndian.Uint32(e[hotVal:])
	binary.LittleEndian.PutUint32(e[hotVal:], v|hotUsed)
	if ok = v&hotAbsent == 0; ok {
		start := hotStart + len(key)
		dst = append(dst, e[start:start+int(v&hotValMask)]...)
	}
	s.mu.Unlock()
	c.hits.Add(1)
	return dst, ok, true
}

// fill adds what was read from Pebble, unless a commit has begun since now was taken.
func (c *hotCache) fill(h uint64, key, value []byte, ok bool, commits *atomic.Uint64, now uint64) {
	s := c.shard(h)
	if !s.fits(len(key), len(value)) {
		return
	}
	if word, bit := c.keptBit(key); word.Load()&bit == 0 {
		word.Or(bit) // before it is there: a commit must not overlook it
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now&1 != 0 || commits.Load() != now {
		return
	}
	if _, found := s.find(uint32(h), key); found {
		return
	}
	s.add(uint32(h), key, value, ok)
}

// commit brings what is cached up to date with a batch that was applied. Keys
// that are not cached stay out: they were not read. Arrangements that are never read
// by point, or past the cache, cost nothing.
func (c *hotCache) commit(repr []byte) {
	r := batchrepr.Read(repr)
	for {
		kind, key, value, ok, err := r.Next()
		if !ok || err != nil {
			return
		}
		switch kind {
		case pebble.InternalKeyKindSet, pebble.InternalKeyKindDelete, pebble.InternalKeyKindMerge:
			if word, bit := c.keptBit(key); word.Load()&bit != 0 {
				c.update(key, value, kind)
			}
		}
	}
}

func (c *hotCache) update(key, value []byte, kind pebble.InternalKeyKind) {
	h := maphash.Bytes(c.seed, key)
	s := c.shard(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	slot, found := s.find(uint32(h), key)
	if !found {
		return
	}
	e := s.entry(slot)
	if kind == pebble.InternalKeyKindMerge {
		s.remove(slot) // rare: what is cached is read and set
		return
	}
	ok := kind == pebble.InternalKeyKindSet
	if room := len(e) - hotStart - len(key); ok && len(value) <= room && room <= 2*len(value)+64 {
		v := binary.LittleEndian.Uint32(e[hotVal:]) & hotUsed
		binary.LittleEndian.PutUint32(e[hotVal:], v|uint32(len(value)))
		copy(e[hotStart+len(key):], value)
		return
	}
	s.remove(slot)
	if ok && s.fits(len(key), len(value)) {
		s.add(uint32(h), key, value, true)
	}
}

// forget drops all entries of an arrangement. Cost: a walk over the whole cache.
func (c *hotCache) forget(num uint32) {
	prefix := appendNumber(nil, num)
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for slot := 0; slot < len(s.table); {
			if s.table[slot].place != 0 && bytes.HasPrefix(s.entry(uint32(slot))[hotStart:], prefix) {
				s.remove(uint32(slot)) // may move another one here
				continue
			}
			slot++
		}
		s.mu.Unlock()
	}
}

// bytes is what the live and dead entries take.
func (c *hotCache) bytes() (n int64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n += int64(s.used) + int64(len(s.table))*8
		s.mu.Unlock()
	}
	return n
}

func hotEntrySize(key, value int) int { return (hotStart + key + value + 7) &^ 7 }

// fits keeps entries small enough that one cannot sweep out a shard.
func (s *hotShard) fits(key, value int) bool { return hotEntrySize(key, value) <= len(s.ring)/16 }

// entry is the bytes of the entry that a slot points to.
func (s *hotShard) entry(slot uint32) []byte {
	return s.at(int(s.table[slot].place-1) * 8)
}

func (s *hotShard) at(off int) []byte {
	size := int(binary.LittleEndian.Uint32(s.ring[off+hotSize:]))
	return s.ring[off : off+size : off+size]
}

func (s *hotShard) find(hash uint32, key []byte) (uint32, bool) {
	for i := hash & s.mask; ; i = (i + 1) & s.mask {
		slot := s.table[i]
		if slot.place == 0 {
			return 0, false
		}
		if slot.hash != hash {
			continue
		}
		e := s.entry(i)
		if n := int(binary.LittleEndian.Uint32(e[hotKey:])); n == len(key) && bytes.Equal(e[hotStart:hotStart+n], key) {
			return i, true
		}
	}
}

// add appends an entry for a key that has none.
func (s *hotShard) add(hash uint32, key, value []byte, ok bool) {
	size := hotEntrySize(len(key), len(value))
	off := s.reserve(size)
	e := s.ring[off : off+size]
	binary.LittleEndian.PutUint32(e[hotHash:], hash)
	binary.LittleEndian.PutUint32(e[hotSize:], uint32(size))
	binary.LittleEndian.PutUint32(e[hotKey:], uint32(len(key)))
	v := uint32(len(value))
	if !ok {
		v = hotAbsent
	}
	binary.LittleEndian.PutUint32(e[hotVal:], v)
	copy(e[hotStart:], key)
	copy(e[hotStart+len(key):], value)
	s.insert(hash, off)
}

func (s *hotShard) insert(hash uint32, off int) {
	if s.live++; s.live*4 > len(s.table)*3 {
		s.grow()
	}
	i := hash & s.mask
	for s.table[i].place != 0 {
		i = (i + 1) & s.mask
	}
	s.table[i] = hotSlot{hash, uint32(off/8) + 1}
}

func (s *hotShard) grow() {
	old := s.table
	s.table = make([]hotSlot, 2*len(old))
	s.mask = uint32(len(s.table) - 1)
	for _, slot := range old {
		if slot.place == 0 {
			continue
		}
		i := slot.hash & s.mask
		for s.table[i].place != 0 {
			i = (i + 1) & s.mask
		}
		s.table[i] = slot
	}
}

// remove takes an entry out of the table and marks it dead in the ring.
func (s *hotShard) remove(slot uint32) {
	binary.LittleEndian.PutUint32(s.entry(slot)[hotVal:], hotDead)
	s.unlink(slot)
}

// unlink empties a slot and closes the gap in its run.
func (s *hotShard) unlink(slot uint32) {
	s.live--
	for i := slot; ; {
		i = (i + 1) & s.mask
		moved := s.table[i]
		if moved.place == 0 {
			break
		}
		if home := moved.hash & s.mask; (i-home)&s.mask >= (i-slot)&s.mask {
			s.table[slot] = moved
			slot = i
		}
	}
	s.table[slot] = hotSlot{}
}

// hotMoves bounds how many used entries one addition lets stay.
const hotMoves = 32

// reserve makes room for size bytes in one piece and returns where.
func (s *hotShard) reserve(size int) int {
	for moves := 0; ; {
		if s.used == 0 {
			s.first, s.next = 0, 0
		}
		if tail := len(s.ring) - s.next; s.next >= s.first && (s.used == 0 || s.next > s.first) {
			if tail >= size {
				return s.take(size)
			}
			if tail > 0 { // pad to the end; a gap under a header's size is known by its size alone
				s.pad(tail)
			}
			s.next = 0
			continue
		}
		if s.first-s.next >= size {
			return s.take(size)
		}
		if s.evict(moves < hotMoves) {
			moves++
		}
	}
}

func (s *hotShard) take(size int) int {
	off := s.next
	s.next += size
	s.used += size
	return off
}

func (s *hotShard) pad(n int) {
	e := s.ring[s.next : s.next+n]
	binary.LittleEndian.PutUint32(e[hotSize:], uint32(n))
	if n >= hotStart {
		binary.LittleEndian.PutUint32(e[hotVal:], hotDead)
	}
	s.used += n
	s.next += n
}

// evict takes the oldest entry out. One that was used becomes the newest
// instead, if it may: it moves down into the gap behind the newest, which its own place widens.
func (s *hotShard) evict(mayStay bool) (stayed bool) {
	off := s.first
	e := s.at(off)
	s.first += len(e)
	s.used -= len(e)
	if s.first == len(s.ring) {
		s.first = 0
	}
	if len(e) < hotStart {
		return false
	}
	v := binary.LittleEndian.Uint32(e[hotVal:])
	if v == hotDead {
		return false
	}
	slot := s.slotOf(binary.LittleEndian.Uint32(e[hotHash:]), off)
	if v&hotUsed == 0 || !mayStay {
		s.unlink(slot)
		return false
	}
	binary.LittleEndian.PutUint32(e[hotVal:], v&^hotUsed)
	to := s.take(len(e))
	copy(s.ring[to:], e)
	s.table[slot].place = uint32(to/8) + 1
	return true
}

func (s *hotShard) slotOf(hash uint32, off int) uint32 {
	place := uint32(off/8) + 1
	for i := hash & s.mask; ; i = (i + 1) & s.mask {
		if s.table[i].place == place {
			return i
		}
	}
}
