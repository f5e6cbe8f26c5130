package cdc

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/connectors"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// message builds pgoutput messages.
type message []byte

func msg(kind byte) message            { return message{kind} }
func (m message) u8(v ...byte) message { return append(m, v...) }
func (m message) u16(v uint16) message { return binary.BigEndian.AppendUint16(m, v) }
func (m message) u32(v uint32) message { return binary.BigEndian.AppendUint32(m, v) }
func (m message) u64(v uint64) message { return binary.BigEndian.AppendUint64(m, v) }
func (m message) str(s string) message { return append(append(m, s...), 0) }
func (m message) text(s ...string) message {
	m = m.u16(uint16(len(s)))
	for _, v := range s {
		switch v {
		case "NULL":
			m = m.u8('n')
		case "UNCHANGED":
			m = m.u8('u')
		default:
			m = append(m.u8('t').u32(uint32(len(v))), v...)
		}
	}
	return m
}

func beginMsg(lsn uint64) message { return msg('B').u64(lsn).u64(0).u32(7) }
func commitMsg(lsn uint64) message {
	return msg('C').u8(0).u64(lsn).u64(lsn + 8).u64(0)
}

func relationMsg(oid uint32, name string, identity byte, cols ...wireColumn) message {
	m := msg('R').u32(oid).str("public").str(name).u8(identity).u16(uint16(len(cols)))
	for _, c := range cols {
		flags := byte(0)
		if c.key {
			flags = 1
		}
		m = m.u8(flags).str(c.name).u32(c.oid).u32(uint32(c.mod))
	}
	return m
}

var relA = relationMsg(1, "a", 'd', wireColumn{"id", 23, -1, true}, wireColumn{"v", 25, -1, false})

// decoderFor gives a decoder of one table a(id int primary key, v text) into a mirror.
func decoderFor(at connectors.Position) (*decoder, *mirror) {
	t := &tableState{spec: TableSpec{Schema: "public", Name: "a"}, kind: 'r', identity: 'd',
		columns: []column{{name: "id", attnum: 1, upOID: 23, upMod: -1, typ: types.T(types.Int4), notNull: true, typeName: "integer"},
			{name: "v", attnum: 2, upOID: 25, upMod: -1, typ: types.T(types.Text), typeName: "text"}}}
	t.Table = connectors.Table{Schema: "public", Name: "a", OID: 1, Key: []int{0},
		Columns: types.Schema{{Name: "id", Type: types.T(types.Int4), NotNull: true}, {Name: "v", Type: types.T(types.Text)}}}
	m := &mirror{at: at}
	m.Tables(context.Background(), []connectors.Table{t.Table})
	cfg := Config{BufferSize: 1000, MaxStepRows: 3, MaxStepBytes: 1 << 20}
	return newDecoder([]*tableState{t}, newAssembler(context.Background(), m, &cfg, 1, at, &counters{}), testSpool(&counters{})), m
}

func TestDecoderErrors(t *testing.T) {
	ok := []message{beginMsg(100), relA, msg('I').u32(1).u8('N').text("1", "x")}
	for _, c := range []struct {
		name string
		msgs []message
		text string
	}{
		{"empty", []message{{}}, "empty"},
		{"unknown type", []message{msg('Z')}, "unknown type 0x5a"},
		{"short begin", []message{msg('B').u64(1)}, "Begin of 9 bytes"},
		{"begin twice", []message{beginMsg(1), beginMsg(2)}, "Begin within a transaction"},
		{"commit alone", []message{commitMsg(1)}, "Commit outside"},
		{"insert alone", []message{relA, msg('I').u32(1).u8('N').text("1", "x")}, "change outside of a transaction"},
		{"never announced", []message{beginMsg(1), msg('I').u32(9).u8('N').text("1")}, "relation 9, which was never announced"},
		{"truncate of what was never announced", append(ok, msg('T').u32(1).u8(0).u32(9)), "relation 9, which was never announced"},
		{"short truncate", append(ok, msg('T').u32(2).u8(0).u32(1)), "Truncate of 2 relations"},
		{"other number of columns", append(ok, msg('I').u32(1).u8('N').text("1")), `table "public"."a": malformed pgoutput message: tuple of 1 columns where 2 were announced`},
		{"cut short", append(ok, msg('I').u32(1).u8('N').u16(2).u8('t').u32(1).u8('1')), "tuple cut short"},
		{"long value", append(ok, msg('I').u32(1).u8('N').u16(2).u8('t').u32(1<<31).u8('x')), "value of 2147483648 bytes"},
		{"kind of value", append(ok, msg('I').u32(1).u8('N').u16(2).u8('z')), "unknown kind of value"},
		{"trailing bytes", append(ok, msg('I').u32(1).u8('N').text("1", "x").u8(0)), "1 bytes too many"},
		{"delete without old", append(ok, msg('D').u32(1).u8('N').text("1", "x")), "without an old tuple"},
		{"update without new", append(ok, msg('U').u32(1).u8('K').text("1", "NULL")), "without a new tuple"},
		{"relation cut short", []message{relA[:len(relA)-3]}, "Relation cut short"},
		{"relation too long", []message{append(bytes.Clone(relA), 0)}, "too many"},
	} {
		d, m := decoderFor(connectors.Position{})
		var err error
		for _, b := range c.msgs {
			if err = d.decode(b); err != nil {
				break
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.text) || pgerr.CodeOf(err) != pgerr.ProtocolViolation || len(m.txns) > 0 {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A value that cannot be read stops its table; the transaction's other
// changes are delivered.
func TestDecoderValueError(t *testing.T) {
	d, m := decoderFor(connectors.Position{})
	for _, b := range []message{beginMsg(100), relA, msg('I').u32(1).u8('N').text("1", "x"), msg('I').u32(1).u8('N').text("secret", "x"),
		msg('I').u32(1).u8('N').text("2", "x"), commitMsg(100)} {
		if err := d.decode(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.errs[0]; err == nil || pgerr.CodeOf(err) != pgerr.InvalidTextRepresentation || !strings.Contains(err.Error(), `column "id" of table "public"."a"`) {
		t.Fatalf("table error %v", err)
	}
	if len(m.text(0)) != 0 {
		t.Fatalf("rows of a stopped table: %v", m.text(0))
	}
}

// Transactions up to the start are skipped, and steps of the one that was
// interrupted.
func TestDecoderSkips(t *testing.T) {
	d, m := decoderFor(connectors.Position{LSN: 150, Step: 4, StepLSN: 200})
	feed := func(b message) {
		t.Helper()
		if err := d.decode(b); err != nil {
			t.Fatal(err)
		}
	}
	feed(relA)
	feed(beginMsg(140))
	feed(msg('I').u32(1).u8('N').text("1", "old"))
	feed(commitMsg(140))
	feed(beginMsg(200))
	for i := range 9 {
		feed(msg('I').u32(1).u8('N').text(fmt.Sprint(i), "x"))
	}
	feed(commitMsg(200))
	if got := fmt.Sprint(m.text(0)); got != "[4|x| 5|x| 6|x| 7|x| 8|x|]" || m.at != (connectors.Position{LSN: 208}) || len(m.txns) != 2 {
		t.Fatalf("%s at %+v after %v", got, m.at, m.txns)
	}
}

// testdata/*.hex hold pgoutput as a server sent it, a message a line.
func recorded(t testing.TB) [][]byte {
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded messages: %v", err)
	}
	var out [][]byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Fields(string(b)) {
			m, err := hex.DecodeString(line)
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			out = append(out, m)
		}
	}
	return out
}

// TestRecorded decodes what a server sent for a(id, v), with every message
// cut at every length, too.
func TestRecorded(t *testing.T) {
	d, m := decoderFor(connectors.Position{})
	d.tables = map[uint32]*tableState{16385: d.tables[1]}
	all := recorded(t)
	for i, b := range all {
		if err := d.decode(b); err != nil {
			t.Fatalf("message %d: %v", i, err)
		}
	}
	if got := fmt.Sprint(m.text(0)); got != "[2|two| 30|drei|]" || len(m.errs) != 0 {
		t.Fatalf("%s, %v", got, m.errs)
	}
	for i, b := range all {
		for n := range len(b) {
			d, _ := decoderFor(connectors.Position{})
			d.tables = map[uint32]*tableState{16385: d.tables[1]}
			for _, before := range all[:i] {
				if err := d.decode(before); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.decode(b[:n]); err == nil && !strings.ContainsRune("YOM", rune(b[0])) {
				t.Fatalf("message %d cut at %d: no error", i, n)
			}
		}
	}
}

// FuzzDecoder changes recorded messages: an error, never a panic, and nothing
// but well-formed rows. Input: messages, each behind its length in two bytes.
func FuzzDecoder(f *testing.F) {
	var seed []byte
	for _, m := range append(recorded(f), relA, beginMsg(1), msg('U').u32(1).u8('O').text("1", "x").u8('N').text("1", "UNCHANGED"), msg('T').u32(1).u8(1).u32(1)) {
		seed = append(binary.BigEndian.AppendUint16(seed, uint16(len(m))), m...)
		f.Add(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
	}
	f.Add(seed)
	seed = nil
	for _, m := range []message{streamStartMsg(10, 1), relA.within(10), insertMsg("1").within(10), insertMsg("2").within(11), streamStopMsg(),
		streamStartMsg(20, 1), relA.within(20), msg('T').u32(1).u8(0).u32(1).within(20), streamStopMsg(), streamAbortMsg(10, 11),
		streamStartMsg(10, 0), insertMsg("3").within(12), msg('M').u32(10).u8(1).u64(1).str("p").u32(1).u8('x'), streamStopMsg(),
		streamCommitMsg(20, 200), streamCommitMsg(10, 300)} {
		seed = append(binary.BigEndian.AppendUint16(seed, uint16(len(m))), m...)
		f.Add(append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...))
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, in []byte) {
		d, m := decoderFor(connectors.Position{})
		defer d.spool.close()
		d.tables[16385] = d.tables[1]
		m.onCommit = func(txn *connectors.Txn) error {
			for _, c := range txn.Changes {
				for i := range c.Changes.Len() {
					for _, r := range []types.Row{c.Changes.Old(i), c.Changes.New(i)} {
						if len(r) > 0 && !r.Check(2) {
							t.Fatalf("malformed row %x", r)
						}
					}
				}
			}
			return errStop
		}
		for len(in) >= 2 {
			n := min(int(binary.BigEndian.Uint16(in)), len(in)-2)
			b := in[2 : 2+n]
			in = in[2+n:]
			if err := d.decode(b); err != nil && !errors.Is(err, errStop) {
				return
			}
		}
	})
}

var errStop = errors.New("stop")

// FuzzCopy does the same for rows of the binary COPY.
func FuzzCopy(f *testing.F) {
	f.Add([]byte("\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x01x\xff\xff"))
	f.Add([]byte("\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, _ := decoderFor(connectors.Position{})
		c := copier{t: d.tables[1]}
		for len(in) > 0 {
			var err error
			if in, err = c.tuple(in); err != nil {
				return
			}
		}
		if c.batch != nil {
			for i := range c.batch.Len() {
				if !c.batch.Row(i).Check(2) {
					t.Fatalf("malformed row %x", c.batch.Row(i))
				}
			}
		}
	})
}

// TestPool: rows in flight are bounded, one transaction always gets in.
func TestPool(t *testing.T) {
	p := &txnPool{limit: 10, freed: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	a, b := p.get(), p.get()
	a.Rows, b.Rows = 20, 1
	passed := 0
	pass := func() error { passed++; return nil }
	if err := p.admit(ctx, &a.Txn, 1<<20, pass); err != nil {
		t.Fatal(err)
	}
	if err := p.admit(ctx, &b.Txn, 1<<20, pass); err == nil {
		t.Fatal("admitted beyond the limit")
	}
	if passed != 1 {
		t.Fatalf("what is kept was handed over %d times before the wait, want once", passed)
	}
	go func() {
		time.Sleep(10 * time.Millisecond)
		a.Release()
	}()
	if err := p.admit(context.Background(), &b.Txn, 1<<20, pass); err != nil {
		t.Fatal(err)
	}
	b.Release()
	if n := p.rows.Load(); n != 0 || p.get() == p.get() {
		t.Fatalf("%d rows in flight", n)
	}
}
