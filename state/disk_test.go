package state

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A smallFS is a file system with room for so many bytes. With usage it also
// says how many, as real ones do.
type smallFS struct {
	vfs.FS
	usage bool

	mu    sync.Mutex
	room  int64
	sizes map[string]int64
}

func newSmallFS(inner vfs.FS, room int64, usage bool) *smallFS {
	return &smallFS{FS: inner, room: room, usage: usage, sizes: map[string]int64{}}
}

func (fs *smallFS) grow(n int64) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.room += n
}

func (fs *smallFS) take(name string, n int) (int, error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if int64(n) > fs.room {
		n = int(max(fs.room, 0)) // a short write, as the system does
		fs.room -= int64(n)
		fs.sizes[name] += int64(n)
		return n, syscall.ENOSPC
	}
	fs.room -= int64(n)
	fs.sizes[name] += int64(n)
	return n, nil
}

func (fs *smallFS) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	if !fs.usage {
		return fs.FS.GetDiskUsage(path)
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return vfs.DiskUsage{AvailBytes: uint64(max(fs.room, 0)), TotalBytes: 1 << 40}, nil
}

func (fs *smallFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	fs.mu.Lock()
	if fs.room <= 0 {
		fs.mu.Unlock()
		return nil, syscall.ENOSPC
	}
	fs.room += fs.sizes[name]
	fs.sizes[name] = 0
	fs.mu.Unlock()
	f, err := fs.FS.Create(name, c)
	return smallFile{f, fs, name}, err
}

func (fs *smallFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := fs.Remove(oldname); err != nil {
		return nil, err
	}
	return fs.Create(newname, c)
}

func (fs *smallFS) Remove(name string) error {
	fs.grow(fs.forget(name))
	return fs.FS.Remove(name)
}

func (fs *smallFS) Rename(oldname, newname string) error {
	n := fs.forget(oldname)
	fs.mu.Lock()
	fs.sizes[newname] = n
	fs.mu.Unlock()
	return fs.FS.Rename(oldname, newname)
}

func (fs *smallFS) forget(name string) int64 {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	n := fs.sizes[name]
	delete(fs.sizes, name)
	return n
}

type smallFile struct {
	vfs.File
	fs   *smallFS
	name string
}

func (f smallFile) Write(p []byte) (int, error) {
	n, full := f.fs.take(f.name, len(p))
	if n, err := f.File.Write(p[:n]); err != nil {
		return n, err
	}
	return n, full
}

// When the disk fills up, commits are refused with 53100, reads go on, no
// commit that was taken is lost, and commits go on once there is room: whether
// the file system tells its free space, whether there is a ballast, or neither.
func TestDiskFull(t *testing.T) {
	for _, c := range []struct {
		name             string
		usage            bool
		minFree, ballast int64
	}{
		{"low-water mark", true, 1 << 20, -1},
		{"ballast", false, -1, 1 << 20},
		{"neither", false, -1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mem := vfs.NewCrashableMem()
			fs := newSmallFS(mem, 6<<20, c.usage)
			o := testOptions(fs)
			o.MinFreeBytes, o.BallastBytes = c.minFree, c.ballast
			s := mustOpen(t, o)
			tx := s.NewTxn()
			a, err := tx.Open(fp(1), "rows")
			must(t, err)
			tick, refused := uint64(0), false
			value := make([]byte, 500)
			var writeErr error
			done := make(chan struct{})
			rows := func(tick uint64) error {
				for i := range uint64(40) {
					for j := range value { // does not compress well
						value[j] = byte(uint64(j)*(tick*40+i+7)) ^ byte((tick*40+i)>>3)
					}
					if err := a.Set(fmt.Appendf(nil, "%d.%d", tick, i), value); err != nil {
						return err
					}
				}
				return a.Set([]byte("tick"), fmt.Append(nil, tick))
			}
			go func() { // commits until refused, then goes on when there is room
				defer close(done)
				for more := 0; more < 500; {
					if writeErr = rows(tick + 1); writeErr != nil {
						return
					}
					for {
						err := tx.Commit(&Checkpoint{Tick: tick + 1})
						if err == nil {
							err = s.Sync()
							tick++
						}
						if err == nil {
							break
						}
						if pgerr.CodeOf(err) != pgerr.DiskFull {
							writeErr = err
							return
						}
						if !refused {
							refused = true
							writeErr = readable(s)
						}
						time.Sleep(10 * time.Millisecond)
						if s.Checkpoint().Tick == tick {
							break
						}
					}
					if refused {
						more++
					}
				}
			}()
			// There is room again when commits have stood still for a while.
			at, still := uint64(0), 0
			for end := false; !end; {
				select {
				case <-done:
					end = true
				case <-time.After(100 * time.Millisecond):
					if now := s.Checkpoint().Tick; now != at {
						at, still = now, 0
					} else if still++; still == 4 {
						still = 0
						must(t, readable(s)) // also while a commit waits
						fs.grow(8 << 20)
					}
				}
			}
			must(t, writeErr)
			if !refused {
				t.Fatal("no commit was refused")
			}
			fs.grow(64 << 20)
			for pgerr.CodeOf(s.Sync()) == pgerr.DiskFull {
				time.Sleep(10 * time.Millisecond)
			}
			crashed := mustOpen(t, testOptions(mem.CrashClone(vfs.CrashCloneCfg{})))
			if got := crashed.Checkpoint().Tick; got < tick-1 {
				t.Fatalf("recovered tick %d of %d", got, tick)
			}
			must(t, readable(crashed))
			must(t, crashed.Close())
			must(t, errors.Join(tx.Close(), s.Close()))
		})
	}
}

// readable checks that a snapshot shows one whole tick.
func readable(s *Store) error {
	sn := s.Snapshot()
	defer sn.Release()
	a, err := sn.Open(fp(1), "rows")
	if err != nil {
		return err
	}
	tick := sn.Checkpoint().Tick
	if v, ok, err := a.Get([]byte("tick")); err != nil || tick > 0 && (!ok || string(v) != fmt.Sprint(tick)) {
		return fmt.Errorf("%q at tick %d: %w", v, tick, err)
	}
	c, err := a.Cursor()
	if err != nil {
		return err
	}
	n := uint64(0)
	for ok := c.Range(nil, nil); ok; ok = c.Next() {
		n++
	}
	if err := c.Close(); err != nil {
		return err
	}
	if want := tick*40 + min(tick, 1); n != want {
		return fmt.Errorf("%d rows at tick %d, want %d", n, tick, want)
	}
	return nil
}

// A disk that is full from the start is an error of Open, and no lock is left.
func TestOpenOnFullDisk(t *testing.T) {
	fs := newSmallFS(vfs.NewMem(), 100, false)
	_, err := Open(testOptions(fs))
	wantCode(t, err, pgerr.DiskFull, "no space")
	fs.grow(64 << 20)
	must(t, mustOpen(t, testOptions(fs)).Close())
}
