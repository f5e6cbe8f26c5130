package state

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A diskFS stands between Pebble and the file system. Pebble takes a failed
// write of its log or manifest as fatal, and not always in a way that can be
// recovered from (it panics where a deferred unlock then kills the process). So
// it is never told of one: the store fails, and the writer is parked for ever.
//
// A full disk is not the end, though. First line: room refuses commits below a low-water mark. Second: when a
// write finds the disk full all the same, a ballast file is given up and the
// write goes on. Third: the write waits until there is room, while reads go on
// and further commits are refused. Writes of tables fail after a pause, since
// Pebble retries flushes and compactions and a failed one gives its space back.
type diskFS struct {
	vfs.FS
	dir     string
	minFree int64
	ballast int64
	log     *slog.Logger

	fail    func(error)
	opening atomic.Bool // nothing waits
	full    atomic.Bool
	refused atomic.Int64 // commits

	mu struct {
		sync.Mutex
		raised  chan struct{} // closed when full is raised
		cleared chan struct{} // closed when full is cleared
		checked time.Time
		avail   int64 // as of checked, less what was written since
		given   bool  // the ballast was given up
		tried   time.Time
	}
}

const (
	fullPoll     = 200 * time.Millisecond // how often a waiting write tries again
	fullPause    = 500 * time.Millisecond // before a table's write fails for want of space
	errorPause   = 50 * time.Millisecond  // before it fails for another reason
	ballastPause = 100 * time.Millisecond // between tries to have the ballast back
	availMaxAge  = 20 * time.Millisecond
)

func newDiskFS(inner vfs.FS, dir string, minFree, ballast int64, log *slog.Logger, fail func(error)) *diskFS {
	d := &diskFS{FS: inner, dir: dir, minFree: minFree, ballast: ballast, log: log, fail: fail}
	d.opening.Store(true)
	d.mu.raised, d.mu.cleared = make(chan struct{}), make(chan struct{})
	return d
}

func isDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// Unwrap implements vfs.FS.
func (d *diskFS) Unwrap() vfs.FS { return d.FS }

// ready refuses to begin on a full disk, after giving up the ballast for it.
func (d *diskFS) ready() error {
	name := d.FS.PathJoin(d.dir, ballastName+formatTemp)
	if d.probe(name) {
		return nil
	}
	d.raise()
	d.giveBallast()
	if d.probe(name) {
		return nil
	}
	return d.errFull()
}

// opened ends the time in which errors are the caller's, and sets up the ballast.
func (d *diskFS) opened() {
	d.opening.Store(false)
	if !d.full.Load() && !d.takeBallast() {
		d.raise()
	}
}

func (d *diskFS) errFull() error {
	return pgerr.Newf(pgerr.DiskFull, "no space left for state in %q", d.dir).
		WithHint("Free up disk space; commits go on by themselves then.")
}

// room says whether need bytes may be committed; 53100 if not. A negative need
// is not held to the low-water mark: what is committed has to become durable.
func (d *diskFS) room(need int64) error {
	if d.full.Load() && !d.regain() {
		d.refused.Add(1)
		return d.errFull()
	}
	if d.minFree < 0 || need < 0 {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.mu.checked) > availMaxAge || d.mu.avail-2*need < 2*d.minFree {
		d.mu.checked = now
		d.mu.avail = 1<<63 - 1
		if u, err := d.FS.GetDiskUsage(d.dir); err == nil {
			d.mu.avail = int64(min(u.AvailBytes, 1<<62))
		}
	}
	d.mu.avail -= 2 * need // log now, table later
	if d.mu.avail < d.minFree {
		d.refused.Add(1)
		return d.errFull()
	}
	return nil
}

// raise notes that the disk is full and gives up the ballast once asked by a write that must not fail.
func (d *diskFS) raise() {
	if d.full.CompareAndSwap(false, true) {
		d.log.Error("disk full, commits are refused", "dir", d.dir)
		d.mu.Lock()
		close(d.mu.raised)
		d.mu.Unlock()
	}
}

// fullSignal is closed while the disk is full.
func (d *diskFS) fullSignal() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.mu.raised
}

// regain finds out whether there is room again: when the ballast can be had back.
func (d *diskFS) regain() bool {
	d.mu.Lock()
	if time.Since(d.mu.tried) < ballastPause {
		d.mu.Unlock()
		return false
	}
	d.mu.tried = time.Now()
	d.mu.Unlock()
	if u, err := d.FS.GetDiskUsage(d.dir); err == nil && int64(min(u.AvailBytes, 1<<62)) < d.minFree+d.ballast {
		return false
	}
	if !d.takeBallast() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full.CompareAndSwap(true, false) {
		d.log.Info("disk has room again, commits go on", "dir", d.dir)
		d.mu.raised = make(chan struct{})
		close(d.mu.cleared)
		d.mu.cleared = make(chan struct{})
		d.mu.checked = time.Time{}
	}
	return true
}

