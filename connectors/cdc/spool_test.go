package cdc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

func testSpool(m *counters) *spool {
	return newSpool(&Config{}, spoolFile, func() error { return nil }, m)
}

// TestSpool holds a spool to a list: transactions that take turns, with
// savepoints in savepoints that are released and rolled back, and messages of all sizes.
func TestSpool(t *testing.T) {
	t.Parallel()
	type record struct {
		lsn  connectors.LSN
		xid  uint32
		text string
	}
	type model struct {
		t       *spooled
		open    []uint32 // the savepoints
		records []record
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var m counters
	s := testSpool(&m)
	next := ^uint32(0) - 300 // the IDs wrap around
	lsn := connectors.LSN(0)
	noise := bytes.Repeat([]byte("0123456789abcdef"), 30_000)
	var open []*model
	check := func(x *model) {
		t.Helper()
		i := 0
		err := s.replay(x.t, func(lsn connectors.LSN, msg []byte) error {
			if i == len(x.records) || x.records[i].lsn != lsn || x.records[i].text != string(msg) {
				return fmt.Errorf("record %d: %.50q at %s", i, msg, lsn)
			}
			i++
			return nil
		})
		if err != nil || i != len(x.records) {
			t.Fatalf("%d of %d records: %v", i, len(x.records), err)
		}
	}
	most, spilled := 0, int64(0)
	for range 6000 {
		if len(open) == 0 || len(open) < 90 && rnd.IntN(30) == 0 {
			open = append(open, &model{t: s.begin(next)})
			next++
		}
		most = max(most, len(open))
		at := rnd.IntN(len(open))
		x := open[at]
		switch n := rnd.IntN(100); {
		case n < 10: // a savepoint that has written something, by itself or in one below
			for range 1 + rnd.IntN(2) {
				x.open = append(x.open, next)
				next++
			}
		case n < 14 && len(x.open) > 0:
			x.open = x.open[:rnd.IntN(len(x.open))]
		case n < 20 && len(x.open) > 0:
			i := rnd.IntN(len(x.open))
			sub := x.open[i]
			x.open = x.open[:i]
			if sure, err := s.rollback(x.t, sub); !sure || err != nil {
				t.Fatal(sure, err)
			}
			for i, r := range x.records {
				if !before(r.xid, sub) {
					x.records = x.records[:i]
					break
				}
			}
		case n == 20 && rnd.IntN(2) == 0:
			check(x)
			s.discard(x.t)
			open = append(open[:at], open[at+1:]...)
		default:
			for range 1 + rnd.IntN(30) {
				size := rnd.IntN(2000)
				if rnd.IntN(300) == 0 {
					size = spoolBlock - 40 + rnd.IntN(60) + rnd.IntN(2)*rnd.IntN(len(noise)-spoolBlock-60)
				}
				xid := x.t.xid
				if len(x.open) > 0 {
					xid = x.open[len(x.open)-1]
				}
				lsn++
				body := noise[:size]
				if err := s.add(x.t, lsn, xid, "IUD"[lsn%3], body); err != nil {
					t.Fatal(err)
				}
				x.records = append(x.records, record{lsn, xid, string("IUD"[lsn%3]) + string(body)})
			}
		}
		spilled = max(spilled, m.spoolBytes.Load())
	}
	for _, x := range open {
		check(x)
	}
	s.close()
	if m.spoolBytes.Load() != 0 || s.lent > spoolBlocks || len(s.free) != s.lent {
		t.Fatalf("%d bytes on disk, %d of %d blocks", m.spoolBytes.Load(), len(s.free), s.lent)
	}
	if most < 50 || spilled < 1<<20 {
		t.Fatalf("at most %d transactions and %d bytes on disk: the test is too small", most, spilled)
	}
}

// Whether a logical message before a rolled-back savepoint is of it is not known.
func TestSpoolMessages(t *testing.T) {
	t.Parallel()
	s := testSpool(&counters{})
	x := s.begin(10)
	for i, c := range []struct {
		kind byte
		xid  uint32
		back uint32 // then rolled back; 0: nothing
		sure bool
	}{
		{'I', 10, 11, true}, {'M', 10, 0, false}, {'I', 10, 0, false}, {'I', 12, 12, true}, {'I', 13, 0, false}, {'M', 10, 13, true},
		{'M', 10, 14, false}, {'I', 15, 15, false}, {'I', 10, 16, true},
	} {
		if err := s.add(x, 1, c.xid, c.kind, []byte("body")); err != nil {
			t.Fatal(err)
		}
		if c.back == 0 {
			continue
		}
		if sure, err := s.rollback(x, c.back); sure != c.sure || err != nil {
			t.Errorf("%d: %v, %v", i, sure, err)
		}
	}
	if _, err := s.rollback(x, 9); pgerr.CodeOf(err) != pgerr.ProtocolViolation {
		t.Errorf("an older one: %v", err)
	}
}

func devFull(string) (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }

// Errors of the file name what was done and whether the disk is full.
func TestSpoolErrors(t *testing.T) {
	t.Parallel()
	fill := func(s *spool) error {
		x := s.begin(1)
		for range 3 * spoolBlocks {
			if err := s.add(x, 1, 1, 'I', make([]byte, spoolBlock-100)); err != nil {
				return err
			}
		}
		return nil
	}
	s := testSpool(&counters{})
	s.create = devFull
	if err := fill(s); pgerr.CodeOf(err) != pgerr.DiskFull || !IsTransient(err) || !s.full || !strings.Contains(err.Error(), "could not write to a spool file") {
		t.Errorf("full disk: %v", err)
	}
	s.close()
	s = testSpool(&counters{})
	s.minFree = 1 << 60
	if err := fill(s); pgerr.CodeOf(err) != pgerr.DiskFull || !s.full {
		t.Errorf("less than what is to stay free: %v", err)
	}
	s.close()
	s = testSpool(&counters{})
	s.dir = "/dev/null/x"
	if err := fill(s); pgerr.CodeOf(err) != pgerr.IOError || IsTransient(err) {
		t.Errorf("no directory: %v", err)
	}
	s.close()
	s = testSpool(&counters{})
	if err := fill(s); err != nil {
		t.Fatal(err)
	}
	x := s.open[1]
	x.file.Close()
	if err := s.replay(x, func(connectors.LSN, []byte) error { return nil }); pgerr.CodeOf(err) != pgerr.IOError {
		t.Errorf("closed file: %v", err)
	}
	stop := errors.New("stop")
	s.ended = func() error { return stop }
	if err := s.replay(x, nil); err != stop {
		t.Errorf("ended: %v", err)
	}
	s.close()
}

func streamStartMsg(xid uint32, first byte) message { return msg('S').u32(xid).u8(first) }
func streamStopMsg() message                        { return msg('E') }
func streamAbortMsg(xid, sub uint32) message        { return msg('A').u32(xid).u32(sub) }
func streamCommitMsg(xid uint32, lsn uint64) message {
	return msg('c').u32(xid).u8(0).u64(lsn).u64(lsn + 8).u64(0)
}

// within puts a transaction ID into a message, as in a stream.
func (m message) within(xid uint32) message {
	return append(binary.BigEndian.AppendUint32(message{m[0]}, xid), m[1:]...)
}

func insertMsg(id string) message { return msg('I').u32(1).u8('N').text(id, "x") }

func TestDecoderStreams(t *testing.T) {
	t.Parallel()
	d, m := decoderFor(connectors.Position{LSN: 1})
	for _, b := range []message{
		streamStartMsg(10, 1), relA.within(10), insertMsg("1").within(10), insertMsg("2").within(11), streamStopMsg(),
		streamStartMsg(20, 1), relA.within(20), msg('O').u64(1).str("x"), msg('Y').u32(20).u32(1), insertMsg("100").within(20), streamStopMsg(),
		relA, beginMsg(100), insertMsg("1000"), commitMsg(100),
		streamAbortMsg(10, 11),
		streamStartMsg(10, 0), insertMsg("3").within(12), insertMsg("4").within(10), streamStopMsg(),
		streamStartMsg(30, 1), relA.within(30), insertMsg("bad").within(30), streamStopMsg(), streamAbortMsg(30, 30),
		streamCommitMsg(10, 200), streamAbortMsg(20, 21), streamCommitMsg(20, 300),
	} {
		if err := d.decode(b); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(m.text(0)); got != "[1000|x| 100|x| 1|x| 3|x| 4|x|]" || m.at.LSN != 308 || len(m.txns) != 3 || m.txns[1].xid != 10 || len(m.errs) > 0 {
		t.Fatalf("%s, %+v, %v", got, m.txns, m.errs)
	}
	if len(d.spool.open) != 0 {
		t.Fatalf("left open: %v", d.spool.open)
	}
}

// A stream that is out of order is an error that says where.
func TestStreamErrors(t *testing.T) {
	t.Parallel()
	start := streamStartMsg(10, 1)
	for _, c := range []struct {
		name string
		msgs []message
		text string
	}{
		{"stop alone", []message{streamStopMsg()}, "unknown type 0x45"},
		{"start twice", []message{start, streamStartMsg(11, 1)}, "type 0x53 within a stream"},
		{"begun again", []message{start, streamStopMsg(), start}, "begins transaction 10 again"},
		{"not begun", []message{streamStartMsg(10, 0)}, "goes on with transaction 10, which was not begun"},
		{"start in a transaction", []message{beginMsg(1), start}, "Stream Start within a transaction"},
		{"commit in a transaction", []message{start, streamStopMsg(), beginMsg(1), streamCommitMsg(10, 5)}, "Begin within a transaction"},
		{"begin in a stream", []message{start, beginMsg(1)}, "type 0x42 within a stream"},
		{"commit in a stream", []message{start, streamCommitMsg(10, 5)}, "type 0x63 within a stream"},
		{"abort in a stream", []message{start, streamAbortMsg(10, 10)}, "type 0x41 within a stream"},
		{"unknown commit", []message{streamCommitMsg(10, 5)}, "Stream Commit of transaction 10, which is not open"},
		{"committed twice", []message{start, streamStopMsg(), streamCommitMsg(10, 5), streamCommitMsg(10, 5)}, "which is not open"},
		{"unknown abort", []message{streamAbortMsg(10, 11)}, "Stream Abort of transaction 10, which is not open"},
		{"abort of an older one", []message{start, insertMsg("1").within(10), streamStopMsg(), streamAbortMsg(10, 9)}, "older than its transaction 10"},
		{"an older one's change", []message{start, insertMsg("1").within(9)}, "I of transaction 9 in the stream of 10"},
		{"never announced", []message{start, insertMsg("1").within(10), streamStopMsg(), streamCommitMsg(10, 5)}, "relation 1, which was never announced"},
		{"short change", []message{start, msg('I').u16(0)}, "I of 3 bytes within a stream"},
		{"empty change", []message{start, msg('I').u32(10), streamStopMsg(), streamCommitMsg(10, 5)}, "I of 1 bytes"},
		{"short start", []message{msg('S').u32(1)}, "Stream Start of 5 bytes"},
		{"long stop", []message{start, msg('E').u8(0)}, "Stream Stop of 2 bytes"},
		{"short commit", []message{msg('c').u32(1)}, "Stream Commit of 5 bytes"},
		{"short abort", []message{msg('A').u32(1)}, "Stream Abort of 5 bytes"},
	} {
		d, m := decoderFor(connectors.Position{})
		s := &stream{run: &run{feed: &feed{}}, dec: d}
		var err error
		for i, b := range c.msgs {
			if err != nil {
				t.Errorf("%s: early: %v", c.name, err)
			}
			err = s.copyData(append(msg('w').u64(uint64(i)+0x1000).u64(0).u64(0), b...))
		}
		if err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "at 0/10") || pgerr.CodeOf(err) != pgerr.ProtocolViolation || len(m.txns) > 0 && c.name != "committed twice" {
			t.Errorf("%s: %v", c.name, err)
		}
		d.spool.close()
	}
}
