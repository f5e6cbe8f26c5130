package wire_test

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/helios-sql/helios-sql/wire"
)

// FuzzConnection feeds hostile bytes to a connection that has logged in, and
// to one that has not: the server answers or closes, does not panic, reserves
// little, and serves the next client.
func FuzzConnection(f *testing.F) {
	auth, err := wire.NewSCRAM(map[string]string{"x": "y"})
	if err != nil {
		f.Fatal(err)
	}
	trusting, asking := start(f, wire.Options{}), start(f, wire.Options{Auth: auth})
	for _, line := range []string{"Q select 1", "Q", "P |select $1::int|23", "B |||1|1", "B ||1|0x00000001|1", "D S", "D P", "E |1", "C S", "H", "S", "X", "f no", "d x", "c",
		"Q copy (select 1) to stdout", "Q create table t (a int)", "Q copy t from stdin",
		"raw 51 00 00 00 04", "raw 66 00 00 00 04", "raw 46 00 00 00 04", "raw 46 00 00 00 08 00 00 00 01", "raw 42 00 00 00 12 00 00 00 00 00 01 ff ff ff fe 00 00 00",
		"raw 51 ff ff ff ff", "raw 51 00 00 00 00", "raw 51 00 00 00 03", "raw 51 3f ff ff ff 61", "raw 42 00 00 00 0c 00 00 ff ff ff ff ff ff", "raw 50 00 00 00 08 00 00 ff ff",
		"raw 70 00 00 00 04", "raw 70 00 00 00 1a 53 43 52 41 4d 2d 53 48 41 2d 32 35 36 00 ff ff ff ff 6e 2c 2c"} {
		b := message(f, line)
		f.Add(b)
		f.Add(append(b, message(f, "S")...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var was, is runtime.MemStats
		runtime.ReadMemStats(&was)
		for _, s := range []*server{trusting, asking} {
			feed(t, s, data)
		}
		runtime.ReadMemStats(&is)
		if grown := is.TotalAlloc - was.TotalAlloc; grown > 64<<20+100*uint64(len(data)) {
			t.Errorf("%d bytes were allocated for %d", grown, len(data))
		}
		if metric(t, trusting, "helios_wire_panics_total") > 0 {
			t.Error("a statement panicked")
		}
		for _, s := range []*server{trusting, asking} {
			waitFor(t, func() bool { return metric(t, s, "helios_wire_connections") == 0 })
		}
	})
}

// feed sends bytes after a startup message and reads to the connection's end.
func feed(t *testing.T, s *server, data []byte) {
	nc, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	r := &raw{t: t, nc: nc}
	r.startup(3<<16, "user", "x", "database", "helios")
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, nc); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				t.Error("the server neither reads nor closes")
			}
		}
	}()
	nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := nc.Write(data); err == nil {
		nc.(*net.TCPConn).CloseWrite()
	}
	<-done
}
