package cdc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// socketPair is a connection as the stream has it, and its other end.
func socketPair(t *testing.T, network, addr string) (*frames, net.Conn) {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f := &frames{conn: c, buf: make([]byte, frameBuffer)}
	f.detach()
	if _, ok := f.conn.(*socket); !ok {
		t.Fatalf("%T is not detached", c)
	}
	t.Cleanup(func() { peer.Close() })
	return f, peer
}

// TestSocket: a detached connection carries all bytes both ways, keeps its
// deadlines, and ends with its context, whether it waits or not.
func TestSocket(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			addr := "127.0.0.1:0"
			if network == "unix" {
				addr = t.TempDir() + "/s"
			}
			f, peer := socketPair(t, network, addr)
			want := bytes.Repeat([]byte("helios "), 1<<20)
			echoed := make(chan error, 1)
			go func() {
				_, err := io.CopyN(peer, peer, int64(len(want)))
				echoed <- err
			}()
			wrote := make(chan error, 1)
			go func() {
				_, err := f.conn.Write(want)
				wrote <- err
			}()
			got := make([]byte, len(want))
			if _, err := io.ReadFull(f.conn, got); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("read what was not written: %v", err)
			}
			if err := errors.Join(<-wrote, <-echoed); err != nil {
				t.Fatal(err)
			}
			f.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if _, err := f.conn.Read(got); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("read to its deadline: %v", err)
			}
			f.conn.SetReadDeadline(time.Time{})

			// Nothing comes: the end of the context wakes the reader.
			ctx, cancel := context.WithCancel(context.Background())
			f.interruptible(ctx)
			ended := make(chan error, 1)
			go func() {
				_, err := f.conn.Read(got)
				ended <- err
			}()
			time.Sleep(20 * time.Millisecond)
			cancel()
			if err := <-ended; err == nil {
				t.Fatal("a read outlives its context")
			}
			f.close()
			if end, err := io.ReadAll(peer); err != nil || len(end) > 0 && end[0] != 'X' {
				t.Fatalf("at its end: %q, %v", end, err)
			}

			// More comes than is read, and nobody reads what we write.
			f, peer = socketPair(t, network, addr+map[string]string{"unix": "2"}[network])
			go io.Copy(peer, endless{})
			ctx, cancel = context.WithCancel(context.Background())
			f.interruptible(ctx)
			go func() {
				for {
					if _, err := f.conn.Read(got[:10]); err != nil {
						ended <- err
						return
					}
				}
			}()
			go func() {
				_, err := io.Copy(f.conn, endless{})
				ended <- err
			}()
			time.Sleep(20 * time.Millisecond)
			cancel()
			for range 2 {
				if err := <-ended; err == nil {
					t.Fatal("a busy connection outlives its context")
				}
			}
			if f.conn.Close() != nil || f.conn.Close() == nil {
				t.Fatal("closed twice, or never")
			}
		})
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }
