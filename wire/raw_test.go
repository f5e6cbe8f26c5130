package wire_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A raw is a client that sends what a test says and prints what comes back.
type raw struct {
	t      testing.TB
	nc     net.Conn
	in     []byte
	binary []bool // the columns that come in binary form
	pid    uint32
	secret uint32
}

func dial(t testing.TB, network, addr string) *raw {
	t.Helper()
	nc, err := net.DialTimeout(network, addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	return &raw{t: t, nc: nc}
}

func (r *raw) write(b []byte) {
	r.t.Helper()
	r.nc.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if _, err := r.nc.Write(b); err != nil {
		r.t.Logf("write: %v", err) // the server may have closed
	}
}

// startup sends a startup message of a protocol version.
func (r *raw) startup(version uint32, params ...string) {
	body := binary.BigEndian.AppendUint32(nil, version)
	for _, p := range params {
		body = append(append(body, p...), 0)
	}
	body = append(body, 0)
	r.write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...))
}

// msg builds a message.
func msg(typ byte, body ...[]byte) []byte {
	all := slices.Concat(body...)
	return append(binary.BigEndian.AppendUint32([]byte{typ}, uint32(len(all)+4)), all...)
}

func zstr(s string) []byte { return append([]byte(s), 0) }
func u16(n int) []byte     { return binary.BigEndian.AppendUint16(nil, uint16(n)) }
func u32(n int) []byte     { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

// message encodes a line of a test: a type letter and its fields.
//
//	Q text / P name|text|oids / B portal|statement|formats|values|result formats
//	D S name / E portal|rows / C P name / H / S / d text / c / f reason / X / raw hex
//
// Lists are separated by commas; a value that begins with 0x is given in hex, NULL is NULL.
func message(t testing.TB, line string) []byte {
	kind, rest, _ := strings.Cut(line, " ")
	fields := strings.Split(rest, "|")
	field := func(i int) string {
		if i < len(fields) {
			return fields[i]
		}
		return ""
	}
	list := func(i int) []string {
		if field(i) == "" {
			return nil
		}
		return strings.Split(field(i), ",")
	}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return n
	}
	numbers := func(i int, width func(int) []byte) []byte {
		out := u16(len(list(i)))
		for _, s := range list(i) {
			out = append(out, width(number(s))...)
		}
		return out
	}
	unescape := strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\\`, `\`)
	switch kind {
	case "Q":
		return msg('Q', zstr(rest))
	case "P":
		return msg('P', zstr(field(0)), zstr(field(1)), numbers(2, u32))
	case "B":
		out := slices.Concat(zstr(field(0)), zstr(field(1)), numbers(2, u16), u16(len(list(3))))
		for _, v := range list(3) {
			b := []byte(v)
			if h, ok := strings.CutPrefix(v, "0x"); ok {
				b = unhex(t, h)
			}
			if v == "NULL" {
				out = append(out, u32(-1)...)
				continue
			}
			out = slices.Concat(out, u32(len(b)), b)
		}
		return msg('B', out, numbers(4, u16))
	case "D", "C":
		return msg(kind[0], []byte(rest[:1]), zstr(strings.TrimPrefix(rest[1:], " ")))
	case "E":
		rows := 0
		if field(1) != "" {
			rows = number(field(1))
		}
		return msg('E', zstr(field(0)), u32(rows))
	case "H", "S", "c", "X":
		return msg(kind[0])
	case "d":
		return msg('d', []byte(unescape.Replace(rest)))
	case "f":
		return msg('f', zstr(rest))
	case "raw":
		return unhex(t, strings.ReplaceAll(rest, " ", ""))
	}
	t.Fatalf("unknown message %q", line)
	return nil
}

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// receive reads one message. io.EOF: the server has closed.
func (r *raw) receive(wait time.Duration) (byte, []byte, error) {
	r.nc.SetReadDeadline(time.Now().Add(wait))
	chunk := make([]byte, 64<<10)
	for {
		if len(r.in) >= 5 {
			if n := int(binary.BigEndian.Uint32(r.in[1:])); len(r.in) > n {
				typ, body := r.in[0], r.in[5:n+1]
				r.in = r.in[n+1:]
				return typ, body, nil
			}
		}
		n, err := r.nc.Read(chunk)
		r.in = append(r.in, chunk[:n]...)
		if n == 0 && err != nil {
			var ne net.Error
			if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.As(err, &ne) || len(r.in) == 0 && !errors.Is(err, os.ErrDeadlineExceeded) {
				err = io.EOF
			}
			return 0, nil, err
		}
	}
}

// until prints messages up to the n-th of one of the types in stop, or the end.
// "quiet" as stop waits that nothing comes.
func (r *raw) until(stop string, n int) string {
	r.t.Helper()
	var out strings.Builder
	wait := 10 * time.Second
	if stop == "quiet" {
		wait = 200 * time.Millisecond
	}
	for n > 0 {
		typ, body, err := r.receive(wait)
		if err == io.EOF {
			out.WriteString("closed\n")
			break
		}
		if err != nil {
			if stop != "quiet" {
				fmt.Fprintf(&out, "nothing more: %v\n", err)
			} else if out.Len() == 0 {
				out.WriteString("nothing\n")
			}
			break
		}
		out.WriteString(r.print(typ, body))
		out.WriteByte('\n')
		if strings.IndexByte(stop, typ) >= 0 {
			n--
		}
	}
	return out.String()
}

// A cursor takes a message apart.
type cursor struct{ b []byte }

func (c *cursor) str() string {
	i := slices.Index(c.b, 0)
	s := string(c.b[:i])
	c.b = c.b[i+1:]
	return s
}
func (c *cursor) u16() int { n := binary.BigEndian.Uint16(c.b); c.b = c.b[2:]; return int(n) }
func (c *cursor) u32() int { n := int32(binary.BigEndian.Uint32(c.b)); c.b = c.b[4:]; return int(n) }

// print writes a message of the server as one line.
func (r *raw) print(typ byte, body []byte) string {
	c := &cursor{body}
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch typ {
	case 'R':
		add("%d", c.u32())
		if len(c.b) > 0 && parts[0] == "10" {
			add("%q", c.b)
		}
	case 'S':
		add("%s=%s", c.str(), c.str())
	case 'K':
		r.pid, r.secret = uint32(c.u32()), uint32(c.u32())
	case 'Z':
		add("%s", body)
	case 'C':
		add("%s", c.str())
	case 'T':
		r.binary = nil
		for range c.u16() {
			name := c.str()
			table, attr := c.u32(), c.u16()
			oid, size, mod, format := c.u32(), int16(c.u16()), c.u32(), c.u16()
			s := fmt.Sprintf("%s:%d/%d", name, oid, size)
			if mod != -1 {
				s += fmt.Sprintf("/%d", mod)
			}
			if table != 0 {
				s += fmt.Sprintf(" attr=%d", attr)
			}
			if format == 1 {
				s += " binary"
			}
			r.binary = append(r.binary, format == 1)
			add("[%s]", s)
		}
	case 'D':
		for range c.u16() {
			n := c.u32()
			if n < 0 {
				add("NULL")
				continue
			}
			v := c.b[:n]
			c.b = c.b[n:]
			if utf8.Valid(v) && !strings.ContainsFunc(string(v), func(r rune) bool { return r < ' ' }) {
				add("%s", v)
			} else {
				add("0x%x", v)
			}
		}
		return "D " + strings.Join(parts, "|")
	case 't':
		for range c.u16() {
			add("%d", c.u32())
		}
	case 'E', 'N':
		for c.b[0] != 0 {
			name := c.b[0]
			c.b = c.b[1:]
			if v := c.str(); strings.IndexByte("SCMDHPW", name) >= 0 {
				add("%c=%s", name, v)
			}
		}
		return string(typ) + " " + strings.Join(parts, ", ")
	case 'd':
		add("%q", body)
	case 'G', 'H':
		format := c.b[0]
		c.b = c.b[1:]
		add("format=%d columns=%d", format, c.u16())
	case 'v':
		add("%d", c.u32())
		for range c.u32() {
			add("%s", c.str())
		}
	}
	return strings.TrimSpace(string(typ) + " " + strings.Join(parts, " "))
}
