// Package state keeps arrangements in Pebble: many ordered maps of bytes in
// one store, changed by atomic batches that also carry the tick and the
// sources' positions, and read as snapshots. It knows nothing of operators.
package state

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// Options say where a store lives and what it may use.
type Options struct {
	Dir string
	FS  vfs.FS // nil: the operating system's
	// MemoryBudget is what block cache, memtables and hot cache may hold
	// together, in bytes; 0 means 1 GiB.
	MemoryBudget int64
	// MinFreeBytes is the low-water mark of the disk: a commit that would go
	// below is refused with 53100. 0 means three memtables, negative none.
	MinFreeBytes int64
	// BallastBytes is the size of a file that is given up when the disk is full
	// all the same, so that what is in flight can end. 0 means 8 MiB, negative none.
	BallastBytes int64
	Logger       *slog.Logger // nil: slog.Default()
}

// A Store is one directory of state. One Txn commits at a time, any number
// of goroutines read.
//
// A failure that Pebble cannot go on from (a write or an fsync that failed for
// another reason than a full disk) fails the store: Failed is closed, every
// call returns the error (but for a commit under way, see memTable: who must go on waits for Failed
// too), and only opening the directory anew recovers the last commit that reached the disk.
type Store struct {
	dir    string
	fs     *diskFS
	lock   io.Closer
	log    *slog.Logger
	sizes  sizes
	cache  *pebble.Cache
	db     *pebble.DB
	opts   *pebble.Options
	hot    *hotCache
	events events

	// commits is odd while a commit is being applied: what was read from Pebble
	// under another value may be of the commit before and stays out of the hot cache.
	commits   atomic.Uint64
	published atomic.Pointer[Snapshot]
	snapshots atomic.Int64 // live ones

	memTable memTable // guarded by commitMu
	applyc   chan *pebble.Batch
	applied  chan error
	stopped  chan struct{}
	failure  failure

	commitMu sync.Mutex // one commit, ingestion or Close at a time
	cpBuf    []byte     // guarded by commitMu
	closed   bool       // guarded by commitMu

	numbersMu  sync.Mutex
	lastNumber uint32 // the highest number handed out; guarded by numbersMu
	bulks      atomic.Uint64
}

// Open opens or creates the store in a directory and recovers the last commit
// that reached the disk. Errors: 55006 when another process holds the
// directory, 0A000 for a newer format, 55000 for a directory of something else,
// 53100 for a full disk, XX001 for damaged files.
func Open(opts Options) (*Store, error) {
	s := &Store{
		dir: opts.Dir, log: opts.Logger, sizes: split(opts.MemoryBudget),
		applyc: make(chan *pebble.Batch), applied: make(chan error, 1), stopped: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	s.failure.init()
	if opts.FS == nil {
		opts.FS = vfs.Default
	}
	if opts.MinFreeBytes == 0 {
		opts.MinFreeBytes = 3 * s.sizes.memTable
	}
	if opts.BallastBytes == 0 {
		opts.BallastBytes = 8 << 20
	}
	s.fs = newDiskFS(opts.FS, opts.Dir, opts.MinFreeBytes, opts.BallastBytes, s.log, s.fail)
	if err := s.open(); err != nil {
		if s.lock != nil && s.Err() == nil {
			err = errors.Join(err, s.lock.Close())
		}
		return nil, fmt.Errorf("opening state in %q: %w", opts.Dir, s.classify(err))
	}
	return s, nil
}

func (s *Store) open() (err error) {
	fs := s.fs.FS // Pebble's files alone are worth waiting for
	if err := mkdirAll(fs, s.dir); err != nil {
		return err
	}
	if s.lock, err = fs.Lock(fs.PathJoin(s.dir, lockName)); err != nil {
		if errors.Is(err, syscall.EAGAIN) || strings.Contains(err.Error(), "lock held") {
			err = pgerr.Newf(pgerr.ObjectInUse, "directory %q is in use by another process: %w", s.dir, err)
		}
		return err
	}
	created, err := checkFormat(fs, s.dir)
	if err != nil {
		return err
	}
	if err := fs.RemoveAll(fs.PathJoin(s.dir, bulkName)); err != nil {
		return err
	}
	if err := mkdirAll(fs, fs.PathJoin(s.dir, bulkName)); err != nil {
		return err
	}
	if err := s.fs.ready(); err != nil {
		return err
	}
	s.cache = pebble.NewCache(s.sizes.cache)
	defer s.cache.Unref() // the database holds its own reference
	s.opts = s.pebbleOptions()
	err = s.guard(func() (err error) {
		s.db, err = pebble.Open(fs.PathJoin(s.dir, dbName), s.opts)
		return err
	})
	if err != nil {
		return err
	}
	if created {
		if err := writeFormat(fs, s.dir); err != nil {
			return errors.Join(err, s.db.Close())
		}
	}
	names, cp, err := s.recover()
	if err != nil {
		return errors.Join(err, s.db.Close())
	}
	s.hot = newHotCache(s.sizes.hot)
	s.lastNumber = names.next - 1
	s.publish(cp, names)
	s.fs.opened()
	go s.applier()
	return nil
}

// Close waits for readers to release their snapshots, for five seconds at
// most, and closes the store. What was committed is kept even without a Sync
// before, unless the disk is full or the store has failed.
func (s *Store) Close() error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if s.closed {
		return nil
	}
	if err := s.Err(); err != nil {
		return err // Pebble's goroutines may hang in the failure: leave them and the lock
	}
	s.published.Swap(&Snapshot{s: s, cp: s.published.Load().cp}).Release()
	for end := time.Now().Add(5 * time.Second); s.snapshots.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return pgerr.Newf(pgerr.ObjectInUse, "state in %q still has %d snapshots open", s.dir, s.snapshots.Load())
		}
	}
	s.closed = true
	close(s.stopped)
	err := s.guardRoom(func() error {
		return errors.Join(s.db.Close(), s.lock.Close())
	})
	if err != nil {
		return fmt.Errorf("closing state in %q: %w", s.dir, s.classify(err))
	}
	return nil
}

