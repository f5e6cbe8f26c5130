package state

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A Bulk loads many entries into one arrangement past log and memtables: it
// sorts runs of bounded memory, writes them as tables, merges those that
// overlap, and hands them all to Pebble at once. Nothing is seen before
// Ingest or Finish, and then it is durable. A crash or Abort before leaves nothing
// behind but the arrangement's name; a crash after leaves all of it, although
// commits since the last Sync may be lost: whoever loads notes in metadata when
// it is done, and drops the state to begin again. It belongs to one goroutine.
//
// Its entries are either values or counts.
type Bulk struct {
	s       *Store
	id      partID
	num     uint32
	dir     string
	data    []byte
	spare   []byte // the arena of the run before
	entries []bulkEntry
	sorted  bool
	counts  bool
	tables  []bulkTable
	seq     int
	rows    int64
}

// A bulkEntry is where an entry's key and value stand in the arena.
type bulkEntry struct {
	head       uint64 // the key's first bytes behind the number
	off        uint32
	klen, vlen uint32
}

// A bulkTable is a written table.
type bulkTable struct {
	path            string
	smallest, large []byte
}

// bulkTableBytes is the size at which a table is ended.
const bulkTableBytes = 64 << 20

// NewBulk begins a load. Values of keys that are there already are replaced,
// counts added to theirs.
func (s *Store) NewBulk(fp [16]byte, part string) (*Bulk, error) {
	t := s.NewTxn()
	a, err := t.Open(fp, part)
	if err == nil {
		err = t.Commit(nil)
	}
	if err = errors.Join(err, t.Close()); err != nil {
		return nil, err
	}
	// The tables become durable with Finish: so must the number be before.
	if err := s.Sync(); err != nil {
		return nil, err
	}
	b := &Bulk{
		s: s, id: a.id, num: a.num, sorted: true,
		dir: s.fs.PathJoin(s.dir, bulkName, strconv.FormatUint(s.bulks.Add(1), 10)),
	}
	if err := s.fs.FS.MkdirAll(b.dir, 0o700); err != nil {
		return nil, b.error(err)
	}
	return b, nil
}

func (b *Bulk) error(err error) error {
	return fmt.Errorf("loading arrangement %s: %w", b.id, b.s.classify(err))
}

// Rows is the number of entries added.
func (b *Bulk) Rows() int64 { return b.rows }

// AddCount adds n to the count at a key (see Arrangement.Add), in any order.
func (b *Bulk) AddCount(key []byte, n uint64) error {
	var buf [binary.MaxVarintLen64]byte
	b.counts = true
	return b.Add(key, buf[:binary.PutUvarint(buf[:], n)])
}

// Add adds an entry, in any order; ascending is cheapest. No key comes twice.
func (b *Bulk) Add(key, value []byte) error {
	size := numberLen + len(key) + len(value)
	if len(b.data) > 0 && int64(len(b.data)+size+len(b.entries)*24) > b.s.sizes.run/2 {
		if err := b.flush(len(b.entries) / 8); err != nil {
			return b.error(err)
		}
	}
	off := len(b.data)
	b.data = appendNumber(b.data, b.num)
	b.data = append(append(b.data, key...), value...)
	e := bulkEntry{head: head(key), off: uint32(off), klen: uint32(numberLen + len(key)), vlen: uint32(len(value))}
	if n := len(b.entries); b.sorted && n > 0 {
		c := b.compare(&b.entries[n-1], &e)
		b.sorted = c < 0 || c == 0 && b.counts
	}
	b.entries = append(b.entries, e)
	b.rows++
	return nil
}

func head(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var buf [8]byte
	copy(buf[:], key)
	return binary.BigEndian.Uint64(buf[:])
}

func (b *Bulk) key(e *bulkEntry) []byte   { return b.data[e.off : e.off+e.klen] }
func (b *Bulk) value(e *bulkEntry) []byte { return b.data[e.off+e.klen : e.off+e.klen+e.vlen] }

func (b *Bulk) compare(x, y *bulkEntry) int {
	if x.head != y.head {
		return cmp.Compare(x.head, y.head)
	}
	return bytes.Compare(b.key(x), b.key(y))
}

// flush writes the run in memory as tables, but for the keep greatest keys:
// where input is nearly in order, these overlap with what is to come, and tables
// that do not overlap need no merging.
func (b *Bulk) flush(keep int) error {
	if len(b.entries) == 0 {
		return nil
	}
	if !b.sorted {
		slices.SortFunc(b.entries, func(x, y bulkEntry) int { return b.compare(&x, &y) })
	}
	w := bulkWriter{b: b}
	n := len(b.entries) - keep
	for i := 0; i < n; {
		e := &b.entries[i]
		value, next, err := b.sum(i, n)
		if err == nil {
			err = w.add(b.key(e), value)
		}
		if err != nil {
			return errors.Join(err, w.abort())
		}
		i = next
	}
	if err := w.end(); err != nil {
		return err
	}
	b.tables = append(b.tables, w.tables...)
	data := b.spare[:0]
	for i, e := range b.entries[n:] {
		off := len(data)
		data = append(data, b.data[e.off:e.off+e.klen+e.vlen]...)
		e.off = uint32(off)
		b.entries[i] = e
	}
	b.data, b.spare = data, b.data
	b.entries, b.sorted = b.entries[:keep], true
	return nil
}

