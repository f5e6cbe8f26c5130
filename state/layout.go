package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// The directory holds FORMAT, LOCK, BALLAST, the database and a place for
// tables on their way into it.
const (
	formatName  = "FORMAT"
	lockName    = "LOCK"
	ballastName = "BALLAST"
	dbName      = "db"
	bulkName    = "bulk"

	formatTemp    = ".tmp" // suffix of files that are not yet what they shall be
	formatMagic   = "helios-sql state format "
	formatVersion = 2 // 2: counts are merged
)

// Keys: four bytes of number, then the arrangement's own key. Number 0 is the
// store's own room: a letter, then
//
//	a fp part → number (4 bytes)     names of arrangements
//	c         → checkpoint
//	m key     → metadata
//	n         → the next number to hand out
const (
	numberLen = 4

	nameLetter       = 'a'
	checkpointLetter = 'c'
	metaLetter       = 'm'
	nextLetter       = 'n'
)

func appendNumber(dst []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(dst, n) }

// appendPrefixEnd appends the first key behind all that start with prefix.
func appendPrefixEnd(dst, prefix []byte) []byte {
	n := len(prefix)
	for prefix[n-1] == 0xff {
		n-- // ends: a number is never all ones
	}
	dst = append(dst, prefix[:n]...)
	dst[len(dst)-1]++
	return dst
}

func systemKey(letter byte, parts ...string) []byte {
	key := append(appendNumber(nil, 0), letter)
	for _, p := range parts {
		key = append(key, p...)
	}
	return key
}

func nameKey(id partID) []byte { return systemKey(nameLetter, string(id.fp[:]), id.part) }

// A partID names an arrangement.
type partID struct {
	fp   [16]byte
	part string
}

func (id partID) String() string { return fmt.Sprintf("%x/%s", id.fp, id.part) }

// names is the mapping from names to numbers as of one commit; immutable.
type names struct {
	numbers map[partID]uint32
	next    uint32
	// filled are the numbers of arrangements that have had entries: the others
	// are not worth a read. Not on disk.
	filled map[uint32]bool
}

// with gives the mapping after a commit that dropped some states and then added some parts.
func (n *names) with(dropped [][16]byte, added map[partID]uint32, next uint32) *names {
	if len(dropped) == 0 && len(added) == 0 {
		return n
	}
	out := &names{numbers: make(map[partID]uint32, len(n.numbers)+len(added)), next: next, filled: n.filled}
	for id, num := range n.numbers {
		if !slices.Contains(dropped, id.fp) {
			out.numbers[id] = num
		}
	}
	for id, num := range added {
		out.numbers[id] = num
	}
	return out
}

// fill gives the mapping after arrangements got entries.
func (n *names) fill(nums ...uint32) *names {
	if !slices.ContainsFunc(nums, func(num uint32) bool { return !n.filled[num] }) {
		return n
	}
	out := *n
	if out.filled = maps.Clone(n.filled); out.filled == nil {
		out.filled = make(map[uint32]bool)
	}
	for _, num := range nums {
		out.filled[num] = true
	}
	return &out
}

// A SourcePosition is where in a source a commit stands; the fields are those
// of connectors.Position.
type SourcePosition struct {
	LSN     uint64
	Step    uint64
	StepLSN uint64
}

// A Checkpoint says what a commit includes.
type Checkpoint struct {
	Tick       uint64
	Sources    map[uint32]SourcePosition
	WallMicros int64
}

func (c *Checkpoint) clone() *Checkpoint {
	out := *c
	out.Sources = make(map[uint32]SourcePosition, len(c.Sources))
	for id, p := range c.Sources {
		out.Sources[id] = p
	}
	return &out
}

const checkpointVersion = 1

func appendCheckpoint(dst []byte, c *Checkpoint) []byte {
	dst = append(dst, checkpointVersion)
	dst = binary.AppendUvarint(dst, c.Tick)
	dst = binary.AppendVarint(dst, c.WallMicros)
	dst = binary.AppendUvarint(dst, uint64(len(c.Sources)))
	for id, p := range c.Sources { // their order carries no meaning
		dst = binary.AppendUvarint(dst, uint64(id))
		dst = binary.AppendUvarint(dst, p.LSN)
		dst = binary.AppendUvarint(dst, p.Step)
		dst = binary.AppendUvarint(dst, p.StepLSN)
	}
	return dst
}

func decodeCheckpoint(b []byte) (*Checkpoint, error) {
	if len(b) == 0 || b[0] != checkpointVersion {
		return nil, errors.New("checkpoint has an unknown version")
	}
	r := bytes.NewReader(b[1:])
	var fail error
	u := func() uint64 {
		v, err := binary.ReadUvarint(r)
		fail = errors.Join(fail, err)
		return v
	}
	c := &Checkpoint{Tick: u()}
	wall, err := binary.ReadVarint(r)
	c.WallMicros, fail = wall, errors.Join(fail, err)
	n := u()
	c.Sources = make(map[uint32]SourcePosition)
	for i := uint64(0); i < n && fail == nil; i++ {
		id := u()
		c.Sources[uint32(id)] = SourcePosition{LSN: u(), Step: u(), StepLSN: u()}
	}
	if fail == nil && r.Len() != 0 {
		fail = errors.New("bytes left over")
	}
	if fail != nil {
		return nil, fmt.Errorf("checkpoint is malformed: %w", fail)
	}
	return c, nil
}