// takeBallast writes the ballast file if there is none and says whether it is there.
func (d *diskFS) takeBallast() bool {
	name := d.FS.PathJoin(d.dir, ballastName)
	if d.ballast < 0 {
		return d.probe(name)
	}
	if st, err := d.FS.Stat(name); err == nil && st.Size() >= d.ballast {
		return true
	}
	return d.write(name, d.ballast)
}

// probe tries whether anything can be written.
func (d *diskFS) probe(name string) bool {
	ok := d.write(name, 64<<10)
	if err := d.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("removing ballast", "error", err)
	}
	return ok
}

func (d *diskFS) write(name string, size int64) bool {
	err := func() error {
		f, err := d.FS.Create(name, vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		block := make([]byte, 64<<10)
		for n := int64(0); n < size && err == nil; n += int64(len(block)) {
			_, err = f.Write(block[:min(int64(len(block)), size-n)])
		}
		if err == nil {
			err = f.Sync()
		}
		return errors.Join(err, f.Close())
	}()
	if err == nil {
		return true
	}
	if rerr := d.FS.Remove(name); rerr != nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	if !isDiskFull(err) { // without a ballast, then
		d.log.Warn("writing ballast", "error", err)
		return true
	}
	return false
}

func (d *diskFS) giveBallast() {
	if err := d.FS.Remove(d.FS.PathJoin(d.dir, ballastName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warn("removing ballast", "error", err)
	}
}

// isTable says that a file's writes may fail.
func isTable(name string) bool {
	ext := path.Ext(name)
	return ext == ".sst" || ext == ".blob"
}

// persist deals with an operation's error. Of a table, Pebble may have it;
// else op is tried again until the disk is not full. It does not return another error.
func (d *diskFS) persist(name string, err error, op func() error) error {
	switch {
	case err == nil:
		return nil
	case isTable(name):
		if isDiskFull(err) {
			d.raise()
			d.sleep(fullPause)
		} else {
			time.Sleep(errorPause)
		}
		return err
	case isDiskFull(err):
		d.raise()
		d.giveBallast()
		for err = op(); isDiskFull(err) && !d.opening.Load(); err = op() {
			d.sleep(fullPoll)
		}
	}
	if err != nil {
		d.fail(fmt.Errorf("writing %q: %w", name, err))
		select {}
	}
	return nil
}

// sleep waits, shorter if there is room again.
func (d *diskFS) sleep(t time.Duration) {
	d.mu.Lock()
	cleared := d.mu.cleared
	d.mu.Unlock()
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-cleared:
	case <-timer.C:
	}
}

func (d *diskFS) file(name string, open func() (vfs.File, error)) (vfs.File, error) {
	f, err := open()
	if err = d.persist(name, err, func() error {
		f, err = open()
		return err
	}); err != nil {
		return nil, err
	}
	return &diskFile{File: f, d: d, name: name}, nil
}

// Create implements vfs.FS, as do the others.
func (d *diskFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.file(name, func() (vfs.File, error) { return d.FS.Create(name, c) })
}

func (d *diskFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return d.file(newname, func() (vfs.File, error) { return d.FS.ReuseForWrite(oldname, newname, c) })
}

func (d *diskFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.file(name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, c, opts...) })
}

func (d *diskFS) OpenDir(name string) (vfs.File, error) {
	return d.file(name, func() (vfs.File, error) { return d.FS.OpenDir(name) })
}

func (d *diskFS) Link(oldname, newname string) error {
	op := func() error { return d.FS.Link(oldname, newname) }
	return d.persist(newname, op(), op)
}

func (d *diskFS) Rename(oldname, newname string) error {
	op := func() error { return d.FS.Rename(oldname, newname) }
	return d.persist(newname, op(), op)
}

// A diskFile is a file whose writes outlast a full disk.
type diskFile struct {
	vfs.File
	d    *diskFS
	name string
}

func (f *diskFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	if err == nil {
		return n, nil
	}
	err = f.d.persist(f.name, err, func() error {
		m, err := f.File.Write(p[n:])
		n += m
		return err
	})
	return n, err
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.File.WriteAt(p, off)
	if err == nil {
		return n, nil
	}
	err = f.d.persist(f.name, err, func() error {
		m, err := f.File.WriteAt(p[n:], off+int64(n))
		n += m
		return err
	})
	return n, err
}

func (f *diskFile) Sync() error {
	return f.d.persist(f.name, f.File.Sync(), f.File.Sync)
}

func (f *diskFile) SyncData() error {
	return f.d.persist(f.name, f.File.SyncData(), f.File.SyncData)
}

func (f *diskFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	if err != nil {
		full = false
		err = f.d.persist(f.name, err, f.File.Sync)
	}
	return full, err
}

func (f *diskFile) Close() error {
	return f.d.persist(f.name, f.File.Close(), func() error { return nil })
}

// Preallocate is only a wish.
func (f *diskFile) Preallocate(offset, length int64) error {
	if err := f.File.Preallocate(offset, length); err != nil && !isDiskFull(err) {
		return err
	}
	return nil
}
