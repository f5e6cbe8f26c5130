package cdc

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"sort"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// A spool keeps what the server has streamed of transactions that have not
// committed: in blocks of memory that all of them share, and beyond that in a file for
// each. It lives as long as the connection: the next one brings it all again.
//
// It keeps messages, not decoded rows: what a message means depends on the
// Relation messages before it, and those take effect in the order of commits.
type spool struct {
	dir     string
	minFree int64 // bytes of its disk that are left alone
	full    bool  // there is no room on it
	create  func(dir string) (*os.File, error)
	ended   func() error // asked from time to time: why to stop
	m       *counters
	open    map[uint32]*spooled
	free    [][]byte
	lent    int    // blocks made so far
	read    []byte // for blocks that are in files
}

// The memory of a spool. A message larger than a block goes to the file at once.
const (
	spoolBlock  = 128 << 10
	spoolBlocks = 64
)

// A spooled is one open transaction.
type spooled struct {
	xid     uint32
	parts   []part // those in the file come first
	inFile  int    // that many
	file    *os.File
	end     int64  // of what counts in the file
	high    uint32 // highest transaction ID of its records
	message bool   // the last record is a logical message
}

// A part is a block of whole records.
type part struct {
	data []byte // nil: in the file
	off  int64  // there
	// high and message are the spooled's as of before the part.
	high    uint32
	message bool
}

// A record is the length of the message, its LSN, its (sub)transaction, and
// the message as it would come outside of a stream.
const recordHeader = 16

func newSpool(cfg *Config, create func(dir string) (*os.File, error), ended func() error, m *counters) *spool {
	s := &spool{dir: cfg.SpoolDir, minFree: cfg.SpoolMinFree, create: create, ended: ended, m: m, open: map[uint32]*spooled{}}
	if s.dir == "" {
		s.dir = os.TempDir()
	}
	return s
}

func (s *spool) begin(xid uint32) *spooled {
	t := &spooled{xid: xid, high: xid}
	s.open[xid] = t
	return t
}

// before orders transaction IDs, which wrap around.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// add appends a message of a subtransaction, or of the transaction itself.
func (s *spool) add(t *spooled, lsn connectors.LSN, xid uint32, kind byte, body []byte) error {
	var header [recordHeader + 1]byte
	binary.BigEndian.PutUint32(header[:], uint32(1+len(body)))
	binary.BigEndian.PutUint64(header[4:], uint64(lsn))
	binary.BigEndian.PutUint32(header[12:], xid)
	header[recordHeader] = kind
	size := len(header) + len(body)
	if n := len(t.parts); n == t.inFile || spoolBlock-len(t.parts[n-1].data) < size {
		p := part{high: t.high, message: t.message}
		if size <= spoolBlock {
			var err error
			if p.data, err = s.block(); err != nil {
				return err
			}
			t.parts = append(t.parts, p)
		} else {
			if err := s.spill(t); err != nil {
				return err
			}
			p.off = t.end
			if err := s.write(t, header[:]); err != nil {
				return err
			}
			if err := s.write(t, body); err != nil {
				return err
			}
			t.parts = append(t.parts, p)
			t.inFile++
		}
	}
	if p := &t.parts[len(t.parts)-1]; p.data != nil {
		p.data = append(append(p.data, header[:]...), body...)
	}
	if before(t.high, xid) {
		t.high = xid
	}
	t.message = kind == 'M'
	return nil
}

// block lends a block. When all are lent, the transaction that has most of
// them goes to its file.
func (s *spool) block() ([]byte, error) {
	if len(s.free) == 0 {
		if s.lent < spoolBlocks {
			s.lent++
			return make([]byte, 0, spoolBlock), nil
		}
		var most *spooled
		for _, t := range s.open {
			if most == nil || len(t.parts)-t.inFile > len(most.parts)-most.inFile {
				most = t
			}
		}
		if err := s.spill(most); err != nil {
			return nil, err
		}
	}
	b := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	return b, nil
}

// spill moves a transaction to its file.
func (s *spool) spill(t *spooled) error {
	for ; t.inFile < len(t.parts); t.inFile++ {
		p := &t.parts[t.inFile]
		p.off = t.end
		if err := s.write(t, p.data); err != nil {
			return err
		}
		s.free = append(s.free, p.data[:0])
		p.data = nil
	}
	return nil
}

func (s *spool) write(t *spooled, b []byte) (err error) {
	if t.file == nil {
		if t.file, err = s.create(s.dir); err != nil {
			return s.failed("create", err)
		}
	}
	// Who shares the disk must not come to a halt for want of room: what they
	// would wait for is the commit that the spool waits for.
	var disk unix.Statfs_t
	if s.minFree > 0 && unix.Statfs(s.dir, &disk) == nil && int64(disk.Bavail)*int64(disk.Bsize)-int64(len(b)) < s.minFree {
		return s.failed("write to", syscall.ENOSPC)
	}
	if _, err = t.file.WriteAt(b, t.end); err != nil {
		return s.failed("write to", err)
	}
	t.end += int64(len(b))
	s.m.spoolBytes.Add(int64(len(b)))
	return nil
}

