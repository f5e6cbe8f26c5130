package state

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// sizes is how a memory budget is spent.
type sizes struct {
	hot      int64 // hot cache
	cache    int64 // block cache; Pebble charges the memtables to it
	memTable int64 // one of up to memTables
	run      int64 // of a bulk load, on top while one runs
}

const memTables = 4

// l0Sublevels is how many flushes come together before they are compacted into
// the level below, of which each such compaction rewrites most where changes are anywhere: filters spare
// point reads most of the sublevels, and seeks of ranges look at them all.
const l0Sublevels = 8

// tombstoneDense is from how many bytes of deleted keys per byte of a block on it is one of tombstones, which
// are compacted away early for the sake of who walks over them. An index whose entries are replaced one
// by one, anywhere, has half a block of them and would be compacted all the time; what is walked
// over is a range that was deleted as a whole.
const tombstoneDense = 0.75

// split gives a quarter to the hot cache and the rest to the block cache, of
// which all memtables together may take a third.
func split(budget int64) sizes {
	if budget <= 0 {
		budget = 1 << 30
	}
	hot := budget / 4
	cache := budget - hot
	return sizes{
		hot: hot, cache: cache,
		memTable: min(max(cache/(3*memTables), 1<<20), 64<<20),
		run:      min(max(budget/16, 1<<20), 64<<20),
	}
}

func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS: s.fs, Cache: s.cache, Logger: pebbleLogger{s}, Merger: countMerger,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                uint64(s.sizes.memTable),
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       l0Sublevels,
		L0StopWritesThreshold:       32,
		LBaseMaxBytes:               max(64<<20, 2*s.sizes.memTable),
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             1 << 20,
		MaxOpenFiles:                4096,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		EventListener:               s.events.listener(s),
	}
	o.Experimental.NumDeletionsThreshold = math.MaxInt
	o.Experimental.DeletionSizeRatioThreshold = tombstoneDense
	o.FlushDelayDeleteRange = 10 * time.Second // dropped states give their space back
	for i := range o.Levels {
		l := &o.Levels[i]
		l.BlockSize = 8 << 10
		l.IndexBlockSize = 64 << 10
		l.FilterPolicy = bloom.FilterPolicy(10)
		l.FilterType = pebble.TableFilter
		l.Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	o.Levels[len(o.Levels)-1].Compression = func() *sstable.CompressionProfile { return sstable.FastCompression }
	for i := range o.TargetFileSizes {
		o.TargetFileSizes[i] = min(int64(4<<20)<<i, 64<<20)
	}
	o.EnsureDefaults()
	return o
}

// events counts what Pebble reports.
type events struct {
	backgroundErrors atomic.Int64
	corruptions      atomic.Int64
	writeStalls      atomic.Int64
	flushes          atomic.Int64  // under way
	memTables        atomic.Uint64 // made, as many as logs
	logged           atomic.Int64  // the second of the last background error logged
}

func (e *events) listener(s *Store) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			e.backgroundErrors.Add(1)
			if now, last := time.Now().Unix(), e.logged.Load(); now != last && e.logged.CompareAndSwap(last, now) {
				s.log.Error("background write failed, it is tried again", "dir", s.dir, "error", err)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			e.corruptions.Add(1)
			s.log.Error("state file is damaged", "file", info.Path, "error", info.Details)
		},
		FlushBegin: func(pebble.FlushInfo) { e.flushes.Add(1) },
		FlushEnd:   func(pebble.FlushInfo) { e.flushes.Add(-1) },
		WALCreated: func(pebble.WALCreateInfo) { e.memTables.Add(1) },
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			e.writeStalls.Add(1)
			s.log.Debug("commits wait for flushes or compactions", "reason", info.Reason)
		},
	}
}

// classify gives an error of Pebble or the file system its SQLSTATE.
func (s *Store) classify(err error) error {
	var coded *pgerr.Error
	switch {
	case err == nil || errors.As(err, &coded):
		return err
	case isDiskFull(err):
		return pgerr.Newf(pgerr.DiskFull, "no space left for state in %q: %w", s.dir, err)
	case pebble.IsCorruptionError(err):
		if info := pebble.ExtractDataCorruptionInfo(err); info != nil {
			return &pgerr.Error{Code: pgerr.DataCorrupted, Message: fmt.Sprintf("file %q is damaged: %v", info.Path, info.Details), Cause: err}
		}
		return pgerr.Newf(pgerr.DataCorrupted, "state in %q is damaged: %w", s.dir, err)
	case errors.Is(err, fs.ErrPermission):
		return pgerr.Newf(pgerr.InsufficientPrivilege, "%w", err)
	}
	return pgerr.Newf(pgerr.IOError, "%w", err)
}

// readError says what was being read.
func (s *Store) readError(what string, err error) error {
	return fmt.Errorf("reading state of %s: %w", what, s.classify(err))
}

func (a *Arrangement) readError(err error) error {
	return a.s.readError("arrangement "+a.id.String(), err)
}

func errClosed() error {
	return pgerr.Newf(pgerr.AdminShutdown, "state store is closed")
}