// Checkpoint is that of the last commit.
func (s *Store) Checkpoint() Checkpoint { return s.published.Load().Checkpoint() }

// BatchBytes is up to which size a commit is written as it comes; Pebble holds
// a larger one beside the memtables until it is flushed, at the block cache's expense.
func (s *Store) BatchBytes() int { return int(s.sizes.memTable / 2) }

// Sync makes everything committed so far durable. Concurrent calls share fsyncs.
func (s *Store) Sync() error {
	if err := s.usable(-1); err != nil {
		return err
	}
	if err := s.guardRoom(func() error { return s.db.LogData(nil, pebble.Sync) }); err != nil {
		return fmt.Errorf("syncing state: %w", s.classify(err))
	}
	return nil
}

// applier is the goroutine that hands batches to Pebble, so that a commit
// returns even when Pebble's call never does (see failure).
func (s *Store) applier() {
	for {
		select {
		case b := <-s.applyc:
			s.applied <- s.protect(func() error { return s.db.Apply(b, pebble.NoSync) })
		case <-s.stopped:
			return
		}
	}
}

// apply hands a batch to Pebble. A small one that the memtable has room for goes there
// at once, since nothing keeps Pebble waiting: to wake the applier and be woken by it takes longer.
func (s *Store) apply(b *pebble.Batch) (err error) {
	used := memTableBytes(b)
	defer func() { s.memTable.took(s, used) }()
	if s.memTable.fits(s, b) {
		return s.protect(func() error { return s.db.Apply(b, pebble.NoSync) })
	}
	select {
	case s.applyc <- b:
	case <-s.failure.c:
		return s.Err()
	}
	select {
	case err := <-s.applied:
		return err
	case <-s.failure.c:
		return s.Err()
	}
}

// publish makes the state as it is now the one that snapshots show.
func (s *Store) publish(cp *Checkpoint, names *names) {
	sn := &Snapshot{s: s, cp: cp, names: names, db: s.db.NewSnapshot()}
	sn.refs.Store(1)
	s.snapshots.Add(1)
	if old := s.published.Swap(sn); old != nil {
		old.Release()
	}
}

// usable says why nothing can be written now, if so; need is the size of the
// write, negative of one that the low-water mark is there for.
func (s *Store) usable(need int) error {
	if err := s.Err(); err != nil {
		return err
	}
	if s.published.Load().db == nil {
		return errClosed()
	}
	return s.fs.room(int64(need))
}

// Meta gives the value of a metadata key as of the last commit.
func (s *Store) Meta(key string) ([]byte, bool, error) {
	sn := s.Snapshot()
	defer sn.Release()
	return sn.Meta(key)
}

// MetaPrefix calls fn for every metadata key with a prefix, in order, until it
// returns false. The value is borrowed.
func (s *Store) MetaPrefix(prefix string, fn func(key string, value []byte) bool) error {
	sn := s.Snapshot()
	defer sn.Release()
	return sn.MetaPrefix(prefix, fn)
}