// load gives a part's records; of a message larger than a block only its
// beginning, unless it is wanted whole. Borrowed until the next call.
func (s *spool) load(t *spooled, i int, whole bool) ([]byte, error) {
	p := &t.parts[i]
	if p.data != nil {
		return p.data, nil
	}
	size := t.end - p.off
	if i+1 < t.inFile {
		size = t.parts[i+1].off - p.off
	}
	if s.read == nil {
		s.read = make([]byte, spoolBlock)
	}
	b := s.read
	if size > spoolBlock && whole {
		b = make([]byte, size)
	}
	b = b[:min(size, int64(len(b)))]
	if _, err := t.file.ReadAt(b, p.off); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, s.failed("read", err)
	}
	return b, nil
}

// rollback takes away what a subtransaction did, and reports whether that is
// known for sure.
//
// That is all from its first record on. While it was open, its transaction
// did nothing but in it and in those below it, and these got their IDs after it: so its
// beginning is the first ID that is not before its own. Only logical messages do not
// tell: the server sends them under the ID of the whole transaction. One that
// stands directly before that place may be of either side.
func (s *spool) rollback(t *spooled, sub uint32) (sure bool, err error) {
	if before(t.high, sub) {
		return !t.message, nil
	}
	i := sort.Search(len(t.parts), func(i int) bool { return !before(t.parts[i].high, sub) }) - 1
	if i < 0 {
		return false, corrupt("Stream Abort of subtransaction %d, which is older than its transaction %d", sub, t.xid)
	}
	data, err := s.load(t, i, false)
	if err != nil {
		return false, err
	}
	p := &t.parts[i]
	t.high, t.message = p.high, p.message
	cut := 0
	for cut < len(data) {
		xid := binary.BigEndian.Uint32(data[cut+12:])
		if !before(xid, sub) {
			break
		}
		if before(t.high, xid) {
			t.high = xid
		}
		t.message = data[cut+recordHeader] == 'M'
		cut += recordHeader + int(binary.BigEndian.Uint32(data[cut:]))
	}
	keep := i
	if cut > 0 {
		keep++
	}
	inFile := p.data == nil
	if !inFile && cut > 0 {
		p.data = p.data[:cut]
	}
	s.release(t.parts[keep:])
	t.parts = t.parts[:keep]
	if inFile {
		t.inFile = keep
		return !t.message, s.truncate(t, p.off+int64(cut))
	}
	return !t.message, nil
}

func (s *spool) truncate(t *spooled, end int64) error {
	if err := t.file.Truncate(end); err != nil {
		return s.failed("truncate", err)
	}
	s.m.spoolBytes.Add(end - t.end)
	t.end = end
	return nil
}

func (s *spool) release(parts []part) {
	for _, p := range parts {
		if p.data != nil {
			s.free = append(s.free, p.data[:0])
		}
	}
}

// replay gives a transaction's messages.
func (s *spool) replay(t *spooled, f func(lsn connectors.LSN, msg []byte) error) error {
	s.m.replaying.Store(true)
	defer s.m.replaying.Store(false)
	for i := range t.parts {
		if err := s.ended(); err != nil {
			return err
		}
		data, err := s.load(t, i, true)
		if err != nil {
			return err
		}
		for len(data) > 0 {
			n := recordHeader + int(binary.BigEndian.Uint32(data))
			if err := f(connectors.LSN(binary.BigEndian.Uint64(data[4:])), data[recordHeader:n]); err != nil {
				return err
			}
			data = data[n:]
		}
	}
	return nil
}

// discard forgets a transaction.
func (s *spool) discard(t *spooled) {
	s.release(t.parts)
	if t.file != nil {
		t.file.Close() // it has no name: this deletes it
		s.m.spoolBytes.Add(-t.end)
	}
	delete(s.open, t.xid)
}

func (s *spool) close() {
	for _, t := range s.open {
		s.discard(t)
	}
}

// spoolFile makes a file that is gone with its last use, be that a crash.
func spoolFile(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(dir, "helios-spool-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// failed makes an error of one with a file. When there is no room, the next
// connection does not stream: the transaction waits at the server, which keeps it anyway.
func (s *spool) failed(doing string, err error) error {
	code := pgerr.IOError
	switch {
	case errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT):
		s.full = true
		e := pgerr.Newf(pgerr.DiskFull, "could not %s a spool file in %q: %w", doing, s.dir, syscall.ENOSPC)
		return e.WithHint("The source goes on without: the server keeps large transactions until they commit.")
	case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
		code = pgerr.InsufficientResources
	}
	return pgerr.Newf(code, "could not %s a spool file in %q: %w", doing, s.dir, err)
}