// sum gives the value to write for the entries from i on that have one key,
// and where the next key is.
func (b *Bulk) sum(i, n int) (value []byte, next int, err error) {
	e := &b.entries[i]
	next = i + 1
	if !b.counts || next == n || b.compare(e, &b.entries[next]) != 0 {
		return b.value(e), next, nil
	}
	var sum countSum
	for next = i; next < n && b.compare(e, &b.entries[next]) == 0; next++ {
		if err := sum.MergeNewer(b.value(&b.entries[next])); err != nil {
			return nil, 0, err
		}
	}
	value, _, err = sum.Finish(true)
	return value, next, err
}

// A bulkWriter writes ascending entries as tables of bounded size.
type bulkWriter struct {
	b      *Bulk
	w      *sstable.Writer
	tables []bulkTable
	last   []byte
	bytes  int
}

func (w *bulkWriter) add(key, value []byte) error {
	if w.w != nil && w.bytes > bulkTableBytes {
		if err := w.end(); err != nil {
			return err
		}
	}
	if w.w == nil {
		if err := w.begin(key); err != nil {
			return err
		}
	} else if bytes.Equal(key, w.last) {
		return pgerr.Newf(pgerr.InternalError, "key %x comes twice", key[numberLen:])
	}
	w.bytes += len(key) + len(value)
	w.last = append(w.last[:0], key...)
	if w.b.counts {
		return w.w.Merge(key, value)
	}
	return w.w.Set(key, value)
}

func (w *bulkWriter) begin(key []byte) error {
	b := w.b
	b.seq++
	path := b.s.fs.PathJoin(b.dir, strconv.Itoa(b.seq)+".sst")
	f, err := b.s.fs.FS.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: b.s.opts.BytesPerSync})
	w.w = sstable.NewWriter(objstorageprovider.NewFileWritable(f), b.s.opts.MakeWriterOptions(6, b.s.db.TableFormat()))
	w.tables = append(w.tables, bulkTable{path: path, smallest: bytes.Clone(key)})
	w.bytes = 0
	return nil
}

func (w *bulkWriter) end() error {
	if w.w == nil {
		return nil
	}
	w.tables[len(w.tables)-1].large = bytes.Clone(w.last)
	err := w.w.Close() // syncs
	w.w = nil
	return err
}

func (w *bulkWriter) abort() error {
	if w.w == nil {
		return nil
	}
	_ = w.w.Close() // the file goes away with the directory
	w.w = nil
	return nil
}

// Ingest makes the entries so far part of the arrangement, durably and at
// once; the load goes on, and values to come replace them.
func (b *Bulk) Ingest() error {
	if err := b.finish(); err != nil {
		return b.error(err)
	}
	b.tables = nil
	return nil
}

// Finish makes all entries part of the arrangement, durably and at once, and
// ends the load; Abort after it does nothing.
func (b *Bulk) Finish() error {
	if err := b.finish(); err != nil {
		return b.error(err)
	}
	return b.Abort()
}

func (b *Bulk) finish() error {
	if err := b.flush(0); err != nil {
		return err
	}
	b.data, b.spare, b.entries = nil, nil, nil
	tables, err := b.merge()
	if err != nil || len(tables) == 0 {
		return err
	}
	paths := make([]string, len(tables))
	for i := range tables {
		paths[i] = tables[i].path
	}
	s := b.s
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if err := s.usable(0); err != nil {
		return err
	}
	s.commits.Add(1)
	defer s.commits.Add(1)
	if err := s.guard(func() error { return s.db.Ingest(context.Background(), paths) }); err != nil {
		return err
	}
	s.hot.forget(b.num) // absent keys, looked up before
	last := s.published.Load()
	s.publish(last.cp, last.names.fill(b.num))
	return nil
}

// merge gives tables that do not overlap: those that do are merged into new ones.
func (b *Bulk) merge() ([]bulkTable, error) {
	slices.SortFunc(b.tables, func(x, y bulkTable) int { return bytes.Compare(x.smallest, y.smallest) })
	var out []bulkTable
	for i := 0; i < len(b.tables); {
		large, j := b.tables[i].large, i+1
		for ; j < len(b.tables) && bytes.Compare(b.tables[j].smallest, large) <= 0; j++ {
			if bytes.Compare(b.tables[j].large, large) > 0 {
				large = b.tables[j].large
			}
		}
		if j == i+1 {
			out = append(out, b.tables[i])
		} else {
			merged, err := b.mergeTables(b.tables[i:j])
			if err != nil {
				return nil, err
			}
			out = append(out, merged...)
		}
		i = j
	}
	return out, nil
}

func (b *Bulk) mergeTables(tables []bulkTable) (_ []bulkTable, err error) {
	files := make([][]sstable.ReadableFile, 0, len(tables))
	for _, t := range tables {
		f, err := b.s.fs.FS.Open(t.path, vfs.SequentialReadsOption)
		if err != nil {
			for _, f := range files {
				err = errors.Join(err, f[0].Close())
			}
			return nil, err
		}
		files = append(files, []sstable.ReadableFile{f})
	}
	it, err := pebble.NewExternalIter(b.s.opts, &pebble.IterOptions{KeyTypes: pebble.IterKeyTypePointsOnly}, files)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	w := bulkWriter{b: b}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err == nil {
			err = w.add(it.Key(), value)
		}
		if err != nil {
			return nil, errors.Join(err, w.abort())
		}
	}
	if err := it.Error(); err != nil {
		return nil, errors.Join(err, w.abort())
	}
	return w.tables, w.end()
}

// Abort ends the load and removes what it has written.
func (b *Bulk) Abort() error {
	b.data, b.spare, b.entries, b.tables = nil, nil, nil, nil
	if err := b.s.fs.FS.RemoveAll(b.dir); err != nil {
		return b.error(err)
	}
	return nil
}
