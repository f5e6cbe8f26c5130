package wire

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// frames reads all messages and prints them; odd ones are read in parts, every
// seventh is left unread.
func frames(src io.Reader, limit func(byte) int) (string, *frameReader) {
	f := newFrameReader(src)
	var out strings.Builder
	for i := 0; ; i++ {
		typ, n, err := f.next(limit)
		if err != nil {
			fmt.Fprintf(&out, "%v\n", err)
			return out.String(), f
		}
		var body []byte
		switch {
		case i%7 == 6:
		case i%2 == 0:
			body, err = f.body()
			body = bytes.Clone(body)
		default:
			for len(body) < n && err == nil {
				p := make([]byte, 5)
				var m int
				m, err = f.some(p)
				body = append(body, p[:m]...)
			}
		}
		if err != nil {
			fmt.Fprintf(&out, "%c: %v\n", typ, err)
			return out.String(), f
		}
		fmt.Fprintf(&out, "%c %d %x\n", typ, n, body)
	}
}

// FuzzFrames feeds hostile bytes: what is read does not depend on how they
// arrive, and no more is reserved than has arrived.
func FuzzFrames(f *testing.F) {
	for _, s := range []string{"", "Q", "Q\x00\x00\x00\x00", "Q\x00\x00\x00\x03", "Q\x00\x00\x00\x04", "Q\xff\xff\xff\xff", "Q\x3f\xff\xff\xffselect",
		"Q\x00\x00\x00\x0dselect 1\x00S\x00\x00\x00\x04", "y\x00\x00\x00\x04", "S\x7f\xff\xff\xff", "d\x00\x00\x00\x08abcdd\x00\x00\x00\x0dabcdefghic\x00\x00\x00\x04"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, limit := range []func(byte) int{clientLimit, authLimit} {
			whole, fr := frames(bytes.NewReader(data), limit)
			if len(fr.buf) > 2*readBufferSize+2*len(data) {
				t.Errorf("%d bytes are reserved for %d", len(fr.buf), len(data))
			}
			if slow, _ := frames(iotest.OneByteReader(bytes.NewReader(data)), limit); slow != whole {
				t.Errorf("byte by byte:\n%sat once:\n%s", slow, whole)
			}
		}
		fr := newFrameReader(bytes.NewReader(data))
		for {
			if _, err := fr.startup(); err != nil {
				break
			}
		}
	})
}

// TestLargeMessage keeps no large buffer once it is not needed.
func TestLargeMessage(t *testing.T) {
	large := bytes.Repeat([]byte{'x'}, 5<<20)
	in := append([]byte{'Q', 0, 0x50, 0, 4}, large...)
	in = append(in, "S\x00\x00\x00\x04S\x00\x00\x00\x04"...)
	f := newFrameReader(iotest.HalfReader(bytes.NewReader(in)))
	if _, _, err := f.next(clientLimit); err != nil {
		t.Fatal(err)
	}
	if body, err := f.body(); err != nil || !bytes.Equal(body, large) {
		t.Fatal(len(body), err)
	}
	for range 2 {
		if typ, n, err := f.next(clientLimit); typ != 'S' || n != 0 || err != nil {
			t.Fatal(typ, n, err)
		}
	}
	if len(f.buf) != readBufferSize {
		t.Errorf("the buffer has %d bytes", len(f.buf))
	}
}

// TestInterruptedRead goes on where a deadline has interrupted it.
func TestInterruptedRead(t *testing.T) {
	in := []byte("d\x00\x00\x00\x0aabcdefS\x00\x00\x00\x04")
	for cut := range in {
		src := io.MultiReader(bytes.NewReader(in[:cut]), iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(in[cut:]))))
		f := newFrameReader(src)
		var got []byte
		for tries := 0; tries < 100; tries++ {
			if f.left > 0 {
				p := make([]byte, 4)
				n, err := f.some(p)
				if err == nil {
					got = append(got, p[:n]...)
				}
				continue
			}
			if typ, _, err := f.next(clientLimit); err == nil && typ == 'S' {
				got = append(got, 'S')
			}
		}
		if string(got) != "abcdefS" {
			t.Errorf("cut at %d: %q", cut, got)
		}
	}
}