// recover reads the last commit's checkpoint and names.
func (s *Store) recover() (*names, *Checkpoint, error) {
	n := &names{numbers: make(map[partID]uint32), next: 1}
	cp := &Checkpoint{Sources: make(map[uint32]SourcePosition)}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: systemKey(0), UpperBound: appendNumber(nil, 1)})
	if err != nil {
		return nil, nil, err
	}
	bad := func(what string) error {
		return errors.Join(pgerr.Newf(pgerr.DataCorrupted, "state in %q: %s is malformed", s.dir, what), it.Close())
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return nil, nil, errors.Join(err, it.Close())
		}
		letter, key := it.Key()[numberLen], it.Key()[numberLen+1:]
		switch letter {
		case nameLetter:
			var id partID
			if len(key) < len(id.fp) || len(value) != numberLen {
				return nil, nil, bad("a name")
			}
			copy(id.fp[:], key)
			id.part = string(key[len(id.fp):])
			n.numbers[id] = binary.BigEndian.Uint32(value)
		case checkpointLetter:
			if cp, err = decodeCheckpoint(value); err != nil {
				return nil, nil, bad("the checkpoint")
			}
		case nextLetter:
			if len(value) != numberLen {
				return nil, nil, bad("the next number")
			}
			n.next = binary.BigEndian.Uint32(value)
		case metaLetter:
			it.SeekGE(systemKey(metaLetter + 1)) // may be many, and not wanted here
			it.Prev()
		}
	}
	if err := it.Close(); err != nil {
		return nil, nil, err
	}
	for id, num := range n.numbers {
		if num == 0 || num >= n.next {
			return nil, nil, pgerr.Newf(pgerr.DataCorrupted, "state in %q: arrangement %s has number %d, the next is %d", s.dir, id, num, n.next)
		}
	}
	n, err = s.findFilled(n)
	return n, cp, err
}

// findFilled tells which arrangements have entries.
func (s *Store) findFilled(n *names) (*names, error) {
	it, err := s.db.NewIter(nil)
	if err != nil {
		return nil, err
	}
	var filled []uint32
	for _, num := range slices.Sorted(maps.Values(n.numbers)) {
		if it.SeekGE(appendNumber(nil, num)) && binary.BigEndian.Uint32(it.Key()) == num {
			filled = append(filled, num)
		}
	}
	return n.fill(filled...), errors.Join(it.Error(), it.Close())
}

// checkFormat lets only directories pass that are ours, or empty. created
// says that ours is still to be made: an empty directory, or one in which an
// earlier try did not come to its end and which is emptied here. Then
// writeFormat makes it ours, once all is in place: a database of which only a part
// survived a crash is never taken for whole.
func checkFormat(fsys vfs.FS, dir string) (created bool, err error) {
	path := fsys.PathJoin(dir, formatName)
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, prepareFormat(fsys, dir, path+formatTemp)
	}
	if err != nil {
		return false, err
	}
	text, err := io.ReadAll(io.LimitReader(f, 1024))
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	number, ok := strings.CutPrefix(strings.TrimSpace(string(text)), formatMagic)
	version, err := strconv.Atoi(number)
	if !ok || err != nil {
		return false, pgerr.Newf(pgerr.ObjectNotInPrerequisite, "file %q is not that of a helios-sql state directory", path)
	}
	if version != formatVersion {
		return false, pgerr.Newf(pgerr.FeatureNotSupported, "state in %q has format %d, this version of helios-sql reads format %d", dir, version, formatVersion)
	}
	return false, nil
}

func prepareFormat(fsys vfs.FS, dir, temp string) error {
	entries, err := fsys.List(dir)
	if err != nil {
		return err
	}
	begun := slices.Contains(entries, formatName+formatTemp)
	for _, e := range entries {
		switch e {
		case lockName, "lost+found", formatName + formatTemp:
		case dbName, bulkName, ballastName, ballastName + formatTemp:
			if begun {
				if err := fsys.RemoveAll(fsys.PathJoin(dir, e)); err != nil {
					return err
				}
				continue
			}
			fallthrough
		default:
			return pgerr.Newf(pgerr.ObjectNotInPrerequisite, "directory %q is not empty and holds no helios-sql state", dir)
		}
	}
	f, err := fsys.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s%d\n", formatMagic, formatVersion)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncDir(fsys, dir)
}

func writeFormat(fsys vfs.FS, dir string) error {
	path := fsys.PathJoin(dir, formatName)
	if err := fsys.Rename(path+formatTemp, path); err != nil {
		return err
	}
	return syncDir(fsys, dir)
}

// mkdirAll makes a directory, with those above it that are missing, last a crash.
func mkdirAll(fsys vfs.FS, dir string) error {
	if _, err := fsys.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := fsys.PathDir(dir)
	if parent != dir {
		if err := mkdirAll(fsys, parent); err != nil {
			return err
		}
	}
	if err := fsys.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(fsys, parent)
}

func syncDir(fsys vfs.FS, dir string) error {
	d, err := fsys.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
